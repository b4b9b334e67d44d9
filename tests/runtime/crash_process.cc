// What must end the process, with the name of the task; and exit with sections open.
// SPDX-License-Identifier: BSL-1.0
#include <csignal>
#include <stdexcept>
#include <thread>

#include <pthread.h>

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

TEST(PthreadExitDeathTest, ThatLeavesATaskNamesIt) {
    if (mctest::thread_sanitized)
        GTEST_SKIP() << "ThreadSanitizer itself ends a fiber that calls pthread_exit";
    EXPECT_EXIT(child([] {
                    Runtime runtime;
                    runtime.spawn([] { pthread_exit(nullptr); }, "reckless");
                    runtime.run();
                }),
                died, "reckless");
}

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

// ---- exit ----

TEST(ExitDeathTest, FromATaskWithSectionsRunningIsPromptAndKeepsItsStatus) {
    EXPECT_EXIT(child([] {
                    static Gate& never = *new Gate;  // leaked: its waiters stay
                    static Gate& in_section = *new Gate;
                    static Runtime* runtime = new Runtime;  // not destroyed
                    for (int i = 0; i < 4; ++i)
                        runtime->spawn([] {
                            mc_release();
                            in_section.open();
                            never.wait();
                            mc_acquire();
                        });
                    runtime->run([] {
                        mc_release();
                        for (int i = 0; i < 4; ++i) in_section.wait();
                        mc_acquire();
                        std::exit(42);
                    });
                }),
                ::testing::ExitedWithCode(42), "");
}

TEST(ExitDeathTest, FromASectionKeepsItsStatus) {
    EXPECT_EXIT(child([] {
                    static Runtime* runtime = new Runtime;
                    runtime->spawn([] {
                        for (;;) EXPECT_EQ(MC_OK, mc_task_yield());
                    });
                    runtime->run([] {
                        mc_release();
                        std::exit(43);
                    });
                }),
                ::testing::ExitedWithCode(43), "");
}

TEST(ExitDeathTest, FromAForeignThreadWhileTasksRun) {
    EXPECT_EXIT(child([] {
                    static Gate& running = *new Gate;
                    static Runtime* runtime = new Runtime;
                    for (int i = 0; i < 4; ++i)
                        runtime->spawn([] {
                            running.open();
                            for (;;) {
                                mc_release();
                                mc_acquire();
                                EXPECT_EQ(MC_OK, mc_task_yield());
                            }
                        });
                    std::thread([] {
                        running.wait();
                        std::exit(44);
                    }).detach();
                    runtime->run();
                }),
                ::testing::ExitedWithCode(44), "");
}

}  // namespace
