// What the tests of fork() share: company for the task that forks.
//
// Each body forks in a process of its own; expectations that fail in the child of its child make that one's
// status 1 (leave_fork).
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <functional>
#include <thread>

#include <semaphore.h>
#include <unistd.h>

#include "testing.h"

#define EXPECT_CHILD(...) EXPECT_EXIT(mctest::child(__VA_ARGS__), ::testing::ExitedWithCode(0), "")

namespace mctest {

// Tasks that wait in every way there is, until release() or their time.
class Sleepers {
public:
    explicit Sleepers(Runtime& runtime) : runtime_(runtime) {
        EXPECT_EQ(0, pipe(pipe_));
        parked_ = spawn([this] { note(mc_task_park(MC_FOREVER)); });
        joins_ = spawn([this] { note(mc_task_join(parked_, MC_FOREVER)); });
        // The thread sanitizer's locks do not survive a fork on another thread: none is to wake just then.
        spawn([this] { note(mc_task_sleep(thread_sanitized ? 1000 * ms : 20 * ms)); });
        spawn([this] { note(mc_task_wait_fd(pipe_[0], MC_READABLE, MC_FOREVER, nullptr)); });
        spawn([this] {  // by the time of its turn it is ready
            (void)mc_task_yield();
            note(mc_task_yield());
        });
    }
    ~Sleepers() {
        close(pipe_[0]);
        close(pipe_[1]);
    }
    void start() {
        while (started_ < spawned_) (void)mc_task_yield();
    }
    void release() {
        EXPECT_EQ(1, write(pipe_[1], "x", 1));
        EXPECT_EQ(MC_OK, mc_task_unpark(parked_));
    }
    void expect_ended() const {
        EXPECT_EQ(spawned_, ended_.load());
        EXPECT_EQ(MC_OK, mc_task_result(joins_));
    }

private:
    mc_task* spawn(const std::function<void()>& body) {
        ++spawned_;
        return runtime_.spawn([this, body] {
            ++started_;
            body();
        });
    }
    void note(mc_status status) {
        EXPECT_EQ(MC_OK, status);
        ++ended_;
    }

    Runtime& runtime_;
    int pipe_[2] = {-1, -1};
    int spawned_ = 0;
    std::atomic<int> started_{0}, ended_{0};
    mc_task *parked_ = nullptr, *joins_ = nullptr;
};

// What a working runtime can do, by a task of it.
inline void use(Runtime& runtime) {
    mc_release();
    mc_acquire();
    EXPECT_EQ(MC_OK, mc_task_sleep(ms));
    sections_at_once(runtime, 4);
}

// A gate without a mutex: a child may destroy it although threads of its parent wait there.
class Signal {
public:
    Signal() { EXPECT_EQ(0, sem_init(&semaphore_, 0, 0)); }
    Signal(const Signal&) = delete;
    Signal& operator=(const Signal&) = delete;
    void post() { EXPECT_EQ(0, sem_post(&semaphore_)); }
    void wait() {
        while (sem_wait(&semaphore_) != 0) {
        }
    }

private:
    sem_t semaphore_;
};

// A task that stays in a section on another thread, from the constructor to finish().
class Section {
public:
    explicit Section(Runtime& runtime) {
        mc_task_options options = MC_TASK_OPTIONS_INIT;
        options.data = this;
        options.destroy = [](void* self) { ++static_cast<Section*>(self)->destroyed; };
        EXPECT_EQ(MC_OK, mc_task_spawn(
                             runtime,
                             [](void* self) {
                                 Section& section = *static_cast<Section*>(self);
                                 mc_release();
                                 section.inside_.post();
                                 section.end_.wait();
                                 mc_acquire();
                                 ++section.passed;
                             },
                             this, &options, &task_));
    }
    ~Section() { mc_task_unref(task_); }
    void wait_inside() { inside_.wait(); }
    void finish() { end_.post(); }
    mc_task* task() const { return task_; }

    std::atomic<int> destroyed{0}, passed{0};

private:
    Signal inside_, end_;
    mc_task* task_ = nullptr;
};

// By a task in a section: forks until no other thread was amid its turn with the baton. In the parent, once
// the child has ended, expects its status to be 0.
inline pid_t fork_in_section() {
    constexpr int lost = 77;
    for (;;) {
        const pid_t pid = fork_at_rest();
        if (pid == 0) {
            expect_no_hang();
            if (mc_cancelled() == MC_EFORK) _exit(lost);
            return pid;
        }
        const int status = status_of(pid);
        if (status == lost) continue;
        EXPECT_EQ(0, status);
        return pid;
    }
}

// A task keeps the baton, on another thread, while body runs on this one.
inline void beside_a_holder(Runtime& runtime, const std::function<void(mc_task*)>& body) {
    Gate computes;
    Signal done;
    mc_task* holder = runtime.spawn([&] {
        computes.open();
        done.wait();
    });
    std::thread runner([&] { runtime.run(); });
    computes.wait();
    body(holder);
    done.post();
    runner.join();
}

}  // namespace mctest
