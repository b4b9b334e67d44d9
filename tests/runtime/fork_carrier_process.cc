// fork() on a carrier: the child has no runner, its one thread runs what is left, and then the host's hook.
// SPDX-License-Identifier: BSL-1.0
#include <atomic>
#include <cstdlib>

#include <unistd.h>

#include "forking.h"

namespace {

using mctest::expect_no_hang;
using mctest::fork_at_rest;
using mctest::Gate;
using mctest::leave_fork;
using mctest::ms;
using mctest::Runtime;
using mctest::Sleepers;
using mctest::status_of;
using mctest::use;

std::atomic<int> orphaned{0};
std::atomic<int> ended{0};

// Forks in a task on a carrier, with others about: the runner's thread is in a section. in_child goes on in
// the task, in the child. The status of the child.
int fork_on_carrier(const mc_host& host, const std::function<void(Runtime&)>& in_child) {
    int result = -1;
    Runtime runtime(host);
    Sleepers sleepers(runtime);
    Gate forked_once;
    const int runner = mctest::thread_id();
    runtime.run([&] {
        sleepers.start();
        mc_task* forks = runtime.spawn([&] {
            EXPECT_NE(runner, mctest::thread_id());
            const pid_t pid = fork_at_rest();
            if (pid == 0) {
                expect_no_hang();
                sleepers.release();
                in_child(runtime);
                ++ended;
                return;
            }
            mc_release();
            result = status_of(pid);
            mc_acquire();
            forked_once.open();
        });
        runtime.spawn([] {
            (void)mc_task_sleep(5 * ms);
            ++ended;
        });
        mc_release();
        forked_once.wait();
        mc_acquire();
        EXPECT_EQ(MC_OK, mc_task_join(forks, MC_FOREVER));
        sleepers.release();
    });
    sleepers.expect_ended();
    return result;
}

void leave_as_orphan(void*) {
    ++orphaned;
    EXPECT_EQ(2, ended.load());  // all that were left
    leave_fork(42);
}

TEST(ForkOnACarrierDeathTest, ItsThreadRunsTheTasksAndThenTheHook) {
    EXPECT_CHILD([] {
        mc_host host = MC_HOST_INIT;
        host.orphan = leave_as_orphan;
        EXPECT_EQ(42, fork_on_carrier(host, use));
        EXPECT_EQ(0, orphaned.load());  // not in the parent
    });
}

TEST(ForkOnACarrierDeathTest, WithoutAHookTheProcessExits) {
    EXPECT_CHILD([] {
        static int ends[2];
        ASSERT_EQ(0, pipe(ends));
        EXPECT_EQ(0, fork_on_carrier(MC_HOST_INIT, [](Runtime& runtime) {
                      // The way out is exit(): its handlers run.
                      EXPECT_EQ(0, std::atexit([] { (void)!write(ends[1], &ended, sizeof ended); }));
                      use(runtime);
                  }));
        close(ends[1]);
        int ran = 0;
        EXPECT_EQ(static_cast<ssize_t>(sizeof ran), read(ends[0], &ran, sizeof ran));
        EXPECT_EQ(2, ran);
    });
}

TEST(ForkOnACarrierDeathTest, AStopEndsItsRun) {
    EXPECT_CHILD([] {
        mc_host host = MC_HOST_INIT;
        host.orphan = [](void*) { leave_fork(43); };
        EXPECT_EQ(43, fork_on_carrier(host, [](Runtime& runtime) {
                      runtime.spawn([] {
                          for (;;) (void)mc_task_yield();
                      });
                      mc_runtime_stop(runtime);
                  }));
    });
}

TEST(ForkOnACarrierDeathTest, ASectionOfTheChildLetsOthersIn) {
    EXPECT_CHILD([] {
        mc_host host = MC_HOST_INIT;
        host.orphan = [](void*) { leave_fork(44); };
        EXPECT_EQ(44, fork_on_carrier(host, [](Runtime& runtime) {
                      Gate ran;
                      runtime.spawn([&] { ran.open(); });
                      mc_release();
                      ran.wait();
                      mc_acquire();
                      EXPECT_EQ(MC_EDEADLK, mc_runtime_run(runtime));
                  }));
    });
}

TEST(ForkOnACarrierDeathTest, TheHookMayUseTheRuntime) {
    EXPECT_CHILD([] {
        static Runtime* used = nullptr;
        mc_host host = MC_HOST_INIT;
        host.orphan = [](void*) {
            used->run([] { use(*used); });
            EXPECT_EQ(MC_OK, mc_runtime_shutdown(*used, MC_FOREVER));
            used->destroy();
            leave_fork(45);
        };
        EXPECT_EQ(45, fork_on_carrier(host, [](Runtime& runtime) { used = &runtime; }));
    });
}

}  // namespace
