// SPDX-License-Identifier: BSL-1.0
#include <thread>

#include "testing.h"

namespace {

using mctest::Runtime;

class Scope : public mctest::InTask {};
MC_IN_EACH_KIND(Scope);

// Whether a section opens now, or runs inline.
bool opens(Runtime& runtime) {
    const uint64_t before = runtime.stats().sections_inline;
    mc_release();
    mc_acquire();
    return runtime.stats().sections_inline == before;
}

TEST_P(Scope, TheInnermostWins) {
    Runtime runtime;
    in_task(runtime, [&] {
        EXPECT_TRUE(opens(runtime));
        const int off = mc_scope_enter(MC_SCOPE_DISABLE);
        ASSERT_GE(off, 0);
        EXPECT_FALSE(opens(runtime));
        const int on = mc_scope_enter(MC_SCOPE_ENABLE);
        ASSERT_GE(on, 0);
        EXPECT_NE(off, on);
        EXPECT_TRUE(opens(runtime));
        EXPECT_EQ(MC_OK, mc_scope_leave(on));
        EXPECT_FALSE(opens(runtime));
        EXPECT_EQ(MC_OK, mc_scope_leave(off));
        EXPECT_TRUE(opens(runtime));
    });
}

TEST_P(Scope, WinsOverTheGlobalDefault) {
    Runtime runtime;
    EXPECT_EQ(1, mc_enable(runtime, 0));
    in_task(runtime, [&] {
        EXPECT_FALSE(opens(runtime));
        const int on = mc_scope_enter(MC_SCOPE_ENABLE);
        EXPECT_TRUE(opens(runtime));
        EXPECT_EQ(MC_OK, mc_scope_leave(on));
        EXPECT_FALSE(opens(runtime));
    });
}

TEST_P(Scope, LeavingATokenLeavesThoseInsideIt) {
    Runtime runtime;
    in_task(runtime, [&] {
        const int outer = mc_scope_enter(MC_SCOPE_DISABLE);
        const int middle = mc_scope_enter(MC_SCOPE_ATOMIC);
        const int inner = mc_scope_enter(MC_SCOPE_ENABLE);
        EXPECT_EQ(MC_EPERM, mc_task_yield());
        EXPECT_EQ(MC_OK, mc_scope_leave(outer));
        EXPECT_EQ(MC_OK, mc_task_yield());
        EXPECT_TRUE(opens(runtime));
        EXPECT_EQ(MC_EINVAL, mc_scope_leave(inner));
        EXPECT_EQ(MC_EINVAL, mc_scope_leave(middle));
        EXPECT_EQ(MC_EINVAL, mc_scope_leave(outer));
    });
}

TEST_P(Scope, NestDeeply) {
    Runtime runtime;
    in_task(runtime, [&] {
        int first = -1;
        for (uint32_t i = 0; i < 1000; ++i) {
            const int token = mc_scope_enter(i % 2 ? MC_SCOPE_ENABLE : MC_SCOPE_DISABLE);
            ASSERT_GE(token, 0);
            if (i == 0) first = token;
        }
        EXPECT_TRUE(opens(runtime));
        EXPECT_EQ(MC_OK, mc_scope_leave(first));
    });
}

TEST_P(Scope, AtomicRefusesToSuspend) {
    Runtime runtime;
    in_task(runtime, [&] {
        mc_task* other = runtime.spawn([] {});
        const int atomic = mc_scope_enter(MC_SCOPE_ATOMIC);
        EXPECT_EQ(MC_EPERM, mc_task_yield());
        EXPECT_EQ(MC_EPERM, mc_task_sleep(1));
        EXPECT_EQ(MC_EPERM, mc_task_park(1));
        EXPECT_EQ(MC_EPERM, mc_task_join(other, 1));
        EXPECT_EQ(MC_EPERM, mc_task_wait_fd(0, MC_READABLE, 1, nullptr));
        EXPECT_FALSE(opens(runtime));
        const int on = mc_scope_enter(MC_SCOPE_ENABLE);
        EXPECT_FALSE(opens(runtime));  // atomic is stronger
        EXPECT_EQ(MC_OK, mc_scope_leave(on));
        std::thread([&] {
            EXPECT_EQ(MC_ETIMEDOUT, mc_attach(runtime, nullptr, mctest::ms, nullptr));
        }).join();
        EXPECT_EQ(MC_OK, mc_scope_leave(atomic));
        EXPECT_EQ(MC_OK, mc_task_join(other, MC_FOREVER));
    });
}

TEST_P(Scope, NobodyRunsInsideAtomic) {
    mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
    options.slice = 1;
    options.section_slice = 1;
    Runtime runtime(options);
    in_task(runtime, [&] {
        bool ran = false;
        mc_task* other = runtime.spawn([&] { ran = true; });
        const int atomic = mc_scope_enter(MC_SCOPE_ATOMIC);
        for (int i = 0; i < 1000; ++i) {
            EXPECT_EQ(MC_OK, mc_checkpoint());
            mc_release();
            mc_acquire();
        }
        EXPECT_FALSE(ran);
        EXPECT_EQ(MC_OK, mc_scope_leave(atomic));
        EXPECT_EQ(MC_OK, mc_task_join(other, MC_FOREVER));
    });
}

TEST_P(Scope, AtomicOpenedInACallbackKeepsTheBatonAfterIt) {
    Runtime runtime;
    in_task(runtime, [&] {
        mc_release();
        EXPECT_EQ(MC_OK, mc_enter());
        const int atomic = mc_scope_enter(MC_SCOPE_ATOMIC);
        EXPECT_EQ(MC_OK, mc_leave());
        std::thread([&] {
            const mc_status status = mc_attach(runtime, nullptr, mctest::ms, nullptr);
            EXPECT_EQ(MC_ETIMEDOUT, status);
            if (status == MC_OK) mc_detach();
        }).join();
        mc_acquire();
        EXPECT_EQ(MC_EPERM, mc_task_yield());
        EXPECT_EQ(MC_OK, mc_scope_leave(atomic));
        EXPECT_EQ(MC_OK, mc_task_yield());
        EXPECT_TRUE(opens(runtime));
    });
}

TEST_P(Scope, IsTheTasksOwn) {
    Runtime runtime;
    in_task(runtime, [&] {
        const int off = mc_scope_enter(MC_SCOPE_DISABLE);
        mc_task* other = runtime.spawn([&] {
            EXPECT_TRUE(opens(runtime));
            EXPECT_EQ(MC_EINVAL, mc_scope_leave(off + 100));
        });
        EXPECT_EQ(MC_OK, mc_task_join(other, MC_FOREVER));
        EXPECT_FALSE(opens(runtime));
        EXPECT_EQ(MC_OK, mc_scope_leave(off));
    });
}

TEST_P(Scope, ClosesWithItsTask) {
    Runtime runtime;
    in_task(runtime, [&] {
        mc_task* other = runtime.spawn([] {
            EXPECT_GE(mc_scope_enter(MC_SCOPE_DISABLE), 0);
            EXPECT_GE(mc_scope_enter(MC_SCOPE_ATOMIC), 0);
        });
        EXPECT_EQ(MC_OK, mc_task_join(other, MC_FOREVER));
        EXPECT_TRUE(opens(runtime));
    });
}

TEST_P(Scope, BadArgumentsAreRefused) {
    Runtime runtime;
    in_task(runtime, [] {
        EXPECT_EQ(MC_EINVAL, mc_scope_enter(99));
        EXPECT_EQ(MC_EINVAL, mc_scope_leave(-1));
        EXPECT_EQ(MC_EINVAL, mc_scope_leave(12345));
    });
}

}  // namespace
