// Runtimes from creation to destruction, with all that a runtime can own. What is checked here is what is
// left: a leak checker looks when the program ends (valgrind.lifetime, and the address sanitizer).
// SPDX-License-Identifier: BSL-1.0
#include <atomic>
#include <thread>
#include <vector>

#include <unistd.h>

#include "shipping.h"
#include "testing.h"

namespace {

using mctest::Gate;
using mctest::Runtime;

constexpr int rounds = 3;  // what is left by each is more than what is left once

// Threads that have not quite ended own memory.
class Lifetime : public ::testing::Test {
protected:
    void SetUp() override {
        std::thread([] {}).join();  // a sanitizer may start a thread of its own beside the first
        threads_ = mctest::process_threads();
    }
    void TearDown() override {
        while (mctest::process_threads() > threads_) std::this_thread::yield();
    }

private:
    int threads_ = 0;
};

mc_task* spawn_section(Runtime& runtime, Gate& inside, Gate& end) {
    return runtime.spawn([&] {
        mc_release();
        inside.open();
        end.wait();
        mc_acquire();
    });
}

void wait_in_section(Gate& gate, int count = 1) {
    mc_release();
    for (int i = 0; i < count; ++i) gate.wait();
    mc_acquire();
}

TEST_F(Lifetime, OfAllWaysToWait) {
    int pipe_ends[2];
    ASSERT_EQ(0, pipe(pipe_ends));
    for (int round = 0; round < rounds; ++round) {
        Runtime runtime;
        EXPECT_GE(mc_runtime_event_fd(runtime), 0);
        Gate inside, end;
        mc_task* parked = runtime.spawn([] { EXPECT_EQ(MC_OK, mc_task_park(MC_FOREVER)); });
        runtime.spawn([&] {
            std::uint32_t ready = 0;
            EXPECT_EQ(MC_OK, mc_task_wait_fd(pipe_ends[0], MC_READABLE, MC_FOREVER, &ready));
            char byte = 0;
            EXPECT_EQ(1, read(pipe_ends[0], &byte, 1));
        });
        for (int i = 0; i < 4; ++i) spawn_section(runtime, inside, end);
        runtime.spawn([] { EXPECT_EQ(MC_OK, mc_task_sleep(mctest::ms)); });
        runtime.spawn([parked] { EXPECT_EQ(MC_OK, mc_task_join(parked, MC_FOREVER)); });
        runtime.spawn([] { EXPECT_EQ(MC_ETIMEDOUT, mc_task_park(mctest::ms)); });
        runtime.run([&] {
            wait_in_section(inside, 4);
            EXPECT_EQ(MC_OK, mc_task_unpark(parked));
            EXPECT_EQ(1, write(pipe_ends[1], "x", 1));
            mc_section_options options = MC_SECTION_OPTIONS_INIT;
            options.deadline = mctest::hang_seconds() * 1000 * mctest::ms;
            EXPECT_EQ(MC_OK, mc_release_with(&options));
            end.open(4);
            mc_acquire();
            EXPECT_EQ(MC_OK, mc_task_sleep(2 * mctest::ms));
        });
    }
    close(pipe_ends[0]);
    close(pipe_ends[1]);
}

TEST_F(Lifetime, OfJobs) {
    for (int round = 0; round < rounds; ++round) {
        Runtime runtime;
        Gate at_work, end;
        struct Shared {
            Gate &at_work, &end;
        } shared{at_work, end};
        runtime.run([&] {
            const auto work = [](void* arg) {
                static_cast<Shared*>(arg)->at_work.open();
                static_cast<Shared*>(arg)->end.wait();
            };
            const auto done = [](void*, mc_status) {};
            mc_job_options options = MC_JOB_OPTIONS_INIT;
            options.work_class = MC_WORK_IO;
            std::vector<mc_job*> jobs(8);
            for (mc_job*& job : jobs) {
                ASSERT_EQ(MC_OK, mc_job_submit(runtime, work, done, &shared, &options, &job));
            }
            ASSERT_EQ(MC_OK, mc_job_submit(runtime, work, nullptr, &shared, &options, nullptr));
            Gate deadline_passed;
            const auto wait = [](void* gate) { static_cast<Gate*>(gate)->wait(); };
            options.deadline = mctest::ms;
            options.unblock = [](void* gate) { static_cast<Gate*>(gate)->open(); };
            options.unblock_arg = &deadline_passed;
            mc_job*& late = jobs.emplace_back();
            ASSERT_EQ(MC_OK, mc_job_submit(runtime, wait, done, &deadline_passed, &options, &late));
            EXPECT_EQ(MC_ECANCELED, mc_job_wait(late, MC_FOREVER));
            wait_in_section(at_work, 9);
            EXPECT_EQ(MC_EBUSY, mc_job_cancel(jobs[0]));
            end.open(9);
            for (mc_job* job : jobs) {
                EXPECT_EQ(job == late ? MC_ECANCELED : MC_OK, mc_job_wait(job, MC_FOREVER));
                mc_job_unref(job);
            }
        });
    }
}

// By a loop that dispatches, for a host that stays on its home thread.
TEST_F(Lifetime, OfSectionsThatShipAndJobsOfBothClasses) {
    for (int round = 0; round < rounds; ++round) {
        Runtime runtime(mctest::shipping());
        mctest::Loop loop(runtime);
        Gate inside, end;
        struct Shared {
            std::atomic<int> worked{0};
            int dones = 0;
        } shared;
        for (int i = 0; i < 3; ++i)
            runtime.spawn([&] {
                mctest::release_migratable();
                inside.open();
                end.wait();
                EXPECT_EQ(MC_OK, mc_enter());
                EXPECT_EQ(MC_OK, mc_leave());
                mc_acquire();
                EXPECT_EQ(MC_OK, mc_task_sleep(mctest::ms));
            });
        mc_task* abandoned = runtime.spawn([&] {
            mctest::release_migratable();
            inside.open();
            end.wait();
            mc_acquire();
            ADD_FAILURE() << "an abandoned task went on";
        });
        const auto work = [](void* arg) { ++static_cast<Shared*>(arg)->worked; };
        const auto done = [](void* arg, mc_status) { ++static_cast<Shared*>(arg)->dones; };
        for (int i = 0; i < 8; ++i) {
            mc_job_options options = MC_JOB_OPTIONS_INIT;
            options.work_class = i % 2 ? MC_WORK_IO : MC_WORK_CPU;
            EXPECT_EQ(MC_OK, mc_job_submit(runtime, work, done, &shared, &options, nullptr));
        }
        loop.turn_until_idle();
        for (int i = 0; i < 4; ++i) inside.wait();
        EXPECT_EQ(MC_OK, mc_task_cancel(abandoned, MC_CANCEL_ABANDON));
        end.open(4);
        loop.turn_until([&] { return runtime.stats().tasks_alive == 0 && shared.dones == 8; });
        EXPECT_EQ(8, shared.worked);
    }
}

TEST_F(Lifetime, OfWhatIsCancelledAndAbandoned) {
    for (int round = 0; round < rounds; ++round) {
        Runtime runtime;
        Gate inside, end;
        std::atomic<int> destroyed{0};
        mc_task_options options = MC_TASK_OPTIONS_INIT;
        options.data = &destroyed;
        options.destroy = [](void* data) { static_cast<std::atomic<int>*>(data)->fetch_add(1); };
        runtime.run([&] {
            mc_task *never_ran = nullptr, *sleeper = nullptr, *parked = nullptr;
            const auto sleep = [](void*) { (void)mc_task_sleep(MC_FOREVER); };
            const auto park = [](void*) { (void)mc_task_park(MC_FOREVER); };
            ASSERT_EQ(MC_OK, mc_task_spawn(runtime, sleep, nullptr, &options, &sleeper));
            ASSERT_EQ(MC_OK, mc_task_spawn(runtime, park, nullptr, &options, &parked));
            mc_task* in_section = spawn_section(runtime, inside, end);
            wait_in_section(inside);
            ASSERT_EQ(MC_OK, mc_task_spawn(runtime, sleep, nullptr, &options, &never_ran));
            EXPECT_EQ(MC_OK, mc_task_cancel(never_ran, MC_CANCEL_SAFE));
            EXPECT_EQ(MC_OK, mc_task_cancel(sleeper, MC_CANCEL_SAFE));
            EXPECT_EQ(MC_OK, mc_task_cancel(parked, MC_CANCEL_ABANDON));
            EXPECT_EQ(MC_OK, mc_task_cancel(in_section, MC_CANCEL_ABANDON));
            EXPECT_EQ(MC_OK, mc_task_join(in_section, MC_FOREVER));
            EXPECT_EQ(MC_OK, mc_task_join(sleeper, MC_FOREVER));
            EXPECT_EQ(MC_OK, mc_task_interrupt(mc_task_current(), nullptr));
            void* payload = &runtime;
            EXPECT_EQ(MC_OK, mc_task_take_interrupt(mc_task_current(), &payload));
            end.open();
            for (mc_task* task : {never_ran, sleeper, parked}) mc_task_unref(task);
        });
        EXPECT_EQ(3, destroyed.load());
    }
}

TEST_F(Lifetime, OfThreadsThatAttach) {
    Runtime one, two;
    for (int round = 0; round < rounds; ++round) {
        std::vector<std::thread> threads;
        for (int i = 0; i < 4; ++i)
            threads.emplace_back([&, i] {
                Runtime& mine = i % 2 ? one : two;
                mine.attached([&] {
                    mc_task* task = mine.spawn([] {
                        mc_release();
                        mc_acquire();
                    });
                    EXPECT_EQ(MC_OK, mc_task_join(task, MC_FOREVER));
                });
            });
        one.attached([&] { EXPECT_EQ(MC_ETIMEDOUT, mc_task_park(mctest::ms)); });
        for (std::thread& thread : threads) thread.join();
    }
}

// A wait for the baton that timed out stays in the line until that is looked at, or is destroyed.
TEST_F(Lifetime, OfAttachmentsThatTimedOut) {
    for (int round = 0; round < rounds; ++round) {
        Runtime runtime;
        runtime.attached([&] {
            std::thread([&] {
                EXPECT_EQ(MC_ETIMEDOUT, mc_attach(runtime, nullptr, 0, nullptr));
                EXPECT_EQ(MC_ETIMEDOUT, mc_attach(runtime, nullptr, mctest::ms, nullptr));
            }).join();
        });
    }
}

void count_report(void* count, const mc_misuse*) { ++*static_cast<int*>(count); }

TEST_F(Lifetime, OfAShutdownAndItsStragglers) {
    for (int round = 0; round < rounds; ++round) {
        Gate inside, end, over;
        struct Shared {
            Gate &inside, &end, &over;
        } shared{inside, end, over};
        const auto straggle = [](void* arg) {
            Shared& gates = *static_cast<Shared*>(arg);
            mc_release();
            gates.inside.open();
            gates.end.wait();
            gates.over.open();
            mc_acquire();
            ADD_FAILURE() << "a straggler went on";
        };
        int reports = 0;
        mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
        options.misuse = count_report;
        options.arg = &reports;
        mc_runtime* runtime = nullptr;
        ASSERT_EQ(MC_OK, mc_runtime_create(&options, &runtime));
        ASSERT_EQ(MC_OK, mc_attach(runtime, nullptr, MC_FOREVER, nullptr));
        for (int i = 0; i < 3; ++i) {
            ASSERT_EQ(MC_OK, mc_task_spawn(runtime, straggle, &shared, nullptr, nullptr));
        }
        const auto sleep = [](void*) { (void)mc_task_sleep(MC_FOREVER); };
        ASSERT_EQ(MC_OK, mc_task_spawn(runtime, sleep, nullptr, nullptr, nullptr));
        wait_in_section(inside, 3);
        EXPECT_EQ(MC_ETIMEDOUT, mc_runtime_shutdown(runtime, mctest::ms));
        EXPECT_EQ(1, reports);
        EXPECT_EQ(MC_OK, mc_detach());
        EXPECT_EQ(MC_OK, mc_runtime_destroy(runtime));
        end.open(3);
        for (int i = 0; i < 3; ++i) over.wait();
    }
}

}  // namespace
