// SPDX-License-Identifier: BSL-1.0
#include <thread>

#include "testing.h"

namespace {

using mctest::Gate;
using mctest::Runtime;

TEST(Stats, BeginAtZero) {
    Runtime runtime;
    const mc_stats stats = runtime.stats();
    EXPECT_EQ(0u, stats.tasks_alive);
    EXPECT_EQ(0u, stats.tasks_spawned);
    EXPECT_EQ(0u, stats.sections);
    EXPECT_EQ(0u, stats.sections_inline);
    EXPECT_EQ(0u, stats.handoffs);
    EXPECT_EQ(0u, stats.threads);
    EXPECT_EQ(0u, stats.threads_peak);
    EXPECT_EQ(0u, stats.longest_wait);
}

TEST(Stats, CountTasks) {
    Runtime runtime;
    for (int i = 0; i < 5; ++i)
        runtime.spawn(
            [&runtime, i] { EXPECT_EQ(static_cast<uint64_t>(5 - i), runtime.stats().tasks_alive); });
    EXPECT_EQ(5u, runtime.stats().tasks_alive);
    runtime.run();
    EXPECT_EQ(0u, runtime.stats().tasks_alive);
    EXPECT_EQ(5u, runtime.stats().tasks_spawned);
    runtime.attached([&] { EXPECT_EQ(1u, runtime.stats().tasks_alive); });
    EXPECT_EQ(6u, runtime.stats().tasks_spawned);
}

TEST(Stats, DoNotCountTasksThatCouldNotBe) {
    Runtime runtime;
    runtime.attached([&] {
        std::thread([&] {
            EXPECT_EQ(MC_ETIMEDOUT, mc_attach(runtime, nullptr, 0, nullptr));
            EXPECT_EQ(MC_ETIMEDOUT, mc_attach(runtime, nullptr, 1, nullptr));
        }).join();
        EXPECT_EQ(1u, runtime.stats().tasks_spawned);
    });
    EXPECT_EQ(MC_OK, mc_runtime_shutdown(runtime, MC_FOREVER));
    const uint64_t spawned = runtime.stats().tasks_spawned;
    EXPECT_EQ(MC_ESHUTDOWN, mc_task_spawn(
                                runtime, [](void*) {}, nullptr, nullptr, nullptr));
    EXPECT_EQ(spawned, runtime.stats().tasks_spawned);
}

TEST(Stats, CountSectionsAndTheirHandOvers) {
    Runtime runtime;
    runtime.run([&] {
        Gate other_ran;
        runtime.spawn([&] {
            other_ran.open();
            mctest::spin(mctest::ms);
        });
        mc_release();
        other_ran.wait();
        mc_acquire();
        for (int i = 0; i < 9; ++i) {
            mc_release();
            mc_acquire();
        }
    });
    const mc_stats stats = runtime.stats();
    EXPECT_EQ(10u, stats.sections);
    EXPECT_EQ(0u, stats.sections_inline);
    EXPECT_GE(stats.handoffs, 2u);
    EXPECT_GE(stats.threads_peak, 1u);
    EXPECT_LE(stats.threads, stats.threads_peak);
    EXPECT_GT(stats.longest_wait, 0u);
}

TEST(Stats, OfTasksWithoutCpuTimeAreZero) {
    Runtime runtime;
    mc_task* task = runtime.spawn([] {});
    runtime.run();
    EXPECT_EQ(0u, mc_task_cpu_time(task));
}

TEST(Stats, CpuTimeGrowsWithTheWork) {
    mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
    options.flags = MC_RUNTIME_CPU_TIME;
    Runtime runtime(options);
    mc_task* busy = runtime.spawn([] {
        const uint64_t start = mc_task_cpu_time(mc_task_current());
        for (int i = 0; i < 5; ++i) {
            mctest::spin(mctest::ms);
            EXPECT_EQ(MC_OK, mc_task_yield());
        }
        EXPECT_GE(mc_task_cpu_time(mc_task_current()), start);
    });
    mc_task* idle = runtime.spawn([] { EXPECT_EQ(MC_OK, mc_task_sleep(30 * mctest::ms)); });
    runtime.run();
    EXPECT_GT(mc_task_cpu_time(busy), mc_task_cpu_time(idle));
}

}  // namespace
