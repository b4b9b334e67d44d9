// SPDX-License-Identifier: BSL-1.0
#include "baton/seat.h"

#include <gtest/gtest.h>

namespace {

using Seat = mc::Seat<mc::RealSys>;
using namespace mc::seat;

struct SeatTest : testing::Test {
    Seat seat;
    void in(State state) { seat.state.store(state); }
    std::uint32_t now() const { return seat.state.load(); }
};

TEST_F(SeatTest, OnlyAWaitingSeatIsGranted) {
    for (State state : {SPIN, PARKED, WOKEN}) {
        in(state);
        EXPECT_TRUE(seat.grant()) << state;
        EXPECT_TRUE(seat.granted());
    }
    for (State state : {BUSY, GONE}) {
        in(state);
        EXPECT_FALSE(seat.grant()) << state;
        EXPECT_EQ(state, now());
    }
}

TEST_F(SeatTest, AWakeReachesWaitersOnly) {
    bool blocked = false;
    in(PARKED);
    EXPECT_TRUE(seat.wake(&blocked));
    EXPECT_TRUE(blocked);
    EXPECT_EQ(WOKEN, now());
    EXPECT_TRUE(seat.wake());
    in(SPIN);
    EXPECT_TRUE(seat.wake(&blocked));
    EXPECT_FALSE(blocked);
    EXPECT_EQ(WOKEN, now());
    for (State state : {BUSY, GRANTED, GONE}) {
        in(state);
        EXPECT_FALSE(seat.wake()) << state;
        EXPECT_EQ(state, now());
    }
}

TEST_F(SeatTest, AWakeIsNotSlept) {
    in(WOKEN);
    EXPECT_FALSE(seat.prepare_to_block());
    EXPECT_EQ(SPIN, now());
    EXPECT_TRUE(seat.prepare_to_block());
    EXPECT_EQ(PARKED, now());
}

TEST_F(SeatTest, NobodyLeavesWhoIsWantedOrGranted) {
    in(WOKEN);
    EXPECT_FALSE(seat.leave(GONE));
    EXPECT_EQ(SPIN, now());
    EXPECT_TRUE(seat.leave(GONE));
    EXPECT_EQ(GONE, now());
    in(GRANTED);
    EXPECT_FALSE(seat.leave(BUSY));
    EXPECT_FALSE(seat.prepare_to_block());
    EXPECT_EQ(GRANTED, now());
}

TEST_F(SeatTest, LookingAgainTellsAWakeFromATimeout) {
    in(PARKED);
    EXPECT_FALSE(seat.look_again());
    EXPECT_EQ(SPIN, now());
    in(WOKEN);
    EXPECT_TRUE(seat.look_again());
    EXPECT_EQ(SPIN, now());
    in(GRANTED);
    EXPECT_TRUE(seat.look_again());
    EXPECT_EQ(GRANTED, now());
}

}  // namespace
