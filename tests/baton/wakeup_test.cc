// SPDX-License-Identifier: BSL-1.0
#include "baton/wakeup.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "baton/sys.h"

namespace {

using Wakeup = mc::Wakeup<mc::RealSys>;
namespace wait = mc::wait;

constexpr std::uint32_t kPark = 1u << wait::PARK;

TEST(Wakeup, OneClaimPerWait) {
    Wakeup wakeup;
    EXPECT_FALSE(wakeup.claim(wait::kAnyKind, wait::TIME));  // it does not wait
    EXPECT_EQ(0u, wakeup.arm(wait::SLEEP));
    EXPECT_FALSE(wakeup.claimed());
    EXPECT_FALSE(wakeup.claim(kPark, wait::UNPARKED));  // not what it waits for
    EXPECT_TRUE(wakeup.claim(wait::kAnyKind, wait::TIME));
    EXPECT_TRUE(wakeup.claimed());
    EXPECT_EQ(wait::TIME, wakeup.reason());
    EXPECT_FALSE(wakeup.claim(wait::kAnyKind, wait::JOINED));
    EXPECT_EQ(wait::TIME, wakeup.reason());
}

TEST(Wakeup, APermitAnswersTheNextPark) {
    Wakeup wakeup;
    EXPECT_FALSE(wakeup.mark(wait::PERMIT, kPark, wait::UNPARKED));
    EXPECT_FALSE(wakeup.mark(wait::PERMIT, kPark, wait::UNPARKED));  // one, not two
    EXPECT_EQ(wait::PERMIT, wakeup.arm(wait::PARK));
    EXPECT_EQ(0u, wakeup.arm(wait::PARK));
    EXPECT_TRUE(wakeup.mark(wait::PERMIT, kPark, wait::UNPARKED));
    EXPECT_EQ(wait::UNPARKED, wakeup.reason());
    EXPECT_EQ(0u, wakeup.arm(wait::PARK));  // the claim consumed it
}

TEST(Wakeup, APermitOutlastsOtherWaits) {
    Wakeup wakeup;
    EXPECT_EQ(0u, wakeup.arm(wait::SLEEP));
    EXPECT_FALSE(wakeup.mark(wait::PERMIT, kPark, wait::UNPARKED));
    EXPECT_TRUE(wakeup.claim(wait::kAnyKind, wait::TIME));
    EXPECT_EQ(wait::PERMIT, wakeup.arm(wait::PARK));
}

TEST(Wakeup, MarksStopAWaitAndStay) {
    Wakeup wakeup;
    EXPECT_FALSE(wakeup.mark(wait::INTERRUPT, wait::kAnyKind, wait::INTERRUPTED));
    EXPECT_EQ(wait::INTERRUPT, wakeup.arm(wait::JOIN));
    EXPECT_EQ(wait::INTERRUPT, wakeup.arm(wait::PARK));
    wakeup.clear(wait::INTERRUPT);
    EXPECT_EQ(0u, wakeup.arm(wait::JOIN));
    EXPECT_TRUE(wakeup.mark(wait::CANCEL, wait::kAnyKind, wait::CANCELLED));
    EXPECT_EQ(wait::CANCELLED, wakeup.reason());
    EXPECT_EQ(wait::CANCEL, wakeup.marks() & wait::CANCEL);
    EXPECT_EQ(wait::CANCEL, wakeup.arm(wait::SLEEP));
}

TEST(Wakeup, OfManyClaimersOneWins) {
    constexpr int kThreads = 4, kRounds = 2'000;
    Wakeup wakeup;
    std::atomic<int> wins{0}, round{0}, arrived{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t)
        threads.emplace_back([&] {
            for (int r = 1; r <= kRounds; ++r) {
                while (round.load() < r) std::this_thread::yield();
                if (wakeup.claim(wait::kAnyKind, wait::READY)) wins.fetch_add(1);
                arrived.fetch_add(1);
            }
        });
    for (int r = 1; r <= kRounds; ++r) {
        EXPECT_EQ(0u, wakeup.arm(wait::FD));
        round.store(r);
        while (arrived.load() < r * kThreads) std::this_thread::yield();
        EXPECT_EQ(r, wins.load());
    }
    for (auto& thread : threads) thread.join();
}

}  // namespace
