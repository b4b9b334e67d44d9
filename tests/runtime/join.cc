// SPDX-License-Identifier: BSL-1.0
#include "testing.h"

namespace {

using mctest::Runtime;

class Join : public mctest::InTask {};
MC_IN_EACH_KIND(Join);

TEST_P(Join, WaitsForTheEnd) {
    Runtime runtime;
    in_task(runtime, [&] {
        bool ended = false;
        mc_task* other = runtime.spawn([&] {
            for (int i = 0; i < 10; ++i) EXPECT_EQ(MC_OK, mc_task_yield());
            ended = true;
        });
        EXPECT_EQ(MC_EAGAIN, mc_task_result(other));
        EXPECT_EQ(MC_OK, mc_task_join(other, MC_FOREVER));
        EXPECT_TRUE(ended);
        EXPECT_EQ(MC_OK, mc_task_result(other));
        EXPECT_EQ(MC_OK, mc_task_join(other, 0));  // again, and at once
    });
}

TEST_P(Join, TimesOut) {
    Runtime runtime;
    in_task(runtime, [&] {
        mc_task* other = runtime.spawn([] { EXPECT_EQ(MC_OK, mc_task_park(MC_FOREVER)); });
        EXPECT_EQ(MC_ETIMEDOUT, mc_task_join(other, 0));
        const uint64_t start = mc_now();
        EXPECT_EQ(MC_ETIMEDOUT, mc_task_join(other, 2 * mctest::ms));
        EXPECT_GE(mc_now() - start, 2 * mctest::ms);
        EXPECT_EQ(MC_OK, mc_task_unpark(other));
        EXPECT_EQ(MC_OK, mc_task_join(other, MC_FOREVER));
    });
}

TEST_P(Join, OfItselfIsADeadlock) {
    Runtime runtime;
    in_task(runtime, [] { EXPECT_EQ(MC_EDEADLK, mc_task_join(mc_task_current(), mctest::ms)); });
}

TEST_P(Join, OfNothingIsRefused) {
    Runtime runtime;
    in_task(runtime, [] { EXPECT_EQ(MC_EINVAL, mc_task_join(nullptr, MC_FOREVER)); });
}

TEST_P(Join, AnInterruptedJoinerLeavesTheOtherAlone) {
    Runtime runtime;
    in_task(runtime, [&] {
        mc_task* self = mc_task_current();
        mc_task* other = runtime.spawn([self] {
            EXPECT_EQ(MC_OK, mc_task_interrupt(self, nullptr));
            EXPECT_EQ(MC_OK, mc_task_park(MC_FOREVER));
        });
        EXPECT_EQ(MC_EINTR, mc_task_join(other, MC_FOREVER));
        EXPECT_EQ(MC_EAGAIN, mc_task_result(other));
        EXPECT_EQ(MC_OK, mc_task_take_interrupt(self, nullptr));
        EXPECT_EQ(MC_OK, mc_task_unpark(other));
        EXPECT_EQ(MC_OK, mc_task_join(other, MC_FOREVER));
    });
}

TEST_P(Join, ManyMayWaitForOne) {
    Runtime runtime;
    in_task(runtime, [&] {
        mc_task* other = runtime.spawn([] { EXPECT_EQ(MC_OK, mc_task_park(MC_FOREVER)); });
        int joined = 0;
        for (int i = 0; i < 20; ++i)
            runtime.spawn([&joined, other] {
                EXPECT_EQ(MC_OK, mc_task_join(other, MC_FOREVER));
                ++joined;
            });
        while (mc_task_state(other) != MC_TASK_SUSPENDED) ASSERT_EQ(MC_OK, mc_task_yield());
        EXPECT_EQ(MC_OK, mc_task_unpark(other));
        EXPECT_EQ(MC_OK, mc_task_join(other, MC_FOREVER));
        while (joined < 20) ASSERT_EQ(MC_OK, mc_task_yield());
    });
}

TEST_P(Join, AJoinerThatTimedOutIsForgotten) {
    Runtime runtime;
    in_task(runtime, [&] {
        mc_task* other = runtime.spawn([] { EXPECT_EQ(MC_OK, mc_task_park(MC_FOREVER)); });
        for (int i = 0; i < 5; ++i) EXPECT_EQ(MC_ETIMEDOUT, mc_task_join(other, 10 * mctest::us));
        EXPECT_EQ(MC_OK, mc_task_unpark(other));
        // The end of the other must not wake this park.
        EXPECT_EQ(MC_ETIMEDOUT, mc_task_park(2 * mctest::ms));
        EXPECT_EQ(MC_OK, mc_task_join(other, MC_FOREVER));
    });
}

TEST(JoinBound, ATaskWaitsForAnAttachedThread) {
    Runtime runtime;
    mc_task* bound = nullptr;
    ASSERT_EQ(MC_OK, mc_attach(runtime, nullptr, MC_FOREVER, &bound));
    bool joined = false;
    runtime.spawn([&] {
        EXPECT_EQ(MC_OK, mc_task_join(bound, MC_FOREVER));
        joined = true;
    });
    EXPECT_EQ(MC_OK, mc_task_yield());
    EXPECT_EQ(MC_OK, mc_detach());
    runtime.run();
    EXPECT_TRUE(joined);
    EXPECT_EQ(MC_OK, mc_task_result(bound));
    mc_task_unref(bound);
}

}  // namespace
