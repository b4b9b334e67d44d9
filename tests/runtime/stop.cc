// SPDX-License-Identifier: BSL-1.0
#include <csignal>
#include <thread>

#include "testing.h"

namespace {

using mctest::Gate;
using mctest::Runtime;

TEST(Stop, BeforeRunMakesTheNextOneReturnAtOnce) {
    Runtime runtime;
    bool ran = false;
    runtime.spawn([&] { ran = true; });
    mc_runtime_stop(runtime);
    EXPECT_EQ(MC_ECANCELED, mc_runtime_run(runtime));
    EXPECT_FALSE(ran);
    runtime.run();
    EXPECT_TRUE(ran);
}

TEST(Stop, FromATaskEndsTheRunAndKeepsTheOthers) {
    Runtime runtime;
    bool stopper_went_on = false;
    int other_rounds = 0;
    runtime.spawn([&] {
        mc_runtime_stop(runtime);
        EXPECT_EQ(MC_OK, mc_task_yield());
        stopper_went_on = true;
    });
    runtime.spawn([&] {
        for (; other_rounds < 10; ++other_rounds) EXPECT_EQ(MC_OK, mc_task_yield());
    });
    EXPECT_EQ(MC_ECANCELED, mc_runtime_run(runtime));
    EXPECT_FALSE(stopper_went_on);
    runtime.run();
    EXPECT_TRUE(stopper_went_on);
    EXPECT_EQ(10, other_rounds);
}

TEST(Stop, FromAnotherThreadWakesAnIdleRun) {
    Runtime runtime;
    mc_task* parked = runtime.spawn([] { EXPECT_EQ(MC_OK, mc_task_park(MC_FOREVER)); });
    std::thread other([&] {
        while (mc_task_state(parked) != MC_TASK_SUSPENDED) std::this_thread::yield();
        mc_runtime_stop(runtime);
    });
    EXPECT_EQ(MC_ECANCELED, mc_runtime_run(runtime));
    other.join();
    EXPECT_EQ(MC_OK, mc_task_unpark(parked));
    runtime.run();
}

TEST(Stop, EndsARunThatSleepsOrComputes) {
    Runtime runtime;
    mc_task* sleeps = runtime.spawn([] { EXPECT_EQ(MC_EINTR, mc_task_sleep(MC_FOREVER)); });
    bool go_on = true;
    runtime.spawn([&] {
        while (go_on) ASSERT_EQ(MC_OK, mc_task_yield());
    });
    std::thread other([&] {
        while (mc_task_state(sleeps) != MC_TASK_SUSPENDED) std::this_thread::yield();
        mc_runtime_stop(runtime);
    });
    EXPECT_EQ(MC_ECANCELED, mc_runtime_run(runtime));
    other.join();
    go_on = false;
    EXPECT_EQ(MC_OK, mc_task_interrupt(sleeps, nullptr));
    runtime.run();
}

mc_runtime* stopped;

TEST(Stop, FromASignalHandler) {
    Runtime runtime;
    stopped = runtime;
    struct sigaction action = {}, before = {};
    action.sa_handler = [](int) { mc_runtime_stop(stopped); };
    ASSERT_EQ(0, sigaction(SIGUSR1, &action, &before));
    mc_task* parked = runtime.spawn([] {
        raise(SIGUSR1);
        EXPECT_EQ(MC_OK, mc_task_park(MC_FOREVER));
    });
    EXPECT_EQ(MC_ECANCELED, mc_runtime_run(runtime));
    ASSERT_EQ(0, sigaction(SIGUSR1, &before, nullptr));
    EXPECT_EQ(MC_OK, mc_task_unpark(parked));
    runtime.run();
}

TEST(Stop, WithASectionOpenReturnsAndTheSectionEndsLater) {
    Runtime runtime;
    Gate go_on;
    mc_task* task = runtime.spawn([&] {
        mc_release();
        go_on.wait();
        mc_acquire();
    });
    // Another thread runs it, since the section keeps the thread that opened it.
    std::thread other([&] {
        while (mc_task_state(task) != MC_TASK_SECTION) std::this_thread::yield();
        mc_runtime_stop(runtime);
        go_on.open();
    });
    const mc_status status = mc_runtime_run(runtime);
    EXPECT_TRUE(status == MC_OK || status == MC_ECANCELED) << status;
    other.join();
    if (status == MC_OK) {
        EXPECT_EQ(MC_ECANCELED, mc_runtime_run(runtime));
    }
    runtime.run();
    EXPECT_EQ(MC_OK, mc_task_result(task));
}

TEST(Stop, EndsARunThatWaitsForAHolder) {
    Runtime runtime;
    runtime.attached([&] {
        std::thread([&] { runtime.run(); }).join();  // no task: nothing to wait for
        runtime.spawn([] {});
        std::thread other([&] { EXPECT_EQ(MC_ECANCELED, mc_runtime_run(runtime)); });
        mc_runtime_stop(runtime);
        other.join();
    });
    runtime.run();
}

}  // namespace
