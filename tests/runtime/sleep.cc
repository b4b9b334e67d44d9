// SPDX-License-Identifier: BSL-1.0
#include <string>
#include <thread>

#include "testing.h"

namespace {

using mctest::Runtime;

class Sleep : public mctest::InTask {};
MC_IN_EACH_KIND(Sleep);

TEST_P(Sleep, LastsAtLeastAsLongAsAsked) {
    Runtime runtime;
    in_task(runtime, [] {
        for (const uint64_t duration : {uint64_t{0}, uint64_t{1}, 50 * mctest::us, 3 * mctest::ms}) {
            const uint64_t start = mc_now();
            EXPECT_EQ(MC_OK, mc_task_sleep(duration));
            EXPECT_GE(mc_now() - start, duration);
        }
    });
}

TEST_P(Sleep, APermitDoesNotEndIt) {
    Runtime runtime;
    in_task(runtime, [&] {
        mc_task* self = mc_task_current();
        runtime.spawn([self] { EXPECT_EQ(MC_OK, mc_task_unpark(self)); });
        const uint64_t start = mc_now();
        EXPECT_EQ(MC_OK, mc_task_sleep(5 * mctest::ms));
        EXPECT_GE(mc_now() - start, 5 * mctest::ms);
        EXPECT_EQ(MC_OK, mc_task_park(0));  // the permit is still there
    });
}

TEST_P(Sleep, ForEverEndsByAnInterrupt) {
    Runtime runtime;
    in_task(runtime, [&] {
        mc_task* self = mc_task_current();
        runtime.spawn([self] { EXPECT_EQ(MC_OK, mc_task_interrupt(self, nullptr)); });
        EXPECT_EQ(MC_EINTR, mc_task_sleep(MC_FOREVER));
        void* payload = self;
        EXPECT_EQ(MC_OK, mc_task_take_interrupt(self, &payload));
        EXPECT_EQ(nullptr, payload);
    });
}

TEST(SleepOrder, IsThatOfTheDeadlines) {
    Runtime runtime;
    std::string order;
    const auto sleeper = [&](char name, uint64_t duration) {
        runtime.spawn([&order, name, duration] {
            EXPECT_EQ(MC_OK, mc_task_sleep(duration));
            order += name;
        });
    };
    sleeper('c', 30 * mctest::ms);
    sleeper('a', 10 * mctest::ms);
    sleeper('b', 20 * mctest::ms);
    runtime.run();
    EXPECT_EQ("abc", order);
}

TEST(SleepThreads, ManySleepersNeedNone) {
    Runtime runtime;
    constexpr int count = mctest::sanitized ? 500 : 2000;
    int woken = 0;
    for (int i = 0; i < count; ++i)
        runtime.spawn([&] {
            EXPECT_EQ(MC_OK, mc_task_sleep(20 * mctest::ms));
            ++woken;
        });
    runtime.run();
    EXPECT_EQ(count, woken);
    EXPECT_EQ(0u, runtime.stats().threads_peak);
}

TEST(SleepShared, TwoRuntimesSleepAtOnce) {
    Runtime one, two;
    const auto sleeps = [](Runtime& runtime) {
        for (int i = 0; i < 50; ++i)
            runtime.spawn(
                [i] { EXPECT_EQ(MC_OK, mc_task_sleep(static_cast<uint64_t>(i) * 100 * mctest::us)); });
        runtime.run();
    };
    std::thread other([&] { sleeps(two); });
    sleeps(one);
    other.join();
}

}  // namespace
