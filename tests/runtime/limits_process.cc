// Threads that cannot be created, stacks that cannot be mapped: nothing is lost, nothing crashes.
// SPDX-License-Identifier: BSL-1.0
#include <thread>
#include <vector>

#include <sys/resource.h>
#include <unistd.h>

#include "testing.h"

namespace {

using mctest::child;
using mctest::Gate;
using mctest::Runtime;

#define MC_CHILD(...) EXPECT_EXIT(child([&] { __VA_ARGS__ }), ::testing::ExitedWithCode(0), "")

// From here on this process cannot create threads.
void forbid_threads() {
    if (geteuid() == 0) {
        ASSERT_EQ(0, setresuid(65534, 65534, 65534));  // the limit does not bind root
    }
    const rlimit none = {0, 0};
    ASSERT_EQ(0, setrlimit(RLIMIT_NPROC, &none));
    EXPECT_THROW(std::thread([] {}), std::system_error);
}

TEST(LimitsDeathTest, WithoutThreadsEverythingStillEnds) {
    MC_CHILD({
        forbid_threads();
        Runtime runtime;
        int ended = 0;
        for (int i = 0; i < 20; ++i)
            runtime.spawn([&] {
                for (int round = 0; round < 20; ++round) {
                    mc_release();
                    mc_acquire();
                    EXPECT_EQ(MC_OK, mc_task_yield());
                }
                EXPECT_EQ(MC_OK, mc_task_sleep(mctest::ms));
                ++ended;
            });
        runtime.run();
        EXPECT_EQ(20, ended);
        EXPECT_EQ(0u, runtime.stats().threads_peak);
        EXPECT_EQ(400u, runtime.stats().sections);
    });
}

TEST(LimitsDeathTest, WithoutThreadsAReadyTaskWaitsForTheSection) {
    MC_CHILD({
        forbid_threads();
        Runtime runtime;
        bool ran = false;
        runtime.run([&] {
            runtime.spawn([&] { ran = true; });
            mc_release();
            mctest::spin(5 * mctest::ms);
            mc_acquire();
            EXPECT_FALSE(ran);
            EXPECT_EQ(MC_OK, mc_task_yield());
            EXPECT_TRUE(ran);
        });
    });
}

TEST(LimitsDeathTest, WithoutCarriersAttachedThreadsTakeALentBaton) {
    MC_CHILD({
        Gate go, in_section;
        Runtime runtime;
        bool attached = false;
        std::thread other([&] {
            go.wait();
            runtime.attached([&] { attached = true; });
            in_section.open();
        });
        forbid_threads();
        runtime.run([&] {
            runtime.spawn([] {});
            mc_release();
            go.open();
            in_section.wait();
            mc_acquire();
            EXPECT_TRUE(attached);
        });
        other.join();
    });
}

TEST(LimitsDeathTest, WithoutCarriersABoundTaskThatWaitsForAnotherIsTold) {
    // Nobody can run the other task: what the wait says is open, but it does not hang with a timeout.
    MC_CHILD({
        forbid_threads();
        Runtime runtime;
        bool ran = false;
        runtime.attached([&] {
            mc_task* other = runtime.spawn([&] { ran = true; });
            EXPECT_NE(MC_EINVAL, mc_task_join(other, 5 * mctest::ms));
        });
        runtime.run();
        EXPECT_TRUE(ran);
    });
}

TEST(LimitsDeathTest, OneThreadIsEnoughForManySections) {
    MC_CHILD({
        mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
        options.max_threads = 1;
        Runtime runtime(options);
        int ended = 0;
        for (int i = 0; i < 64; ++i)
            runtime.spawn([&] {
                for (int round = 0; round < 50; ++round) {
                    mc_release();
                    mctest::spin(static_cast<uint64_t>(round) * 100);
                    mc_acquire();
                }
                ++ended;
            });
        runtime.run();
        EXPECT_EQ(64, ended);
        EXPECT_LE(runtime.stats().threads_peak, 1u);
    });
}

void the_runner_does_the_jobs(std::uint32_t way) {
    forbid_threads();
    mc_host host = MC_HOST_INIT;
    host.way = way;
    Runtime runtime(host);
    int workers[2] = {};
    const auto work = [](void* worker) { *static_cast<int*>(worker) = mctest::thread_id(); };
    const auto done = [](void*, mc_status status) { EXPECT_EQ(MC_OK, status); };
    mc_job* job = nullptr;
    EXPECT_EQ(MC_EAGAIN, mc_job_submit(runtime, work, done, &workers[0], nullptr, &job));
    EXPECT_EQ(nullptr, job);  // nobody was there to do it
    runtime.run([&] {
        mc_job_options options = MC_JOB_OPTIONS_INIT;
        for (int& worker : workers) {
            ASSERT_EQ(MC_OK, mc_job_submit(runtime, work, done, &worker, &options, &job));
            EXPECT_EQ(MC_OK, mc_job_wait(job, MC_FOREVER));
            mc_job_unref(job);
            options.work_class = MC_WORK_IO;
        }
    });
    for (const int worker : workers) EXPECT_EQ(mctest::thread_id(), worker);
    EXPECT_EQ(0u, runtime.stats().threads_peak);
}

TEST(LimitsDeathTest, WithoutThreadsTheRunnerDoesTheJobs) {
    MC_CHILD({ the_runner_does_the_jobs(MC_WAY_LEND); });
    MC_CHILD({ the_runner_does_the_jobs(MC_WAY_SHIP); });
}

#define MC_SKIP_IF_SANITIZED() \
    if (mctest::sanitized) GTEST_SKIP() << "a sanitizer reserves more address space than the limit"

void limit_memory(rlim_t more) {
    // What the process has now, in pages, is the first number.
    std::FILE* statm = std::fopen("/proc/self/statm", "r");
    unsigned long pages = 0;
    ASSERT_EQ(1, std::fscanf(statm, "%lu", &pages));
    std::fclose(statm);
    const rlim_t bytes = static_cast<rlim_t>(pages) * static_cast<rlim_t>(sysconf(_SC_PAGESIZE)) + more;
    const rlimit limit = {bytes, bytes};
    ASSERT_EQ(0, setrlimit(RLIMIT_AS, &limit));
}

TEST(LimitsDeathTest, WithoutMemorySpawnSaysSoAndRecovers) {
    MC_SKIP_IF_SANITIZED();
    MC_CHILD({
        Runtime runtime;
        limit_memory(64 << 20);
        int ran = 0;
        for (int again = 0; again < 2; ++again) {
            mc_task_options options = MC_TASK_OPTIONS_INIT;
            options.stack_size = 4 << 20;
            mc_status status = MC_OK;
            int spawned = 0;
            while (status == MC_OK && spawned < 1000) {
                status = mc_task_spawn(
                    runtime, [](void* count) { ++*static_cast<int*>(count); }, &ran, &options, nullptr);
                spawned += status == MC_OK;
            }
            EXPECT_TRUE(status == MC_ENOMEM || status == MC_EAGAIN) << status;
            EXPECT_GT(spawned, 0);
            ran = 0;
            runtime.run();
            EXPECT_EQ(spawned, ran);
        }
    });
}

TEST(LimitsDeathTest, WithoutMemoryForThreadsSectionsStillEnd) {
    MC_SKIP_IF_SANITIZED();
    MC_CHILD({
        Runtime runtime;
        int ended = 0;
        for (int i = 0; i < 30; ++i)
            runtime.spawn([&] {
                mc_release();
                mctest::spin(mctest::ms);
                mc_acquire();
                ++ended;
            });
        limit_memory(4 << 20);
        runtime.run();
        EXPECT_EQ(30, ended);
    });
}

TEST(LimitsDeathTest, AStackNoMachineHasIsRefused) {
    MC_SKIP_IF_SANITIZED();
    MC_CHILD({
        Runtime runtime;
        mc_task_options options = MC_TASK_OPTIONS_INIT;
        options.stack_size = uint64_t{1} << 60;
        mc_task* out = nullptr;
        const mc_status status = mc_task_spawn(
            runtime, [](void*) {}, nullptr, &options, &out);
        EXPECT_TRUE(status == MC_ENOMEM || status == MC_EAGAIN || status == MC_EINVAL) << status;
        EXPECT_EQ(nullptr, out);
    });
}

}  // namespace
