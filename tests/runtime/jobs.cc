// SPDX-License-Identifier: BSL-1.0
#include <atomic>
#include <deque>
#include <memory>
#include <thread>

#include "testing.h"

namespace {

using mctest::Gate;
using mctest::Runtime;

// A job from lambdas; counts what is called.
struct Job {
    std::function<void()> work;
    std::function<void(mc_status)> done;
    std::atomic<int> worked{0}, dones{0};
    std::atomic<mc_status> status{MC_EAGAIN};
    mc_job* handle = nullptr;
    mc_job_options options = MC_JOB_OPTIONS_INIT;

    explicit Job(std::function<void()> body = [] {}) : work(std::move(body)) {}
    ~Job() { mc_job_unref(handle); }
    Job(const Job&) = delete;
    Job& operator=(const Job&) = delete;

    static void on_work(void* self) {
        auto& job = *static_cast<Job*>(self);
        ++job.worked;
        job.work();
    }
    static void on_done(void* self, mc_status status) {
        auto& job = *static_cast<Job*>(self);
        job.status = status;
        if (job.done) job.done(status);
        ++job.dones;
    }
    mc_status submit(mc_runtime* runtime, bool with_done = true) {
        return mc_job_submit(runtime, on_work, with_done ? on_done : nullptr, this, &options, &handle);
    }
};

TEST(Jobs, WorkHasNoBatonAndDoneHasIt) {
    Runtime runtime;
    Job job;
    int worker = 0;
    job.work = [&] {
        worker = mctest::thread_id();
        EXPECT_EQ(nullptr, mc_task_current());
        EXPECT_EQ(MC_EPERM, mc_task_yield());
        mc_release();  // no task: nothing
        mc_acquire();
    };
    job.done = [&](mc_status status) {
        EXPECT_EQ(MC_OK, status);
        EXPECT_NE(nullptr, mc_task_current());
        const uint64_t before = runtime.stats().sections;
        mc_release();
        mc_acquire();
        EXPECT_EQ(before + 1, runtime.stats().sections);
        EXPECT_EQ(MC_EPERM, mc_task_yield());
        EXPECT_EQ(MC_EPERM, mc_task_sleep(1));
        EXPECT_EQ(MC_EPERM, mc_task_park(0));
        EXPECT_EQ(MC_OK, mc_checkpoint());
    };
    EXPECT_EQ(MC_OK, job.submit(runtime));
    runtime.run();  // until no job is left
    EXPECT_EQ(1, job.worked);
    EXPECT_EQ(1, job.dones);
    EXPECT_NE(mctest::thread_id(), worker);
    EXPECT_EQ(MC_OK, mc_job_wait(job.handle, 0));
    EXPECT_EQ(0u, runtime.stats().tasks_spawned);
}

TEST(Jobs, ATaskThatWaitsLetsOthersRun) {
    Runtime runtime;
    Gate gate;
    Job job([&] { gate.wait(); });
    bool other = false;
    runtime.spawn([&] {
        EXPECT_EQ(MC_OK, job.submit(runtime));
        EXPECT_EQ(MC_ETIMEDOUT, mc_job_wait(job.handle, 0));
        EXPECT_EQ(MC_OK, mc_job_wait(job.handle, MC_FOREVER));
        EXPECT_TRUE(other);
        EXPECT_EQ(1, job.dones);
    });
    runtime.spawn([&] {
        other = true;
        gate.open();
    });
    runtime.run();
}

TEST(Jobs, AThreadThatWaitsBlocks) {
    Runtime runtime;
    Gate gate;
    Job with([&] { gate.wait(); }), without([&] { gate.wait(); });
    EXPECT_EQ(MC_OK, with.submit(runtime));
    EXPECT_EQ(MC_OK, without.submit(runtime, false));
    EXPECT_EQ(MC_ETIMEDOUT, mc_job_wait(with.handle, 0));
    EXPECT_EQ(MC_ETIMEDOUT, mc_job_wait(without.handle, mctest::ms));
    std::thread runner([&] { runtime.run(); });
    std::thread waiter([&] { EXPECT_EQ(MC_OK, mc_job_wait(without.handle, MC_FOREVER)); });
    gate.open(2);
    EXPECT_EQ(MC_OK, mc_job_wait(with.handle, MC_FOREVER));
    waiter.join();
    runner.join();
    EXPECT_EQ(1, with.dones);
    EXPECT_EQ(0, without.dones);
}

// Nobody would call `done`; the work is what counts.
TEST(Jobs, AThreadThatWaitsWithoutADriverWaitsForTheWork) {
    Runtime runtime;
    Job job;
    EXPECT_EQ(MC_OK, job.submit(runtime));
    EXPECT_EQ(MC_OK, mc_job_wait(job.handle, MC_FOREVER));
    EXPECT_EQ(1, job.worked);
    EXPECT_EQ(0, job.dones);
    runtime.run();
    EXPECT_EQ(1, job.dones);
}

// The class has more than it may do at once; then comes one of the other class.
void expect_not_delayed(Runtime& runtime, std::uint32_t full_class, unsigned full,
                        std::uint32_t other_class) {
    Gate gate;
    std::deque<Job> before;
    for (unsigned i = 0; i < full; ++i) {
        Job& job = before.emplace_back([&] { gate.wait(); });
        job.options.work_class = full_class;
        EXPECT_EQ(MC_OK, job.submit(runtime, false));
    }
    Job beside;
    beside.options.work_class = other_class;
    EXPECT_EQ(MC_OK, beside.submit(runtime, false));
    EXPECT_EQ(MC_OK, mc_job_wait(beside.handle, MC_FOREVER));
    gate.open(full);
    for (Job& job : before) EXPECT_EQ(MC_OK, mc_job_wait(job.handle, MC_FOREVER));
}

TEST(Jobs, IoIsNotDelayedByCpuWorkThatIsFull) {
    Runtime runtime;
    expect_not_delayed(runtime, MC_WORK_CPU, 2 * std::thread::hardware_concurrency() + 2, MC_WORK_IO);
}

TEST(Jobs, CpuWorkIsNotDelayedByIoThatIsFull) {
    for (std::uint32_t max_threads : {2u, 3u, 8u}) {
        mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
        options.max_threads = max_threads;
        Runtime runtime(options);
        expect_not_delayed(runtime, MC_WORK_IO, 2 * max_threads, MC_WORK_CPU);
        EXPECT_LE(runtime.stats().threads_peak, max_threads);
    }
}

// One thread for both, and it is taken: the runner, which is idle, is another.
TEST(Jobs, TheRunnerDoesWhatNoCarrierCan) {
    mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
    options.max_threads = 1;
    Runtime runtime(options);
    Gate begun, gate;
    Job first([&] {
        begun.open();
        gate.wait();
    });
    int worker = 0;
    Job second([&] {
        worker = mctest::thread_id();
        EXPECT_EQ(nullptr, mc_task_current());
        gate.open();
    });
    second.options.work_class = MC_WORK_IO;
    EXPECT_EQ(MC_OK, first.submit(runtime));
    begun.wait();
    EXPECT_EQ(MC_OK, second.submit(runtime));
    runtime.run();
    EXPECT_EQ(mctest::thread_id(), worker);
    EXPECT_EQ(1, first.dones);
    EXPECT_EQ(1, second.dones);
    EXPECT_EQ(1u, runtime.stats().threads_peak);
}

TEST(Jobs, IoIsElastic) {
    Runtime runtime;
    constexpr int count = 40;
    Gate here, go_on;
    std::vector<std::unique_ptr<Job>> jobs;
    for (int i = 0; i < count; ++i) {
        jobs.push_back(std::make_unique<Job>([&] {
            here.open();
            go_on.wait();
        }));
        jobs.back()->options.work_class = MC_WORK_IO;
        EXPECT_EQ(MC_OK, jobs.back()->submit(runtime, false));
    }
    for (int i = 0; i < count; ++i) here.wait();  // all at once
    go_on.open(count);
    for (auto& job : jobs) EXPECT_EQ(MC_OK, mc_job_wait(job->handle, MC_FOREVER));
}

TEST(Jobs, CpuWorkIsCapped) {
    Runtime runtime;
    std::atomic<unsigned> now{0}, most{0};
    std::vector<std::unique_ptr<Job>> jobs;
    for (int i = 0; i < 200; ++i) {
        jobs.push_back(std::make_unique<Job>([&] {
            const unsigned mine = ++now;
            unsigned seen = most;
            while (mine > seen && !most.compare_exchange_weak(seen, mine)) {
            }
            std::this_thread::yield();
            --now;
        }));
        EXPECT_EQ(MC_OK, jobs.back()->submit(runtime, false));
    }
    for (auto& job : jobs) EXPECT_EQ(MC_OK, mc_job_wait(job->handle, MC_FOREVER));
    EXPECT_LE(most, std::thread::hardware_concurrency());
}

// However many wait: a thread that could only wait, too, is not started.
TEST(Jobs, ThoseThatWaitStartNoThreads) {
    mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
    options.max_threads = 2;  // one piece of CPU work at a time
    Runtime runtime(options);
    Gate working, go_on;
    Job first([&] {
        working.open();
        go_on.wait();
    });
    EXPECT_EQ(MC_OK, first.submit(runtime, false));
    working.wait();
    std::deque<Job> waiting(20);
    for (Job& job : waiting) EXPECT_EQ(MC_OK, job.submit(runtime, false));
    EXPECT_EQ(1u, runtime.stats().threads_peak);
    go_on.open();
    for (Job& job : waiting) EXPECT_EQ(MC_OK, mc_job_wait(job.handle, MC_FOREVER));
    EXPECT_EQ(1u, runtime.stats().threads_peak);
}

TEST(Jobs, TheQueueIsBounded) {
    mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
    options.max_threads = 1;
    options.job_queue_limit = 2;
    Runtime runtime(options);
    Gate begun, gate;
    Job first([&] {
        begun.open();
        gate.wait();
    });
    Job second, third, fourth;
    EXPECT_EQ(MC_OK, first.submit(runtime, false));
    begun.wait();
    EXPECT_EQ(MC_OK, second.submit(runtime, false));
    EXPECT_EQ(MC_OK, third.submit(runtime, false));
    EXPECT_EQ(MC_EAGAIN, fourth.submit(runtime, false));
    EXPECT_EQ(nullptr, fourth.handle);
    gate.open();
    EXPECT_EQ(MC_OK, mc_job_wait(third.handle, MC_FOREVER));
    EXPECT_EQ(MC_OK, fourth.submit(runtime, false));
    EXPECT_EQ(MC_OK, mc_job_wait(fourth.handle, MC_FOREVER));
    EXPECT_EQ(1, fourth.worked);
}

TEST(Jobs, CancelledBeforeItsWorkItIsNotDone) {
    mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
    options.max_threads = 1;
    Runtime runtime(options);
    Gate begun, gate;
    Job blocker([&] {
        begun.open();
        gate.wait();
    });
    Job job;
    EXPECT_EQ(MC_OK, blocker.submit(runtime, false));
    begun.wait();
    EXPECT_EQ(MC_OK, job.submit(runtime));
    EXPECT_EQ(MC_EBUSY, mc_job_cancel(blocker.handle));  // at work, without unblock
    EXPECT_EQ(MC_OK, mc_job_cancel(job.handle));
    EXPECT_EQ(MC_OK, mc_job_cancel(job.handle));
    gate.open();
    runtime.run();
    EXPECT_EQ(0, job.worked);
    EXPECT_EQ(1, job.dones);
    EXPECT_EQ(MC_ECANCELED, job.status);
    EXPECT_EQ(MC_ECANCELED, mc_job_wait(job.handle, 0));
    EXPECT_EQ(MC_OK, mc_job_wait(blocker.handle, 0));
    EXPECT_EQ(MC_OK, mc_job_cancel(blocker.handle));  // over: nothing changes
    EXPECT_EQ(MC_OK, mc_job_wait(blocker.handle, 0));
}

TEST(Jobs, CancelledAtWorkItIsUnblocked) {
    Runtime runtime;
    Gate begun, gate;
    Job job([&] {
        begun.open();
        gate.wait();
    });
    job.options.unblock = [](void* arg) { static_cast<Gate*>(arg)->open(); };
    job.options.unblock_arg = &gate;
    EXPECT_EQ(MC_OK, job.submit(runtime));
    begun.wait();
    EXPECT_EQ(MC_OK, mc_job_cancel(job.handle));
    runtime.run();
    EXPECT_EQ(1, job.dones);
    EXPECT_EQ(MC_ECANCELED, job.status);
    EXPECT_FALSE(gate.opened());  // once
}

TEST(Jobs, ADeadlineUnblocksTheWork) {
    Runtime runtime;
    Gate gate;
    Job job([&] { gate.wait(); });
    job.options.unblock = [](void* arg) { static_cast<Gate*>(arg)->open(); };
    job.options.unblock_arg = &gate;
    job.options.deadline = 2 * mctest::ms;
    EXPECT_EQ(MC_OK, job.submit(runtime, false));
    EXPECT_EQ(MC_ECANCELED, mc_job_wait(job.handle, MC_FOREVER));
}

TEST(Jobs, ADeadlineEndsOneThatStillWaits) {
    mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
    options.max_threads = 2;
    Runtime runtime(options);
    Gate gate;
    Job blocker([&] { gate.wait(); });
    Job job;
    job.options.deadline = mctest::ms;
    EXPECT_EQ(MC_OK, blocker.submit(runtime, false));
    EXPECT_EQ(MC_OK, job.submit(runtime, false));
    EXPECT_EQ(MC_ECANCELED, mc_job_wait(job.handle, MC_FOREVER));
    EXPECT_EQ(0, job.worked);
    gate.open();
    EXPECT_EQ(MC_OK, mc_job_wait(blocker.handle, MC_FOREVER));
}

TEST(Jobs, ShutdownEndsThoseThatWaitAndWaitsForTheOthers) {
    mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
    options.max_threads = 2;  // one for CPU work, one for tasks
    Runtime runtime(options);
    Gate begun, gate;
    Job first([&] {
        begun.open();
        gate.wait();
    });
    Job second;
    EXPECT_EQ(MC_OK, first.submit(runtime));
    begun.wait();
    second.done = [&](mc_status) { gate.open(); };
    EXPECT_EQ(MC_OK, second.submit(runtime));
    EXPECT_EQ(MC_OK, mc_runtime_shutdown(runtime, MC_FOREVER));
    EXPECT_EQ(MC_OK, first.status);
    EXPECT_EQ(1, first.dones);
    EXPECT_EQ(MC_ESHUTDOWN, second.status);
    EXPECT_EQ(1, second.dones);
    EXPECT_EQ(0, second.worked);
    Job third;
    EXPECT_EQ(MC_ESHUTDOWN, third.submit(runtime));
}

TEST(Jobs, OneThatOutlastsTheShutdownIsAStraggler) {
    Runtime runtime;
    Gate begun, gate;
    Job job([&] {
        begun.open();
        gate.wait();
    });
    EXPECT_EQ(MC_OK, job.submit(runtime));
    begun.wait();
    const int with_its_thread = mctest::process_threads();
    EXPECT_EQ(MC_ETIMEDOUT, mc_runtime_shutdown(runtime, 0));
    EXPECT_EQ(1u, runtime.take_reports().size());
    EXPECT_EQ(MC_ESHUTDOWN, mc_job_wait(job.handle, MC_FOREVER));
    runtime.destroy();
    gate.open();
    while (mctest::process_threads() >= with_its_thread) std::this_thread::yield();
    EXPECT_EQ(0, job.dones);  // its work still used what `done` may free
}

TEST(Jobs, BadArguments) {
    Runtime runtime;
    EXPECT_EQ(MC_EINVAL, mc_job_submit(
                             nullptr, [](void*) {}, nullptr, nullptr, nullptr, nullptr));
    EXPECT_EQ(MC_EINVAL, mc_job_submit(runtime, nullptr, nullptr, nullptr, nullptr, nullptr));
    Job job;
    job.options.work_class = 7;
    EXPECT_EQ(MC_EINVAL, job.submit(runtime));
    job.options = MC_JOB_OPTIONS_INIT;
    job.options.size = 3;
    EXPECT_EQ(MC_EINVAL, job.submit(runtime));
    EXPECT_EQ(MC_EINVAL, mc_job_wait(nullptr, 0));
    EXPECT_EQ(MC_EINVAL, mc_job_cancel(nullptr));
    EXPECT_EQ(nullptr, mc_job_ref(nullptr));
    mc_job_unref(nullptr);
}

TEST(Jobs, ManyAtOnce) {
    Runtime runtime;
    std::atomic<int> worked{0};
    int dones = 0;
    struct Both {
        std::atomic<int>& worked;
        int& dones;
    } both{worked, dones};
    constexpr int count = 5000;
    for (int i = 0; i < count; ++i) {
        mc_job_options options = MC_JOB_OPTIONS_INIT;
        options.work_class = i % 2 ? MC_WORK_IO : MC_WORK_CPU;
        ASSERT_EQ(MC_OK, mc_job_submit(
                             runtime, [](void* arg) { ++static_cast<Both*>(arg)->worked; },
                             [](void* arg, mc_status) { ++static_cast<Both*>(arg)->dones; }, &both, &options,
                             nullptr));
    }
    runtime.run();
    EXPECT_EQ(count, worked);
    EXPECT_EQ(count, dones);
}

}  // namespace
