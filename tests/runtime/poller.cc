// Whoever polls the reactor may stop at any time: somebody else goes on, of this runtime or of another.
// SPDX-License-Identifier: BSL-1.0
#include <thread>

#include <unistd.h>

#include "testing.h"

namespace {

using mctest::Gate;
using mctest::Runtime;

class Poller : public ::testing::Test {
protected:
    void SetUp() override { ASSERT_EQ(0, pipe(pipe_)); }
    void TearDown() override {
        if (other_.joinable()) other_.join();
        for (const int fd : pipe_) close(fd);
    }

    static void wait_until_it_polls(mc_task* task) {
        while (mc_task_state(task) != MC_TASK_SUSPENDED) std::this_thread::yield();
        mctest::spin(mctest::ms);  // soon afterwards its thread polls, which cannot be seen from outside
    }

    // A thread attaches, waits for the pipe, polling as nobody else does, and detaches.
    void start_poller(Runtime& runtime) {
        Gate attached;
        mc_task* task = nullptr;
        other_ = std::thread([&, this] {
            runtime.attached([&, this] {
                task = mc_task_ref(mc_task_current());
                attached.open();
                EXPECT_EQ(MC_OK, mc_task_wait_fd(pipe_[0], MC_READABLE, MC_FOREVER, nullptr));
            });
        });
        attached.wait();
        wait_until_it_polls(task);
        mc_task_unref(task);
    }
    void end_poller() { EXPECT_EQ(1, write(pipe_[1], "x", 1)); }

    // One task sleeps, and another is in a section until it has slept.
    void spawn_sleeper_and_waiter(Runtime& runtime, const std::function<void()>& in_section) {
        runtime.spawn([this] {
            EXPECT_EQ(MC_OK, mc_task_sleep(60 * mctest::ms));
            slept_.open(2);
        });
        runtime.spawn([this, in_section] {
            mc_release();
            in_section();
            slept_.wait();
            mc_acquire();
            through_.open();
        });
    }

    int pipe_[2] = {-1, -1};
    std::thread other_;
    Gate slept_, through_;
};

TEST_F(Poller, ThatDetachesLeavesTheRoleToOthers) {
    Runtime runtime;
    start_poller(runtime);
    runtime.attached([&] {
        spawn_sleeper_and_waiter(runtime, [] {});
        EXPECT_EQ(MC_OK, mc_task_yield());
        mc_release();
        end_poller();
        through_.wait();
        mc_acquire();
    });
}

TEST_F(Poller, OfAnotherRuntimeThatDetachesLeavesTheRoleToThisOne) {
    Runtime other, runtime;
    start_poller(other);
    spawn_sleeper_and_waiter(runtime, [this] { end_poller(); });
    runtime.run();
}

TEST_F(Poller, OfAnotherRuntimeThatComputesLeavesTheRoleToThisOne) {
    Runtime other, runtime;
    mc_task* computes = other.spawn([this] {
        EXPECT_EQ(MC_OK, mc_task_sleep(30 * mctest::ms));
        while (!slept_.opened()) {  // with the baton of the other runtime, and no checkpoint
        }
    });
    other_ = std::thread([&] { other.run(); });
    wait_until_it_polls(computes);
    spawn_sleeper_and_waiter(runtime, [] {});
    runtime.run();
    other_.join();
}

}  // namespace
