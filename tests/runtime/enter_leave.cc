// SPDX-License-Identifier: BSL-1.0
#include "testing.h"

namespace {

using mctest::Gate;
using mctest::Runtime;

class Enter : public mctest::InTask {};
MC_IN_EACH_KIND(Enter);

TEST_P(Enter, HasTheBatonUntilLeave) {
    Runtime runtime;
    in_task(runtime, [&] {
        int counter = 0;  // plain: the baton guards it
        mc_task* other = runtime.spawn([&] {
            for (int i = 0; i < 100; ++i) {
                ++counter;
                EXPECT_EQ(MC_OK, mc_task_yield());
            }
        });
        mc_release();
        for (int i = 0; i < 100; ++i) {
            ASSERT_EQ(MC_OK, mc_enter());
            ++counter;
            EXPECT_EQ(MC_OK, mc_task_yield());
            EXPECT_EQ(MC_OK, mc_leave());
        }
        mc_acquire();
        EXPECT_EQ(MC_OK, mc_task_join(other, MC_FOREVER));
        EXPECT_EQ(200, counter);
    });
}

TEST_P(Enter, LeaveRestoresTheDepth) {
    Runtime runtime;
    in_task(runtime, [] {
        mc_release();
        mc_release();
        mc_release();
        EXPECT_EQ(MC_OK, mc_enter());
        EXPECT_EQ(MC_OK, mc_task_yield());
        EXPECT_EQ(MC_OK, mc_leave());
        EXPECT_EQ(MC_EPERM, mc_task_yield());
        mc_acquire();
        mc_acquire();
        EXPECT_EQ(MC_EPERM, mc_task_yield());
        mc_acquire();
        EXPECT_EQ(MC_OK, mc_task_yield());
    });
}

TEST_P(Enter, OthersRunAgainAfterLeave) {
    Runtime runtime;
    in_task(runtime, [&] {
        Gate other_ran;
        mc_release();
        EXPECT_EQ(MC_OK, mc_enter());
        runtime.spawn([&] { other_ran.open(); });
        EXPECT_EQ(MC_OK, mc_leave());
        other_ran.wait();
        mc_acquire();
    });
}

TEST_P(Enter, TheCallbackMayOpenSectionsOfItsOwn) {
    Runtime runtime;
    in_task(runtime, [&] {
        mc_release();
        for (int i = 0; i < 10; ++i) {
            Gate other_ran;
            EXPECT_EQ(MC_OK, mc_enter());
            runtime.spawn([&] { other_ran.open(); });
            mc_release();
            other_ran.wait();
            EXPECT_EQ(MC_OK, mc_enter());
            EXPECT_EQ(MC_OK, mc_task_yield());
            EXPECT_EQ(MC_OK, mc_leave());
            mc_acquire();
            EXPECT_EQ(MC_OK, mc_task_yield());
            EXPECT_EQ(MC_OK, mc_leave());
        }
        mc_acquire();
    });
}

TEST_P(Enter, NestsDeeply) {
    Runtime runtime;
    in_task(runtime, [] {
        for (int i = 0; i < 100; ++i) {
            mc_release();
            mc_release();
            ASSERT_EQ(MC_OK, mc_enter());
        }
        EXPECT_EQ(MC_OK, mc_task_yield());
        for (int i = 0; i < 100; ++i) {
            ASSERT_EQ(MC_OK, mc_leave());
            mc_acquire();
            EXPECT_EQ(MC_EPERM, mc_task_yield());
            mc_acquire();
            EXPECT_EQ(MC_OK, mc_task_yield());
        }
    });
}

TEST_P(Enter, OutsideASectionIsRefused) {
    Runtime runtime;
    in_task(runtime, [] {
        EXPECT_EQ(MC_EPERM, mc_enter());
        mc_release();
        EXPECT_EQ(MC_OK, mc_enter());
        EXPECT_EQ(MC_EPERM, mc_enter());
        EXPECT_EQ(MC_OK, mc_leave());
        mc_acquire();
        EXPECT_EQ(MC_EPERM, mc_enter());
    });
    runtime.take_reports();  // the status is what counts; whether it is also reported is open
}

TEST_P(Enter, LeaveWithoutEnterIsRefused) {
    Runtime runtime;
    in_task(runtime, [] {
        EXPECT_EQ(MC_EPERM, mc_leave());
        mc_release();
        EXPECT_EQ(MC_EPERM, mc_leave());
        EXPECT_EQ(MC_EPERM, mc_task_yield());
        mc_acquire();
        EXPECT_EQ(MC_OK, mc_task_yield());
    });
    runtime.take_reports();
}

TEST_P(Enter, InAnInlineSectionToo) {
    Runtime runtime;
    in_task(runtime, [&] {
        EXPECT_EQ(1, mc_enable(runtime, 0));
        mc_release();
        EXPECT_EQ(MC_OK, mc_enter());
        EXPECT_EQ(MC_OK, mc_task_yield());
        EXPECT_EQ(MC_OK, mc_leave());
        mc_acquire();
        EXPECT_EQ(0, mc_enable(runtime, 1));
    });
}

}  // namespace
