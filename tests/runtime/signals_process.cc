// Signals: whatever the library blocks in, a handler that interrupts it changes nothing; nor does stopping
// the whole process. And which threads handlers run on. SPDX-License-Identifier: BSL-1.0
#include <atomic>
#include <thread>

#include <dirent.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "testing.h"

namespace {

using mctest::child;
using mctest::Gate;
using mctest::Runtime;

constexpr std::uint64_t a_while = 10 * mctest::ms;

// ---- everything that blocks ----

void submit(Runtime& runtime, std::atomic<int>& done, mc_job** out) {
    mc_job_options options = MC_JOB_OPTIONS_INIT;
    options.work_class = MC_WORK_IO;
    EXPECT_EQ(MC_OK,
              mc_job_submit(
                  runtime, [](void*) { std::this_thread::sleep_for(std::chrono::nanoseconds(a_while)); },
                  [](void* count, mc_status status) {
                      EXPECT_EQ(MC_OK, status);
                      static_cast<std::atomic<int>*>(count)->fetch_add(1);
                  },
                  &done, &options, out));
}

void expect_to_last(const std::function<void()>& wait) {
    const std::uint64_t start = mc_now();
    wait();
    EXPECT_LE(start + a_while, mc_now());
}

// By a task, bound or not.
void suspend_in_all_ways(Runtime& runtime) {
    expect_to_last([] { EXPECT_EQ(MC_OK, mc_task_sleep(a_while)); });
    expect_to_last([] { EXPECT_EQ(MC_ETIMEDOUT, mc_task_park(a_while)); });
    int ends[2];
    ASSERT_EQ(0, pipe(ends));
    std::uint32_t ready = 0;
    expect_to_last([&] { EXPECT_EQ(MC_ETIMEDOUT, mc_task_wait_fd(ends[0], MC_READABLE, a_while, &ready)); });
    mc_task* other = runtime.spawn([&] {
        EXPECT_EQ(MC_OK, mc_task_sleep(a_while));
        EXPECT_EQ(1, write(ends[1], "x", 1));
        EXPECT_EQ(MC_OK, mc_task_sleep(a_while));
    });
    EXPECT_EQ(MC_OK, mc_task_wait_fd(ends[0], MC_READABLE, MC_FOREVER, &ready));
    EXPECT_EQ(static_cast<std::uint32_t>(MC_READABLE), ready);
    EXPECT_EQ(MC_OK, mc_task_join(other, MC_FOREVER));
    std::atomic<int> done{0};
    mc_job* job = nullptr;
    submit(runtime, done, &job);
    EXPECT_EQ(MC_OK, mc_job_wait(job, MC_FOREVER));
    mc_job_unref(job);
    EXPECT_EQ(1, done.load());
    close(ends[0]);
    close(ends[1]);
}

void dispatch_until(Runtime& runtime, const std::atomic<bool>& over) {
    pollfd watched{mc_runtime_event_fd(runtime), POLLIN, 0};
    while (!over.load()) {
        (void)poll(&watched, 1, 1000);  // EINTR: looks again
        EXPECT_GE(mc_runtime_dispatch(runtime, 0), 0);
    }
}

void block_in_everything() {
    Runtime runtime;
    constexpr int sections = 20, threads = 4;
    std::atomic<int> returned{0}, done{0};
    std::atomic<bool> over{false};

    runtime.run([&] { suspend_in_all_ways(runtime); });       // the runner sleeps meanwhile
    runtime.attached([&] { suspend_in_all_ways(runtime); });  // carriers run the others
    // Sections that return to a baton which is held: acquires that wait.
    for (int i = 0; i < threads; ++i)
        runtime.spawn([&] {
            for (int round = 0; round < sections; ++round) {
                mc_release();
                std::this_thread::sleep_for(std::chrono::microseconds(100));
                mc_acquire();
                mctest::spin(100 * mctest::us);
                ++returned;
            }
        });
    runtime.spawn([&] {
        EXPECT_EQ(MC_OK, mc_task_sleep(2 * a_while));
        over.store(true);
    });
    dispatch_until(runtime, over);
    runtime.run();
    EXPECT_EQ(threads * sections, returned.load());

    // Threads that wait for the baton, and for a job.
    runtime.attached([&] {
        std::thread([&] {
            expect_to_last([&] { EXPECT_EQ(MC_ETIMEDOUT, mc_attach(runtime, nullptr, a_while, nullptr)); });
        }).join();
        mc_job* job = nullptr;
        submit(runtime, done, &job);
        mc_release();
        EXPECT_EQ(MC_OK, mc_job_wait(job, MC_FOREVER));
        mc_job_unref(job);
        mc_acquire();
    });
    EXPECT_EQ(1, done.load());

    // Shutdown waits for a section, destroy for idle carriers.
    Gate inside, end;
    mc_task* last = runtime.spawn([&] {
        mc_release();
        inside.open();
        end.wait();
        mc_acquire();
    });
    runtime.attached([&] {
        mc_release();
        inside.wait();
        mc_acquire();
    });
    std::thread later([&] {
        std::this_thread::sleep_for(std::chrono::nanoseconds(a_while));
        end.open();
    });
    EXPECT_EQ(MC_OK, mc_runtime_shutdown(runtime, MC_FOREVER));
    later.join();
    EXPECT_EQ(MC_ECANCELED, mc_task_result(last));
    runtime.destroy();
}

// ---- what disturbs ----

std::atomic<int> handled{0};

// Every thread of the process gets a signal each millisecond. No SA_RESTART: its system calls end with EINTR.
class Pest {
public:
    Pest() {
        struct sigaction action = {};
        action.sa_handler = [](int) { handled.fetch_add(1); };
        EXPECT_EQ(0, sigaction(SIGUSR1, &action, nullptr));
        thread_ = std::thread([this] { run(); });
    }
    ~Pest() {
        over_.store(true);
        thread_.join();
    }

private:
    void run() {
        while (!over_.load()) {
            DIR* threads = opendir("/proc/self/task");
            while (const dirent* entry = readdir(threads)) {
                const int thread = std::atoi(entry->d_name);
                if (thread != 0 && thread != mctest::thread_id())
                    (void)syscall(SYS_tgkill, getpid(), thread, SIGUSR1);
            }
            closedir(threads);
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
    }
    std::atomic<bool> over_{false};
    std::thread thread_;
};

TEST(SignalsDeathTest, CutNothingShort) {
    EXPECT_EXIT(child([] {
                    {
                        Pest pest;
                        block_in_everything();
                    }
                    EXPECT_GT(handled.load(), 0);
                }),
                ::testing::ExitedWithCode(0), "");
}

// A process that stops this one and lets it go on, for as long as it lives.
void be_stopped_again_and_again() {
    const pid_t victim = getpid();
    if (fork() != 0) return;
    while (getppid() == victim) {
        kill(victim, SIGSTOP);
        usleep(2000);
        kill(victim, SIGCONT);
        usleep(2000);
    }
    _exit(0);
}

TEST(SignalsDeathTest, StoppingTheProcessLosesNothing) {
    EXPECT_EXIT(child([] {
                    be_stopped_again_and_again();
                    for (int i = 0; i < 3; ++i) block_in_everything();
                }),
                ::testing::ExitedWithCode(0), "");
}

// ---- who handles them ----

std::atomic<int> handler_ran_on{0};
sem_t handler_ran;

void handle_and_tell(int) {
    handler_ran_on.store(mctest::thread_id());
    sem_post(&handler_ran);
}

void set_blocked(int how, int signal) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    EXPECT_EQ(0, pthread_sigmask(how, &set, nullptr));
}

// With a carrier in a section, in a runtime whose creator has the signal blocked, or not.
void handle_beside_carriers(int how, const std::function<void(int carrier)>& body) {
    struct sigaction action = {};
    action.sa_handler = handle_and_tell;
    ASSERT_EQ(0, sem_init(&handler_ran, 0, 0));
    ASSERT_EQ(0, sigaction(SIGUSR2, &action, nullptr));
    set_blocked(how, SIGUSR2);
    Runtime runtime;
    set_blocked(SIG_BLOCK, SIGUSR2);
    runtime.attached([&] {
        if (how == SIG_BLOCK) mctest::sections_at_once(runtime, 4);  // others would handle it until they idle
        Gate inside, end;
        std::atomic<int> carrier{0};
        mc_task* task = runtime.spawn([&] {
            mc_release();
            carrier.store(mctest::thread_id());
            inside.open();
            end.wait();
            mc_acquire();
        });
        mc_release();
        inside.wait();
        body(carrier.load());
        end.open();
        mc_acquire();
        EXPECT_EQ(MC_OK, mc_task_join(task, MC_FOREVER));
    });
}

void expect_handler_on(int thread) {
    for (int i = 0; i < 20; ++i) {
        EXPECT_EQ(0, kill(getpid(), SIGUSR2));
        while (sem_wait(&handler_ran) != 0) {
        }
        EXPECT_EQ(thread, handler_ran_on.load());
    }
}

TEST(SignalsDeathTest, WhatTheCreatorBlocksNoCarrierHandles) {
    EXPECT_EXIT(child([] {
                    handle_beside_carriers(SIG_BLOCK, [](int) {
                        std::thread([] {
                            set_blocked(SIG_UNBLOCK, SIGUSR2);
                            expect_handler_on(mctest::thread_id());
                        }).join();
                    });
                }),
                ::testing::ExitedWithCode(0), "");
}

TEST(SignalsDeathTest, WhatItDoesNotBlockIsHandledByThoseAtWork) {
    if (mctest::thread_sanitized)
        GTEST_SKIP()
            << "this sanitizer keeps a signal that comes just before its thread blocks until that goes on";
    EXPECT_EXIT(
        child([] { handle_beside_carriers(SIG_UNBLOCK, [](int carrier) { expect_handler_on(carrier); }); }),
        ::testing::ExitedWithCode(0), "");
}

}  // namespace
