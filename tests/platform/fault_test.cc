// SPDX-License-Identifier: BSL-1.0
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "platform/platform.h"

namespace {

using mc::Fault;
using mc::fault_fail_next;
using mc::fault_hits;

TEST(Fault, NothingFailsWithoutAPlan) {
    for (unsigned kind = 0; kind < static_cast<unsigned>(Fault::count); ++kind)
        EXPECT_FALSE(fault_hits(static_cast<Fault>(kind)));
}

TEST(Fault, SkipsThenFailsThenStops) {
    fault_fail_next(Fault::memory, 2, 3);
    std::vector<bool> hits;
    for (int i = 0; i < 8; ++i) hits.push_back(fault_hits(Fault::memory));
    EXPECT_EQ(hits, (std::vector<bool>{false, false, true, true, true, false, false, false}));
}

TEST(Fault, KindsAreIndependent) {
    fault_fail_next(Fault::epoll, 0, 1);
    EXPECT_FALSE(fault_hits(Fault::thread));
    EXPECT_FALSE(fault_hits(Fault::stack));
    EXPECT_TRUE(fault_hits(Fault::epoll));
    EXPECT_FALSE(fault_hits(Fault::epoll));
}

TEST(Fault, APlanMayBeReplacedAndCancelled) {
    fault_fail_next(Fault::thread, 0, 100);
    EXPECT_TRUE(fault_hits(Fault::thread));
    fault_fail_next(Fault::thread, 1, 1);
    EXPECT_FALSE(fault_hits(Fault::thread));
    EXPECT_TRUE(fault_hits(Fault::thread));
    fault_fail_next(Fault::thread, 0, 100);
    fault_fail_next(Fault::thread, 0, 0);
    EXPECT_FALSE(fault_hits(Fault::thread));
}

TEST(Fault, RacingCallersShareAPlanExactly) {
    fault_fail_next(Fault::stack, 500, 1'000);
    std::atomic<int> hits{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
        threads.emplace_back([&] {
            for (int call = 0; call < 10'000; ++call) hits += fault_hits(Fault::stack);
        });
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(hits, 1'000);
}

}  // namespace
