// Shutdown and destroy while something is alive. Stragglers: shutdown_process.cc.
// SPDX-License-Identifier: BSL-1.0
#include <thread>

#include "testing.h"

namespace {

using mctest::Gate;
using mctest::Runtime;

struct Once {
    int ran = 0, destroyed = 0;
    mc_status status = MC_OK;
};

mc_task* spawn(mc_runtime* runtime, void (*fn)(void*), Once& once) {
    mc_task_options options = MC_TASK_OPTIONS_INIT;
    options.data = &once;
    options.destroy = [](void* data) { ++static_cast<Once*>(data)->destroyed; };
    mc_task* task = nullptr;
    EXPECT_EQ(MC_OK, mc_task_spawn(runtime, fn, &once, &options, &task));
    return task;
}

TEST(Destroy, IsBusyWhileATaskIsAlive) {
    mc_runtime* runtime = nullptr;
    ASSERT_EQ(MC_OK, mc_runtime_create(nullptr, &runtime));
    ASSERT_EQ(MC_OK, mc_task_spawn(
                         runtime, [](void*) {}, nullptr, nullptr, nullptr));
    EXPECT_EQ(MC_EBUSY, mc_runtime_destroy(runtime));
    EXPECT_EQ(MC_OK, mc_runtime_run(runtime));
    ASSERT_EQ(MC_OK, mc_attach(runtime, nullptr, MC_FOREVER, nullptr));
    EXPECT_EQ(MC_EBUSY, mc_runtime_destroy(runtime));
    EXPECT_EQ(MC_OK, mc_detach());
    EXPECT_EQ(MC_OK, mc_runtime_destroy(runtime));
}

TEST(Destroy, IsBusyWhileAThreadRunsIt) {
    Runtime runtime;
    runtime.run([&] { EXPECT_EQ(MC_EBUSY, mc_runtime_destroy(runtime)); });
}

TEST(Destroy, OfAnIdlePoolIsPrompt) {
    for (int i = 0; i < 20; ++i) {
        Runtime runtime;
        runtime.run([&] {
            Gate other_ran;
            runtime.spawn([&] { other_ran.open(); });
            mc_release();
            other_ran.wait();
            mc_acquire();
        });
        runtime.destroy();
    }
}

TEST(Shutdown, WithNothingAliveSucceeds) {
    Runtime runtime;
    EXPECT_EQ(MC_OK, mc_runtime_shutdown(runtime, MC_FOREVER));
    EXPECT_EQ(MC_ESHUTDOWN, mc_runtime_shutdown(runtime, 0));
}

TEST(Shutdown, NothingNewIsAccepted) {
    Runtime runtime;
    EXPECT_EQ(MC_OK, mc_runtime_shutdown(runtime, 0));
    mc_task* out = nullptr;
    EXPECT_EQ(MC_ESHUTDOWN, mc_task_spawn(
                                runtime, [](void*) {}, nullptr, nullptr, &out));
    EXPECT_EQ(MC_ESHUTDOWN, mc_attach(runtime, nullptr, MC_FOREVER, &out));
    EXPECT_EQ(nullptr, out);
}

TEST(Shutdown, ATaskThatNeverRanEndsUnrun) {
    Runtime runtime;
    Once once;
    mc_task* task = spawn(
        runtime, [](void* self) { ++static_cast<Once*>(self)->ran; }, once);
    EXPECT_EQ(MC_OK, mc_runtime_shutdown(runtime, MC_FOREVER));
    EXPECT_EQ(0, once.ran);
    EXPECT_EQ(1, once.destroyed);
    EXPECT_EQ(MC_ECANCELED, mc_task_result(task));
    EXPECT_EQ(static_cast<uint32_t>(MC_TASK_ENDED), mc_task_state(task));
    mc_task_unref(task);
}

TEST(Shutdown, ASuspendedTaskIsToldAndEnds) {
    Runtime runtime;
    Once parked, sleeping;
    mc_task* first = spawn(
        runtime,
        [](void* self) {
            Once* once = static_cast<Once*>(self);
            once->status = mc_task_park(MC_FOREVER);
            ++once->ran;
            EXPECT_EQ(MC_ECANCELED, mc_task_sleep(1));  // sticky
            EXPECT_EQ(MC_ECANCELED, mc_checkpoint());
        },
        parked);
    mc_task* second = spawn(
        runtime,
        [](void* self) {
            Once* once = static_cast<Once*>(self);
            once->status = mc_task_sleep(MC_FOREVER);
            ++once->ran;
        },
        sleeping);
    runtime.spawn([&] { mc_runtime_stop(runtime); });
    EXPECT_EQ(MC_ECANCELED, mc_runtime_run(runtime));
    EXPECT_EQ(static_cast<uint32_t>(MC_TASK_SUSPENDED), mc_task_state(first));
    EXPECT_EQ(MC_OK, mc_runtime_shutdown(runtime, MC_FOREVER));
    EXPECT_EQ(MC_ECANCELED, parked.status);
    EXPECT_EQ(MC_ECANCELED, sleeping.status);
    EXPECT_EQ(1, parked.ran);
    EXPECT_EQ(1, parked.destroyed);
    EXPECT_EQ(1, sleeping.destroyed);
    EXPECT_EQ(MC_ECANCELED, mc_task_result(first));
    EXPECT_EQ(MC_ECANCELED, mc_task_result(second));
    mc_task_unref(first);
    mc_task_unref(second);
}

TEST(Shutdown, ASectionWithUnblockIsUnblocked) {
    Runtime runtime;
    Gate in_section, unblocked;
    mc_task* task = runtime.spawn([&] {
        mc_section_options options = MC_SECTION_OPTIONS_INIT;
        options.unblock = [](void* gate) { static_cast<Gate*>(gate)->open(); };
        options.unblock_arg = &unblocked;
        EXPECT_EQ(MC_OK, mc_release_with(&options));
        in_section.open();
        unblocked.wait();
        EXPECT_EQ(MC_ECANCELED, mc_acquire_status());
        EXPECT_EQ(MC_ECANCELED, mc_checkpoint());
    });
    std::thread runner([&] { EXPECT_NE(MC_EBUSY, mc_runtime_run(runtime)); });
    in_section.wait();
    EXPECT_EQ(MC_OK, mc_runtime_shutdown(runtime, MC_FOREVER));
    EXPECT_EQ(MC_ECANCELED, mc_task_result(task));
    runner.join();
}

TEST(Shutdown, FromATaskIsADeadlock) {
    Runtime runtime;
    runtime.run([&] {
        EXPECT_EQ(MC_EDEADLK, mc_runtime_shutdown(runtime, 0));
        runtime.spawn([] {});  // nothing has been stopped
    });
}

TEST(Shutdown, FromAnAttachedThread) {
    Runtime runtime;
    Once once;
    ASSERT_EQ(MC_OK, mc_attach(runtime, nullptr, MC_FOREVER, nullptr));
    mc_task* task = spawn(
        runtime,
        [](void* self) {
            static_cast<Once*>(self)->status = mc_task_park(MC_FOREVER);
            ++static_cast<Once*>(self)->ran;
        },
        once);
    while (mc_task_state(task) != MC_TASK_SUSPENDED) ASSERT_EQ(MC_OK, mc_task_yield());
    EXPECT_EQ(MC_OK, mc_runtime_shutdown(runtime, MC_FOREVER));
    EXPECT_EQ(MC_ECANCELED, once.status);
    EXPECT_EQ(1, once.destroyed);
    EXPECT_EQ(MC_OK, mc_detach());
    mc_task_unref(task);
}

TEST(Shutdown, ARunnerReturns) {
    Runtime runtime;
    Gate running;
    runtime.spawn([&] {
        running.open();
        EXPECT_EQ(MC_ECANCELED, mc_task_park(MC_FOREVER));
    });
    std::thread runner([&] { mc_runtime_run(runtime); });
    running.wait();
    EXPECT_EQ(MC_OK, mc_runtime_shutdown(runtime, MC_FOREVER));
    runner.join();
}

}  // namespace
