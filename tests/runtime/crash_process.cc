// What must end the process, with the name of the task.
// SPDX-License-Identifier: BSL-1.0
#include <atomic>
#include <csignal>
#include <stdexcept>
#include <thread>

#include <pthread.h>
#include <unistd.h>

#include "testing.h"

namespace {

using mctest::child;
using mctest::Gate;
using mctest::Runtime;

bool died(int status) { return WIFSIGNALED(status) || (WIFEXITED(status) && WEXITSTATUS(status) != 0); }

TEST(ExceptionDeathTest, ThatLeavesATaskNamesIt) {
    EXPECT_EXIT(child([] {
                    Runtime runtime;
                    runtime.spawn([] { throw std::runtime_error("from the script"); }, "reckless");
                    runtime.run();
                }),
                died, "reckless");
}

TEST(ExceptionDeathTest, ThatLeavesATaskOnACarrierNamesIt) {
    EXPECT_EXIT(child([] {
                    Runtime runtime;
                    runtime.attached([&] {
                        mc_task* task = runtime.spawn([] { throw 42; }, "reckless");
                        mc_task_join(task, MC_FOREVER);
                    });
                }),
                died, "reckless");
}

// How a function is left that must not be.
void by_exception() { throw 1; }
void by_pthread_exit() { pthread_exit(nullptr); }
void (*leave)() = by_exception;

// Every hook of a host is called; the one of that name leaves.
void call_hooks(const std::string& reckless) {
    static std::atomic<bool> unblocked{false};
    mc_host host = MC_HOST_INIT;
    mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
    mc_task_options task_options = MC_TASK_OPTIONS_INIT;
    mc_section_options section = MC_SECTION_OPTIONS_INIT;
    options.misuse = [](void*, const mc_misuse*) {};
    section.unblock = [](void*) { unblocked.store(true); };
    if (reckless == "taken") host.taken = [](void*, mc_task*) { leave(); };
    if (reckless == "switched") host.switched = [](void*, mc_task*, mc_task*) { leave(); };
    if (reckless == "may_lend")
        host.may_lend = [](void*) -> int {
            leave();
            return 0;
        };
    if (reckless == "attention") host.attention = [](void*) { leave(); };
    if (reckless == "thread_start") options.thread_start = [](void*) { leave(); };
    if (reckless == "thread_stop") options.thread_stop = [](void*) { leave(); };
    if (reckless == "misuse") options.misuse = [](void*, const mc_misuse*) { leave(); };
    if (reckless == "destroy") task_options.destroy = [](void*) { leave(); };
    if (reckless == "unblock") section.unblock = [](void*) { leave(); };

    options.host = &host;
    mc_runtime* runtime = nullptr;
    mc_task *self = nullptr, *other = nullptr;
    ASSERT_EQ(MC_OK, mc_runtime_create(&options, &runtime));
    ASSERT_EQ(MC_OK, mc_attach(runtime, nullptr, MC_FOREVER, &self));
    mc_acquire();
    ASSERT_EQ(MC_OK, mc_task_spawn(
                         runtime, [](void*) {}, nullptr, &task_options, &other));
    EXPECT_EQ(MC_OK, mc_release_with(&section));
    while (mc_task_state(other) != MC_TASK_ENDED) std::this_thread::yield();
    std::thread([self] { EXPECT_EQ(MC_OK, mc_task_interrupt(self, nullptr)); }).join();
    while (!unblocked.load()) std::this_thread::yield();
    EXPECT_EQ(MC_EINTR, mc_acquire_status());
    EXPECT_EQ(MC_OK, mc_detach());
    mc_task_unref(self);
    mc_task_unref(other);
    EXPECT_EQ(MC_OK, mc_runtime_destroy(runtime));
}

void expect_a_hook_is_named() {
    for (const char* hook : {"taken", "switched", "may_lend", "attention", "thread_start", "thread_stop",
                             "misuse", "destroy", "unblock"})
        EXPECT_EXIT(child([hook] { call_hooks(hook); }), died, std::string("hook.*'") + hook + "'") << hook;
    EXPECT_EXIT(child([] { call_hooks("none"); }), ::testing::ExitedWithCode(0), "");
}

void expect_a_job_is_named() {
    const auto nothing = [](void*) {};
    const auto reckless = [](void*) { leave(); };
    const auto reckless_done = [](void*, mc_status) { leave(); };
    EXPECT_EXIT(child([&] {
                    Runtime runtime;
                    mc_job_submit(runtime, reckless, nullptr, nullptr, nullptr, nullptr);
                    runtime.run();
                }),
                died, "left the job '.+'");
    EXPECT_EXIT(child([&] {
                    Runtime runtime;
                    mc_job_submit(runtime, nothing, reckless_done, nullptr, nullptr, nullptr);
                    runtime.run();
                }),
                died, "left the hook 'done'");
}

TEST(ExceptionDeathTest, ThatLeavesAHookNamesIt) { expect_a_hook_is_named(); }
TEST(ExceptionDeathTest, ThatLeavesAJobNamesIt) { expect_a_job_is_named(); }

class PthreadExitDeathTest : public ::testing::Test {
protected:
    void SetUp() override {
        if (mctest::thread_sanitized)
            GTEST_SKIP() << "ThreadSanitizer itself ends a fiber that calls pthread_exit";
        leave = by_pthread_exit;
    }
    void TearDown() override { leave = by_exception; }
};

TEST_F(PthreadExitDeathTest, ThatLeavesATaskNamesIt) {
    EXPECT_EXIT(child([] {
                    Runtime runtime;
                    runtime.spawn([] { leave(); }, "reckless");
                    runtime.run();
                }),
                died, "reckless");
}

TEST_F(PthreadExitDeathTest, ThatLeavesAHookNamesIt) { expect_a_hook_is_named(); }
TEST_F(PthreadExitDeathTest, ThatLeavesAJobNamesIt) { expect_a_job_is_named(); }

__attribute__((noinline)) int overflow(volatile char* above) {
    volatile char frame[2048];
    frame[0] = *above;
    return frame[0] ? overflow(frame) + frame[0] : 0;
}

TEST(OverflowDeathTest, OfATaskIsReportedWithItsName) {
    EXPECT_EXIT(child([] {
                    Runtime runtime;
                    runtime.spawn(
                        [] {
                            volatile char top = 1;
                            overflow(&top);
                        },
                        "bottomless");
                    runtime.run();
                }),
                died, "bottomless");
}

TEST(OverflowDeathTest, InASectionOnACarrierToo) {
    EXPECT_EXIT(child([] {
                    Runtime runtime;
                    runtime.attached([&] {
                        mc_task* task = runtime.spawn(
                            [] {
                                volatile char top = 1;
                                mc_release();
                                overflow(&top);
                                mc_acquire();
                            },
                            "bottomless");
                        mc_task_join(task, MC_FOREVER);
                    });
                }),
                died, "bottomless");
}

TEST(DefaultHandlerDeathTest, WritesALineWithThePlace) {
    EXPECT_EXIT(child([] {
                    mc_runtime* runtime = nullptr;
                    ASSERT_EQ(MC_OK, mc_runtime_create(nullptr, &runtime));
                    mc_task_options options = MC_TASK_OPTIONS_INIT;
                    options.name = "culprit";
                    ASSERT_EQ(MC_OK, mc_task_spawn(
                                         runtime, [](void*) { mc_acquire(); }, nullptr, &options, nullptr));
                    EXPECT_EQ(MC_OK, mc_runtime_run(runtime));
                    EXPECT_EQ(MC_OK, mc_runtime_destroy(runtime));
                }),
                ::testing::ExitedWithCode(0),
                "crash_process\\.cc:[0-9]+.*culprit|culprit.*crash_process\\.cc:[0-9]+");
}

}  // namespace
