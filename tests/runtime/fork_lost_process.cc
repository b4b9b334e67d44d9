// fork() while another thread holds the baton: the runtime is lost to the child, and says so.
// SPDX-License-Identifier: BSL-1.0
#include <cstdlib>
#include <thread>

#include <unistd.h>

#include "forking.h"

namespace {

using mctest::beside_a_holder;
using mctest::forked;
using mctest::Gate;
using mctest::ms;
using mctest::Runtime;
using mctest::status_of;
using mctest::use;

TEST(ForkLostDeathTest, EveryCallSaysSo) {
    EXPECT_CHILD([] {
        Runtime runtime;
        mc_task* over = runtime.spawn([] {});
        runtime.run();
        beside_a_holder(runtime, [&](mc_task* holder) {
            EXPECT_EQ(0, forked([&] {
                          mc_task* task = nullptr;
                          mc_stats stats = MC_STATS_INIT;
                          EXPECT_EQ(MC_EFORK, mc_runtime_run(runtime));
                          EXPECT_EQ(MC_EFORK, mc_attach(runtime, nullptr, MC_FOREVER, &task));
                          EXPECT_EQ(MC_EFORK, mc_task_spawn(
                                                  runtime, [](void*) {}, nullptr, nullptr, &task));
                          EXPECT_EQ(MC_EFORK, mc_runtime_stats(runtime, &stats));
                          EXPECT_EQ(MC_EFORK, mc_enable(runtime, 1));
                          EXPECT_EQ(MC_EFORK, mc_task_unpark(holder));
                          EXPECT_EQ(MC_EFORK, mc_task_join(holder, MC_FOREVER));
                          EXPECT_EQ(MC_EFORK, mc_task_result(holder));
                          EXPECT_EQ(MC_OK, mc_task_result(over));  // it did
                          EXPECT_EQ(MC_EFORK, mc_task_interrupt(holder, nullptr));
                          EXPECT_EQ(MC_EFORK, mc_task_take_interrupt(holder, nullptr));
                          EXPECT_EQ(MC_EFORK, mc_task_cancel(holder, MC_CANCEL_SAFE));
                          EXPECT_EQ(MC_TASK_ENDED, static_cast<int>(mc_task_state(holder)));
                          EXPECT_EQ(MC_EFORK, mc_runtime_event_fd(runtime));
                          EXPECT_EQ(MC_EFORK, mc_runtime_dispatch(runtime, 0));
                          EXPECT_EQ(MC_EFORK, mc_job_submit(
                                                  runtime, [](void*) {}, nullptr, nullptr, nullptr, nullptr));
                          mc_runtime_stop(runtime);
                          EXPECT_EQ(MC_EFORK, mc_runtime_shutdown(runtime, MC_FOREVER));
                          EXPECT_EQ(MC_EFORK, mc_runtime_destroy(runtime));
                          EXPECT_EQ(nullptr, task);
                          EXPECT_EQ(1, mctest::process_threads());
                          // Another one works, also in a child of the child; and exit does not wait.
                          Runtime another;
                          another.run([&] { use(another); });
                          EXPECT_EQ(0, forked([&] {
                                        EXPECT_EQ(MC_EFORK, mc_runtime_run(runtime));
                                        another.run([&] { use(another); });
                                    }));
                          another.destroy();
                          std::exit(::testing::Test::HasFailure() ? 1 : 0);
                      }));
        });
    });
}

// In a section whose baton was taken.
TEST(ForkLostDeathTest, EveryCallInASectionSaysSo) {
    EXPECT_CHILD([] {
        Runtime runtime;
        std::thread thread;
        runtime.attached([&] {
            mc_release();
            beside_a_holder(runtime, [&](mc_task* holder) {
                EXPECT_EQ(0, forked([&] {
                              EXPECT_EQ(MC_EFORK, mc_cancelled());
                              EXPECT_EQ(MC_EFORK, mc_enter());
                              EXPECT_EQ(MC_EFORK, mc_leave());
                              EXPECT_EQ(MC_EFORK, mc_release_with(nullptr));
                              EXPECT_EQ(MC_EFORK, mc_acquire_status());  // the inner section's
                              EXPECT_EQ(MC_EFORK, mc_task_yield());
                              EXPECT_EQ(MC_EFORK, mc_task_sleep(ms));
                              EXPECT_EQ(MC_EFORK, mc_task_park(0));
                              EXPECT_EQ(MC_EFORK, mc_task_wait_fd(0, MC_READABLE, 0, nullptr));
                              EXPECT_EQ(MC_EFORK, mc_task_join(holder, 0));
                              EXPECT_EQ(MC_EFORK, mc_scope_enter(MC_SCOPE_ATOMIC));
                              EXPECT_EQ(MC_EFORK, mc_scope_leave(0));
                              EXPECT_EQ(MC_EFORK, mc_checkpoint());
                              EXPECT_EQ(MC_EFORK, mc_attach(runtime, nullptr, 0, nullptr));
                              EXPECT_EQ(MC_EFORK, mc_detach());
                              // Of another runtime, within the section.
                              Runtime another;
                              another.attached([&] { use(another); });
                              another.destroy();
                          }));
            });
            mc_acquire();
        });
    });
}

void acquire_in_child(void (*acquire)()) {
    Runtime runtime;
    runtime.attached([&] {
        mc_release();
        beside_a_holder(runtime, [&](mc_task*) {
            EXPECT_EQ(EXIT_FAILURE, forked([&] {
                          std::atexit([] { _exit(99); });  // touches the interpreter, for all we know
                          acquire();
                          _exit(98);
                      }));
        });
        mc_acquire();
    });
}

// It would touch an interpreter that another thread had left amid a change.
TEST(ForkLostDeathTest, AnAcquireEndsTheProcess) {
    EXPECT_CHILD([] { acquire_in_child([] { mc_acquire(); }); });
    EXPECT_CHILD([] { acquire_in_child([] { (void)mc_acquire_status(); }); });
}

TEST(ForkLostDeathTest, AndTellsWhy) {
    EXPECT_EXIT(mctest::child([] {
                    mc_runtime* runtime = nullptr;  // with the default handler
                    ASSERT_EQ(MC_OK, mc_runtime_create(nullptr, &runtime));
                    ASSERT_EQ(MC_OK, mc_attach(runtime, nullptr, MC_FOREVER, nullptr));
                    mc_release();
                    Gate holds;
                    std::thread other([&] {
                        ASSERT_EQ(MC_OK, mc_attach(runtime, nullptr, MC_FOREVER, nullptr));
                        holds.open();
                        for (;;) pause();
                    });
                    other.detach();
                    holds.wait();
                    const pid_t pid = fork();
                    if (pid == 0) mc_acquire();
                    _exit(status_of(pid));
                }),
                ::testing::ExitedWithCode(EXIT_FAILURE), "mc_acquire in a child .*fork_lost_process.cc");
}

}  // namespace
