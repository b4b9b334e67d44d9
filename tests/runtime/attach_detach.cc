// SPDX-License-Identifier: BSL-1.0
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "testing.h"

namespace {

using mctest::Gate;
using mctest::Runtime;

TEST(Attach, MakesTheThreadATask) {
    Runtime runtime;
    mc_task_options options = MC_TASK_OPTIONS_INIT;
    options.name = "main chunk";
    int data = 0;
    options.data = &data;
    mc_task* task = nullptr;
    EXPECT_EQ(nullptr, mc_task_current());
    ASSERT_EQ(MC_OK, mc_attach(runtime, &options, MC_FOREVER, &task));
    EXPECT_EQ(task, mc_task_current());
    EXPECT_STREQ("main chunk", mc_task_name(task));
    EXPECT_EQ(&data, mc_task_data(task));
    EXPECT_EQ(static_cast<uint32_t>(MC_TASK_RUNNING), mc_task_state(task));
    EXPECT_EQ(1u, runtime.stats().tasks_alive);
    EXPECT_EQ(MC_EAGAIN, mc_task_result(task));
    EXPECT_EQ(MC_OK, mc_detach());
    EXPECT_EQ(nullptr, mc_task_current());
    EXPECT_EQ(0u, runtime.stats().tasks_alive);
    EXPECT_EQ(static_cast<uint32_t>(MC_TASK_ENDED), mc_task_state(task));
    EXPECT_EQ(MC_OK, mc_task_result(task));
    mc_task_unref(task);
}

TEST(Attach, NestsByCount) {
    Runtime runtime;
    mc_task *outer = nullptr, *inner = nullptr;
    ASSERT_EQ(MC_OK, mc_attach(runtime, nullptr, MC_FOREVER, &outer));
    ASSERT_EQ(MC_OK, mc_attach(runtime, nullptr, 0, &inner));
    EXPECT_EQ(outer, inner);
    EXPECT_EQ(1u, runtime.stats().tasks_alive);
    EXPECT_EQ(MC_OK, mc_detach());
    EXPECT_EQ(outer, mc_task_current());
    EXPECT_EQ(MC_OK, mc_task_yield());
    EXPECT_EQ(MC_OK, mc_detach());
    EXPECT_EQ(nullptr, mc_task_current());
    EXPECT_EQ(MC_EPERM, mc_detach());
    mc_task_unref(outer);
    mc_task_unref(inner);
}

TEST(Attach, AgainIsANewTask) {
    Runtime runtime;
    for (int i = 0; i < 3; ++i) runtime.attached([] {});
    EXPECT_EQ(3u, runtime.stats().tasks_spawned);
}

TEST(Attach, DestroyRunsAtTheLastDetach) {
    Runtime runtime;
    mc_task_options options = MC_TASK_OPTIONS_INIT;
    int destroyed = 0;
    options.data = &destroyed;
    options.destroy = [](void* data) { ++*static_cast<int*>(data); };
    ASSERT_EQ(MC_OK, mc_attach(runtime, &options, MC_FOREVER, nullptr));
    ASSERT_EQ(MC_OK, mc_attach(runtime, nullptr, MC_FOREVER, nullptr));
    EXPECT_EQ(MC_OK, mc_detach());
    EXPECT_EQ(0, destroyed);
    EXPECT_EQ(MC_OK, mc_detach());
    EXPECT_EQ(1, destroyed);
}

TEST(Attach, WaitsUpToItsTimeout) {
    Runtime runtime;
    runtime.attached([&] {
        std::thread([&] {
            mc_task* out = reinterpret_cast<mc_task*>(0x10);
            EXPECT_EQ(MC_ETIMEDOUT, mc_attach(runtime, nullptr, 0, &out));
            const uint64_t start = mc_now();
            EXPECT_EQ(MC_ETIMEDOUT, mc_attach(runtime, nullptr, 2 * mctest::ms, &out));
            EXPECT_GE(mc_now() - start, 2 * mctest::ms);
            EXPECT_EQ(reinterpret_cast<mc_task*>(0x10), out);
            EXPECT_EQ(nullptr, mc_task_current());
        }).join();
    });
    // The attempts that timed out left nothing behind.
    EXPECT_EQ(0u, runtime.stats().tasks_alive);
    runtime.attached([] {});
}

TEST(Attach, GetsTheBatonOfOneThatDetaches) {
    Runtime runtime;
    Gate waiting;
    ASSERT_EQ(MC_OK, mc_attach(runtime, nullptr, MC_FOREVER, nullptr));
    bool detached = false;
    std::thread other([&] {
        waiting.open();
        runtime.attached([&] { EXPECT_TRUE(detached); });
    });
    waiting.wait();
    detached = true;
    EXPECT_EQ(MC_OK, mc_detach());
    other.join();
}

TEST(Attach, GetsTheBatonOfASection) {
    Runtime runtime;
    Gate attached;
    runtime.attached([&] {
        std::thread other([&] { runtime.attached([&] { attached.open(); }); });
        mc_release();
        attached.wait();
        mc_acquire();
        other.join();
    });
}

TEST(Attach, GetsTheBatonOfOneThatComputesWithCheckpoints) {
    Runtime runtime;
    bool seen = false;
    runtime.attached([&] {
        std::thread other([&] { runtime.attached([&] { seen = true; }); });
        while (!seen) ASSERT_EQ(MC_OK, mc_checkpoint());
        mc_release();
        other.join();
        mc_acquire();
    });
}

// The attach counts as a driver while it waits, so the detach leaves the baton to a task.
TEST(Attach, ThatTimesOutAsTheLastDriverPausesTheRuntime) {
    for (bool reached = false; !reached;) {
        Runtime runtime;
        std::atomic<bool> running{false}, over{false}, went_on{false};
        mc_task* task = nullptr;
        Gate about_to;
        std::thread other;
        runtime.attached([&] {
            task = runtime.spawn([&] {
                running = true;
                while (!over) mctest::spin(10 * mctest::us);
                EXPECT_EQ(MC_OK, mc_task_yield());
                went_on = true;
            });
            other = std::thread([&] {
                about_to.open();
                const mc_status status = mc_attach(runtime, nullptr, 20 * mctest::ms, nullptr);
                reached = status == MC_ETIMEDOUT;
                over = true;
                if (!reached) {
                    EXPECT_EQ(MC_OK, mc_detach());
                }
            });
            about_to.wait();
            mctest::spin(1 * mctest::ms);  // most likely it waits now; else once more
        });
        other.join();
        reached = reached && running;
        while (reached && mc_task_state(task) != MC_TASK_READY && !went_on) mctest::spin(10 * mctest::us);
        EXPECT_FALSE(reached && went_on);
        runtime.attached([&] { EXPECT_EQ(MC_OK, mc_task_join(task, MC_FOREVER)); });
        EXPECT_TRUE(went_on);
    }
}

TEST(Attach, ManyThreadsExcludeEachOther) {
    Runtime runtime;
    constexpr int threads = 8, rounds = 300;
    int counter = 0;  // plain: the baton guards it
    std::vector<std::thread> all;
    for (int i = 0; i < threads; ++i)
        all.emplace_back([&] {
            for (int round = 0; round < rounds; ++round)
                runtime.attached([&] {
                    const int before = ++counter;
                    EXPECT_EQ(before, counter);
                    mc_release();
                    mc_acquire();
                    ++counter;
                    EXPECT_EQ(MC_OK, round % 16 == 0 ? mc_task_yield() : MC_OK);
                });
        });
    for (std::thread& thread : all) thread.join();
    EXPECT_EQ(2 * threads * rounds, counter);
}

TEST(Attach, BesideARunnerSharesTheTasks) {
    Runtime runtime;
    Gate started, attached;
    bool stop = false;
    runtime.spawn([&] {
        started.open();
        while (!stop) ASSERT_EQ(MC_OK, mc_task_yield());
    });
    std::thread other([&] {
        started.wait();
        runtime.attached([&] {
            bool ran = false;
            mc_task* task = runtime.spawn([&] { ran = true; });
            EXPECT_EQ(MC_OK, mc_task_join(task, MC_FOREVER));
            EXPECT_TRUE(ran);
            stop = true;
        });
    });
    runtime.run();
    other.join();
}

TEST(Attach, UnboundTasksRunOnCarriersWhileTheBoundOneWaits) {
    Runtime runtime;
    const int here = mctest::thread_id();
    int there = 0;
    runtime.attached([&] {
        mc_task* task = runtime.spawn([&] { there = mctest::thread_id(); });
        EXPECT_EQ(MC_OK, mc_task_join(task, MC_FOREVER));
        EXPECT_EQ(here, mctest::thread_id());
    });
    EXPECT_NE(0, there);
    EXPECT_NE(here, there);
}

TEST(Detach, InsideASectionIsRefused) {
    Runtime runtime;
    runtime.attached([] {
        mc_release();
        EXPECT_EQ(MC_EPERM, mc_detach());
        mc_acquire();
    });
}

TEST(Attach, AThreadThatEndsAttachedIsReportedAndDetached) {
    Runtime runtime;
    std::thread([&] {
        mc_task_options options = MC_TASK_OPTIONS_INIT;
        options.name = "forgetful";
        ASSERT_EQ(MC_OK, mc_attach(runtime, &options, MC_FOREVER, nullptr));
        ASSERT_EQ(MC_OK, mc_attach(runtime, &options, MC_FOREVER, nullptr));
    }).join();
    const std::vector<mctest::Report> reports = runtime.take_reports();
    ASSERT_EQ(1u, reports.size());
    EXPECT_EQ("forgetful", reports[0].task);
    EXPECT_EQ(0u, runtime.stats().tasks_alive);
    runtime.attached([] {});  // the baton is free
}

TEST(Attach, AThreadThatEndsInASectionIsReportedAndDetached) {
    Runtime runtime;
    unsigned line = 0;
    std::thread([&] {
        ASSERT_EQ(MC_OK, mc_attach(runtime, nullptr, MC_FOREVER, nullptr));
        line = __LINE__ + 1;
        mc_release();
    }).join();
    const std::vector<mctest::Report> reports = runtime.take_reports();
    ASSERT_EQ(1u, reports.size());
    EXPECT_EQ(line, reports[0].line);
    EXPECT_EQ(0u, runtime.stats().tasks_alive);
    runtime.attached([] {});
}

TEST(Detach, InAHookIsRefused) {
    struct Seen {
        mc_status in_switched = MC_OK, in_destroy = MC_OK;
    } seen;
    mc_host host = MC_HOST_INIT;
    host.self = &seen;
    host.switched = [](void* self, mc_task*, mc_task*) {
        static_cast<Seen*>(self)->in_switched = mc_detach();
    };
    Runtime runtime(host);
    mc_task_options options = MC_TASK_OPTIONS_INIT;
    options.data = &seen;
    options.destroy = [](void* self) { static_cast<Seen*>(self)->in_destroy = mc_detach(); };
    ASSERT_EQ(MC_OK, mc_attach(runtime, &options, MC_FOREVER, nullptr));
    EXPECT_EQ(MC_EPERM, seen.in_switched);
    EXPECT_EQ(MC_OK, mc_detach());
    EXPECT_EQ(MC_EPERM, seen.in_destroy);
}

TEST(Attach, ToAHostThatCannotLendIsForItsHomeThread) {
    mc_host host = MC_HOST_INIT;
    host.way = MC_WAY_JOB;
    Runtime runtime(host);
    runtime.attached([] {});
    std::thread([&] {
        mc_task* out = nullptr;
        EXPECT_EQ(MC_ENOTSUP, mc_attach(runtime, nullptr, MC_FOREVER, &out));
        EXPECT_EQ(nullptr, out);
        EXPECT_EQ(MC_ENOTSUP, mc_runtime_run(runtime));
    }).join();
    runtime.run();
    runtime.attached([] {});
}

}  // namespace
