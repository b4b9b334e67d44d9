// SPDX-License-Identifier: BSL-1.0
#include "baton/idle.h"
#include "baton/scouts.h"

#include <gtest/gtest.h>

namespace {

using Seat = mc::Seat<mc::RealSys>;
using IdleList = mc::IdleList<mc::RealSys>;
namespace seat = mc::seat;

struct Idle : testing::Test {
    std::atomic<Seat*> standby{nullptr};
    IdleList list{standby};
    Seat a, b, c;
    bool blocked = false;

    Idle() {
        for (Seat* seat : {&a, &b, &c}) seat->state.store(seat::PARKED);
    }
    static std::uint32_t state(const Seat& seat) { return seat.state.load(); }
};

TEST_F(Idle, AnEmptyListHasNobodyToRouse) {
    EXPECT_FALSE(list.rouse_carrier(&blocked).found);
    EXPECT_FALSE(list.rouse_carrier(&blocked).open);  // nobody else wished
    EXPECT_FALSE(list.rouse_any().found);
    EXPECT_EQ(nullptr, standby.load());
}

TEST_F(Idle, TheOneListedLastIsRousedFirst) {
    list.add(a, true);
    list.add(b, true);
    EXPECT_TRUE(list.rouse_carrier(&blocked).found);
    EXPECT_TRUE(blocked);
    EXPECT_EQ(seat::WOKEN, state(b));
    EXPECT_EQ(seat::PARKED, state(a));
    EXPECT_EQ(&b, standby.load());
    EXPECT_FALSE(b.idle_listed);
    EXPECT_TRUE(list.rouse_carrier(&blocked).found);
    EXPECT_EQ(&b, standby.load());  // there was one
    EXPECT_FALSE(list.rouse_carrier(&blocked).found);
}

TEST_F(Idle, OnlyCarriersAreRousedToRunTasks) {
    list.add(a, false);
    EXPECT_FALSE(list.rouse_carrier(&blocked).found);
    EXPECT_EQ(seat::PARKED, state(a));
    list.rouse_any();
    EXPECT_EQ(seat::WOKEN, state(a));
}

TEST_F(Idle, OneThatDoesNotWaitIsPassedOver) {
    list.add(a, true);
    list.add(b, true);
    b.state.store(seat::GRANTED);
    EXPECT_TRUE(list.rouse_carrier(&blocked).found);
    EXPECT_EQ(seat::WOKEN, state(a));
    EXPECT_EQ(seat::GRANTED, state(b));
}

TEST_F(Idle, AllAreRoused) {
    list.add(a, true);
    list.add(b, false);
    list.add(c, true);
    EXPECT_FALSE(list.rouse_all());
    for (Seat* seat : {&a, &b, &c}) {
        EXPECT_EQ(seat::WOKEN, state(*seat));
        EXPECT_FALSE(seat->idle_listed);
    }
}

TEST_F(Idle, AddingAndRemovingTwiceIsOnce) {
    list.add(a, true);
    list.add(a, true);
    list.remove(a);
    list.remove(a);
    EXPECT_FALSE(list.rouse_carrier(&blocked).found);
}

TEST_F(Idle, OnlySurplusLeaves) {
    a.carrier = b.carrier = true;
    list.add(a, true);
    list.add(b, true);
    list.add(c, false);
    EXPECT_FALSE(list.remove_surplus(a, 2));
    EXPECT_TRUE(list.remove_surplus(a, 1));
    EXPECT_FALSE(list.remove_surplus(a, 0));  // it is not listed
    EXPECT_FALSE(list.remove_surplus(b, 1));
}

// A job needs no baton, but a thread of the pool: not one that waits with a task, nor the runner.
TEST_F(Idle, AWorkerIsACarrierThatDrivesNothing) {
    Seat in_line;
    in_line.state.store(seat::PARKED);
    b.carrier = c.carrier = in_line.carrier = true;
    c.drives = true;
    list.add(in_line, false, true);
    list.add(b, false);
    list.add(a, true);
    list.add(c, true);
    mc::Scouts<mc::RealSys> scouts;
    EXPECT_TRUE(list.rouse_worker(scouts).found);
    EXPECT_EQ(static_cast<std::uint32_t>(seat::WOKEN), state(b));
    EXPECT_TRUE(scouts.any());
    scouts.count_out(b);
    EXPECT_FALSE(list.more_than(1));  // c
    EXPECT_FALSE(list.rouse_worker(scouts).found);
    EXPECT_FALSE(scouts.any());
    EXPECT_EQ(nullptr, standby.load());
}

}  // namespace
