// Timers, kicks without threads, and what reactor_add refuses.
// SPDX-License-Identifier: BSL-1.0
#include "reactor/reactor.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <deque>
#include <memory>
#include <random>

#include "waiter.h"

namespace mc {
namespace {

struct ReactorTest : testing::Test {
    ReactorTest() {
        EXPECT_TRUE(role.taken);
        reactor_poll(1);  // answers a kick that another test left
    }
    ~ReactorTest() override { EXPECT_EQ(reactor_waits(), 0u); }
    const Role role;
};

TEST_F(ReactorTest, RoleIsForOne) {
    EXPECT_TRUE(reactor_has_poller());
    EXPECT_FALSE(reactor_take_role());
    reactor_drop_role();
    EXPECT_FALSE(reactor_has_poller());
    EXPECT_TRUE(reactor_take_role());
}

TEST_F(ReactorTest, NothingToDo) {
    EXPECT_EQ(reactor_waits(), 0u);
    EXPECT_EQ(reactor_next_deadline(), UINT64_MAX);
    EXPECT_EQ(poll_now(), Fired{});
}

TEST_F(ReactorTest, PollsNoLongerThanUntil) {
    const std::uint64_t until = now_ns() + 1'000'000;
    EXPECT_EQ(listed(reactor_poll(until)), Fired{});
    EXPECT_GE(now_ns(), until);
}

TEST_F(ReactorTest, TimersFireInOrderOfDeadline) {
    Waiter third(30), first(10), second(20), later(now_ns() + kHour);
    for (Waiter* wait : {&third, &first, &later, &second}) ASSERT_EQ(reactor_add(*wait), MC_OK);
    EXPECT_EQ(reactor_waits(), 4u);
    EXPECT_EQ(reactor_next_deadline(), 10u);
    EXPECT_EQ(poll_now(), (Fired{&first, &second, &third}));
    EXPECT_EQ(first.ready, 0u);
    EXPECT_EQ(first.claims, 1);
    EXPECT_EQ(reactor_waits(), 1u);
    EXPECT_EQ(reactor_next_deadline(), later.deadline);
    EXPECT_EQ(later.claims, 0);
}

TEST_F(ReactorTest, EqualDeadlinesFireInOrderOfRegistration) {
    std::deque<Waiter> waits;
    Fired expected;
    for (int i = 0; i < 100; ++i) {
        ASSERT_EQ(reactor_add(waits.emplace_back(5)), MC_OK);
        expected.push_back(&waits.back());
    }
    EXPECT_EQ(poll_now(), expected);
}

TEST_F(ReactorTest, NeverFiresEarly) {
    for (int round = 0; round < 50; ++round) {
        const std::uint64_t start = now_ns();
        Waiter soon(start + 200'000), later(start + 700'000);
        ASSERT_EQ(reactor_add(soon), MC_OK);
        ASSERT_EQ(reactor_add(later), MC_OK);
        while (reactor_waits() != 0)
            for (const ReactorWait* fired : listed(reactor_poll(UINT64_MAX)))
                EXPECT_GE(now_ns(), fired->deadline);
    }
}

TEST_F(ReactorTest, ADeadlineThatIsOverDoesNotKeepFdsFromFiring) {
    const SocketPair pair;
    Waiter timer(1), writer(pair.near.get(), MC_WRITABLE);
    ASSERT_EQ(reactor_add(timer), MC_OK);
    ASSERT_EQ(reactor_add(writer), MC_OK);
    EXPECT_EQ(poll_now(), (Fired{&writer, &timer}));
}

TEST_F(ReactorTest, CancelledWaitsDoNotFire) {
    Waiter kept(10), cancelled(5);
    ASSERT_EQ(reactor_add(kept), MC_OK);
    ASSERT_EQ(reactor_add(cancelled), MC_OK);
    reactor_cancel(cancelled);
    reactor_cancel(cancelled);
    EXPECT_EQ(reactor_next_deadline(), 10u);
    EXPECT_EQ(poll_now(), Fired{&kept});
    reactor_cancel(kept);
    EXPECT_EQ(cancelled.claims, 0);
    EXPECT_EQ(reactor_add(cancelled), MC_OK) << "may be used again";
    EXPECT_EQ(poll_now(), Fired{&cancelled});
}

TEST_F(ReactorTest, RefusedClaimsAreDropped) {
    Waiter first(1), refused(2), last(3);
    refused.accepts = false;
    for (Waiter* wait : {&first, &refused, &last}) ASSERT_EQ(reactor_add(*wait), MC_OK);
    EXPECT_EQ(poll_now(), (Fired{&first, &last}));
    EXPECT_EQ(refused.claims, 1);
    EXPECT_FALSE(refused.registered);
    EXPECT_EQ(poll_now(), Fired{});
}

TEST_F(ReactorTest, AWaitForNothingEndsByCancelOnly) {
    Waiter wait;
    ASSERT_EQ(reactor_add(wait), MC_OK);
    EXPECT_EQ(reactor_waits(), 1u);
    EXPECT_EQ(reactor_next_deadline(), UINT64_MAX);
    EXPECT_EQ(poll_now(), Fired{});
}

TEST_F(ReactorTest, RefusesNonsense) {
    const SocketPair pair;
    Waiter no_events(pair.near.get(), 0), strange_events(pair.near.get(), 4), negative(-2, MC_READABLE);
    EXPECT_EQ(reactor_add(no_events), MC_EINVAL);
    EXPECT_EQ(reactor_add(strange_events), MC_EINVAL);
    EXPECT_EQ(reactor_add(negative), MC_EINVAL);
    ReactorWait no_claim;
    EXPECT_EQ(reactor_add(no_claim), MC_EINVAL);
    Waiter twice(now_ns() + kHour);
    ASSERT_EQ(reactor_add(twice), MC_OK);
    EXPECT_EQ(reactor_add(twice), MC_EBUSY);
    EXPECT_EQ(reactor_waits(), 1u);
}

TEST_F(ReactorTest, KeepsErrno) {
    Waiter bad(1 << 20, MC_READABLE), timer(1);
    errno = 77;
    EXPECT_EQ(reactor_add(bad), MC_EINVAL);
    EXPECT_EQ(reactor_add(timer), MC_OK);
    reactor_poll(now_ns() + 1000);
    reactor_kick();
    EXPECT_EQ(errno, 77);
}

TEST_F(ReactorTest, AKickMakesTheNextPollReturnOnce) {
    reactor_kick();
    reactor_kick();
    EXPECT_EQ(listed(reactor_poll(UINT64_MAX)), Fired{});
    const std::uint64_t until = now_ns() + 100'000;
    EXPECT_EQ(listed(reactor_poll(until)), Fired{});
    EXPECT_GE(now_ns(), until) << "two kicks before one poll are one";
}

TEST_F(ReactorTest, HeapThatCannotGrowRefusesTheWait) {
    std::deque<Waiter> waits;
    fault_fail_next(Fault::memory, 0, 1);
    mc_status status = MC_OK;
    while (status == MC_OK) status = reactor_add(waits.emplace_back(now_ns() + kHour));
    EXPECT_EQ(status, MC_ENOMEM);
    EXPECT_EQ(reactor_waits(), waits.size() - 1);
    reactor_cancel(waits.front());
    EXPECT_EQ(reactor_add(waits.back()), MC_OK) << "in the room that is there";
}

TEST_F(ReactorTest, AHundredThousandTimers) {
    constexpr int kTimers = 100'000;
    std::mt19937_64 random(1);
    std::deque<Waiter> waits;
    for (int i = 0; i < kTimers; ++i) {
        // One in ten is due.
        ASSERT_EQ(reactor_add(waits.emplace_back(i % 10 == 0 ? random() % 1000 : now_ns() + kHour)), MC_OK);
    }
    const Fired fired = poll_now();
    EXPECT_EQ(fired.size(), std::size_t{kTimers / 10});
    for (std::size_t i = 1; i < fired.size(); ++i) ASSERT_LE(fired[i - 1]->deadline, fired[i]->deadline);
    EXPECT_EQ(reactor_waits(), std::size_t{kTimers - kTimers / 10});
}

}  // namespace
}  // namespace mc
