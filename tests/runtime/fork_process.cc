// fork(): what lives on in the child, what ends there, and that the parent does not notice.
// SPDX-License-Identifier: BSL-1.0
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <deque>
#include <thread>

#include <spawn.h>
#include <unistd.h>

#include "forking.h"

namespace {

using mctest::beside_a_holder;
using mctest::expect_no_hang;
using mctest::fork_at_rest;
using mctest::fork_in_section;
using mctest::forked;
using mctest::Gate;
using mctest::leave_fork;
using mctest::ms;
using mctest::Runtime;
using mctest::Section;
using mctest::sections_at_once;
using mctest::Sleepers;
using mctest::status_of;
using mctest::use;

class ForkInDeathTest : public mctest::InTask {};
MC_IN_EACH_KIND(ForkInDeathTest);

TEST_P(ForkInDeathTest, SuspendedTasksLiveOnInBoth) {
    EXPECT_CHILD([&] {
        Runtime runtime;
        Sleepers sleepers(runtime);
        pid_t pid = -1;
        in_task(runtime, [&] {
            sleepers.start();
            pid = fork_at_rest();
            if (pid == 0) expect_no_hang();
            sleepers.release();
            use(runtime);
        });
        sleepers.expect_ended();
        runtime.destroy();
        if (pid == 0) leave_fork();
        EXPECT_EQ(0, status_of(pid));
    });
}

// The section's own thread forks, and nobody had taken the baton.
TEST_P(ForkInDeathTest, ASectionGoesOnInBoth) {
    EXPECT_CHILD([&] {
        Runtime runtime;
        pid_t pid = -1;
        in_task(runtime, [&] {
            mc_release();
            pid = fork_at_rest();
            if (pid == 0) expect_no_hang();
            EXPECT_EQ(MC_OK, mc_cancelled());
            mc_acquire();
            EXPECT_EQ(0u, runtime.stats().longest_wait);  // it had not been taken
            use(runtime);
        });
        runtime.destroy();
        if (pid == 0) leave_fork();
        EXPECT_EQ(0, status_of(pid));
    });
}

TEST_P(ForkInDeathTest, SectionsOnOtherThreadsEndInTheChildOnly) {
    for (const int count : {1, 50})
        EXPECT_CHILD([&] {
            Runtime runtime;
            pid_t pid = -1;
            std::deque<Section> sections;
            in_task(runtime, [&] {
                for (int i = 0; i < count; ++i) sections.emplace_back(runtime);
                mc_release();
                for (Section& section : sections) section.wait_inside();
                mc_acquire();
                pid = fork_at_rest();
                if (pid == 0) {
                    expect_no_hang();
                    EXPECT_EQ(1, mctest::process_threads());
                    EXPECT_EQ(0u, runtime.stats().threads);
                    for (Section& section : sections) {
                        EXPECT_EQ(MC_OK, mc_task_join(section.task(), MC_FOREVER));
                        EXPECT_EQ(MC_EFORK, mc_task_result(section.task()));
                    }
                } else {
                    for (Section& section : sections) section.finish();
                }
                use(runtime);
            });
            for (Section& section : sections) {
                EXPECT_EQ(pid == 0 ? 0 : 1, section.passed.load());
                EXPECT_EQ(1, section.destroyed.load());
                EXPECT_EQ(pid == 0 ? MC_EFORK : MC_OK, mc_task_result(section.task()));
            }
            EXPECT_EQ(0u, runtime.stats().tasks_alive);
            runtime.destroy();
            if (pid == 0) leave_fork();
            EXPECT_EQ(0, status_of(pid));
        });
}

// The forking section's lend was taken, and the one who took it lends, too.
TEST_P(ForkInDeathTest, InASectionAmongSections) {
    EXPECT_CHILD([&] {
        Runtime runtime;
        pid_t pid = -1;
        Section* other = nullptr;
        in_task(runtime, [&] {
            other = new Section(runtime);
            mc_release();
            other->wait_inside();
            pid = fork_in_section();
            if (pid != 0) other->finish();
            Gate ran;  // a section that goes on lets others in
            runtime.spawn([&] { ran.open(); });
            ran.wait();
            mc_acquire();
            use(runtime);
            EXPECT_EQ(MC_OK, mc_task_join(other->task(), MC_FOREVER));
            EXPECT_EQ(pid == 0 ? MC_EFORK : MC_OK, mc_task_result(other->task()));
        });
        delete other;
        runtime.destroy();
        if (pid == 0) leave_fork();
    });
}

TEST_P(ForkInDeathTest, ThePoolIsEmptyAndGrowsOnUse) {
    EXPECT_CHILD([&] {
        Runtime runtime;
        pid_t pid = -1;
        in_task(runtime, [&] {
            sections_at_once(runtime, 6);
            EXPECT_LT(0u, runtime.stats().threads);  // idle, or on their way to
            pid = fork_at_rest();
            if (pid == 0) {
                expect_no_hang();
                EXPECT_EQ(0u, runtime.stats().threads);
                EXPECT_EQ(1, mctest::process_threads());
            }
            sections_at_once(runtime, 6);
            EXPECT_LT(0u, runtime.stats().threads);
        });
        runtime.destroy();
        if (pid == 0) leave_fork();
        EXPECT_EQ(0, status_of(pid));
    });
}

// Whoever looked after the reactor is not there, and a task that never suspends has to.
TEST_P(ForkInDeathTest, TimersGoOnBesideATaskThatComputes) {
    EXPECT_CHILD([&] {
        Runtime runtime;
        pid_t pid = -1;
        std::atomic<bool> slept{false};
        runtime.spawn([&] {
            (void)mc_task_sleep(50 * ms);  // longer than until the fork
            slept.store(true);
        });
        in_task(runtime, [&] {
            (void)mc_task_yield();
            mc_release();
            mctest::spin(2 * ms);  // somebody begins to poll
            pid = fork_in_section();
            mc_acquire();
            while (!slept.load()) (void)mc_checkpoint();
        });
        runtime.destroy();
        if (pid == 0) leave_fork();
    });
}

TEST_P(ForkInDeathTest, AChildForksAgain) {
    EXPECT_CHILD([&] {
        Runtime runtime;
        Sleepers sleepers(runtime);
        pid_t pid = -1;
        int depth = 0;
        in_task(runtime, [&] {
            sleepers.start();
            while (depth < 3) {
                Section section(runtime);
                mc_release();
                section.wait_inside();
                mc_acquire();
                pid = fork_at_rest();
                if (pid == 0) expect_no_hang();
                section.finish();  // in the child for nobody
                EXPECT_EQ(MC_OK, mc_task_join(section.task(), MC_FOREVER));
                if (pid != 0) break;
                ++depth;
            }
            sleepers.release();
            use(runtime);
        });
        sleepers.expect_ended();
        runtime.destroy();
        if (depth < 3) {
            EXPECT_EQ(0, status_of(pid));
        }
        if (depth > 0) leave_fork();
    });
}

std::uint64_t thread_cpu_time() {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<std::uint64_t>(time.tv_sec) * 1000 * ms + static_cast<std::uint64_t>(time.tv_nsec);
}

TEST_P(ForkInDeathTest, CpuTimeGoesOnFromWhatItWas) {
    EXPECT_CHILD([&] {
        mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
        options.flags = MC_RUNTIME_CPU_TIME;
        Runtime runtime(options);
        pid_t pid = -1;
        in_task(runtime, [&] {
            const std::uint64_t begin = thread_cpu_time();
            mctest::spin(20 * ms);
            const std::uint64_t used = thread_cpu_time() - begin;
            pid = fork_at_rest();  // the child's thread begins at 0
            EXPECT_LE(used, mc_task_cpu_time(mc_task_current()));
            EXPECT_GT(used + 3600u * 1000 * ms, mc_task_cpu_time(mc_task_current()));
        });
        runtime.destroy();
        if (pid == 0) leave_fork();
        EXPECT_EQ(0, status_of(pid));
    });
}

TEST_P(ForkInDeathTest, OtherWaysToStartAProgramAreUnaffected) {
    EXPECT_CHILD([&] {
        Runtime runtime;
        in_task(runtime, [&] {
            Section section(runtime);
            const auto start_programs = [] {
                EXPECT_EQ(3 << 8, system("exit 3"));
                FILE* out = popen("echo hello", "r");
                char line[16] = "";
                EXPECT_NE(nullptr, fgets(line, sizeof line, out));
                EXPECT_STREQ("hello\n", line);
                EXPECT_EQ(0, pclose(out));
                pid_t pid = -1;
                char name[] = "true";
                char* arguments[] = {name, nullptr};
                EXPECT_EQ(0, posix_spawnp(&pid, name, nullptr, nullptr, arguments, environ));
                EXPECT_EQ(0, status_of(pid));
            };
            mc_release();
            section.wait_inside();
            start_programs();
            mc_acquire();
            start_programs();
            section.finish();
            EXPECT_EQ(MC_OK, mc_task_join(section.task(), MC_FOREVER));
            EXPECT_EQ(MC_OK, mc_task_result(section.task()));
        });
    });
}

// ---- by a thread that has nothing to do with the runtime ----

TEST(ForkOutsideDeathTest, OfAPausedRuntime) {
    EXPECT_CHILD([] {
        Runtime runtime;
        int ran = 0;
        runtime.spawn([&] {
            use(runtime);
            ++ran;
        });
        EXPECT_EQ(0, forked([&] {
                      runtime.run();
                      EXPECT_EQ(1, ran);
                      runtime.destroy();
                  }));
        EXPECT_EQ(0, ran);
        runtime.run();
        EXPECT_EQ(1, ran);
    });
}

// The baton is free, or lent by a section on another thread; a bound thread sleeps.
void outside(int sections) {
    Runtime runtime;
    Sleepers sleepers(runtime);
    std::deque<Section> open;
    Gate started, bound_sleeps;
    mc_task* bound = nullptr;
    runtime.spawn([&] {
        sleepers.start();
        for (int i = 0; i < sections; ++i) open.emplace_back(runtime);
        started.open();
    });
    mc_task* main = runtime.spawn([] { EXPECT_EQ(MC_OK, mc_task_park(MC_FOREVER)); });
    std::thread runner([&] { runtime.run(); });
    std::thread attached([&] {
        ASSERT_EQ(MC_OK, mc_attach(runtime, nullptr, MC_FOREVER, &bound));
        bound_sleeps.open();
        EXPECT_EQ(MC_OK, mc_task_park(MC_FOREVER));
        EXPECT_EQ(MC_OK, mc_detach());
    });
    started.wait();
    for (Section& section : open) section.wait_inside();
    bound_sleeps.wait();

    int result = 77;
    while (result == 77)  // a thread has still the baton
        result = forked([&] {
            if (mc_enable(runtime, -1) == MC_EFORK) _exit(77);
            EXPECT_EQ(MC_EAGAIN, mc_task_result(main));
            EXPECT_EQ(MC_OK, mc_task_unpark(main));
            runtime.spawn([] {});
            EXPECT_EQ(1, mctest::process_threads());  // nobody drives it yet
            runtime.attached([&] {
                sleepers.release();
                EXPECT_EQ(MC_OK, mc_task_join(main, MC_FOREVER));
                EXPECT_EQ(MC_OK, mc_task_result(main));
                EXPECT_EQ(MC_OK, mc_task_join(bound, MC_FOREVER));
                EXPECT_EQ(MC_EFORK, mc_task_result(bound));
                use(runtime);
            });
            runtime.run();  // what is left ends
            sleepers.expect_ended();
            for (Section& section : open) EXPECT_EQ(MC_EFORK, mc_task_result(section.task()));
            for (Section& section : open) EXPECT_EQ(1, section.destroyed.load());
            mc_task_unref(bound);
            open.clear();
            runtime.destroy();
        });
    EXPECT_EQ(0, result);

    for (Section& section : open) section.finish();
    sleepers.release();
    EXPECT_EQ(MC_OK, mc_task_unpark(main));
    EXPECT_EQ(MC_OK, mc_task_unpark(bound));
    attached.join();
    mc_task_unref(bound);
    runner.join();
    sleepers.expect_ended();
    for (Section& section : open) EXPECT_EQ(1, section.passed.load());
}

TEST(ForkOutsideDeathTest, OfAnIdleRuntime) {
    EXPECT_CHILD([] { outside(0); });
}

TEST(ForkOutsideDeathTest, OfOneWithASection) {
    EXPECT_CHILD([] { outside(1); });
}

TEST(ForkOutsideDeathTest, OfOneWithFiftySections) {
    EXPECT_CHILD([] { outside(50); });
}

// ---- several, and what another thread was about ----

TEST(ForkDeathTest, EachRuntimeIsHandledByItself) {
    EXPECT_CHILD([] {
        Runtime lost, idle, own;
        beside_a_holder(lost, [&](mc_task*) {
            pid_t pid = -1;
            own.run([&] {
                pid = fork_at_rest();
                if (pid == 0) expect_no_hang();
                use(own);
            });
            if (pid == 0) {
                EXPECT_EQ(MC_EFORK, mc_runtime_run(lost));
                idle.run([&] { use(idle); });
                idle.destroy();
                own.destroy();
                leave_fork();
            }
            EXPECT_EQ(0, status_of(pid));
        });
        idle.run([&] { use(idle); });
    });
}

// A task's section, in which its thread is attached to another runtime, whose baton it holds.
TEST(ForkDeathTest, WithinTwoRuntimes) {
    EXPECT_CHILD([] {
        Runtime outer, inner;
        pid_t pid = -1;
        outer.run([&] {
            mc_release();
            inner.attached([&] {
                pid = fork_at_rest();
                if (pid == 0) expect_no_hang();
                use(inner);
            });
            mc_acquire();
            use(outer);
        });
        inner.destroy();
        outer.destroy();
        if (pid == 0) leave_fork();
        EXPECT_EQ(0, status_of(pid));
    });
}

TEST(ForkDeathTest, AThreadThatWaitsToAttachLeavesNoTrace) {
    EXPECT_CHILD([] {
        Runtime runtime;
        std::thread other;
        pid_t pid = -1;
        runtime.run([&] {
            Gate about_to;
            other = std::thread([&] {
                about_to.open();
                runtime.attached([] {});
            });
            about_to.wait();
            pid = fork_at_rest();
            if (pid == 0) expect_no_hang();
            use(runtime);
            if (pid == 0) {
                EXPECT_EQ(1u, runtime.stats().tasks_alive);
            }
        });
        if (pid == 0) {
            other.detach();  // not here
            runtime.destroy();
            leave_fork();
        }
        other.join();
        EXPECT_EQ(0, status_of(pid));
    });
}

// The child's section must not wait for an unblock function that runs on a thread it has not.
TEST(ForkDeathTest, AnUnblockThatRunsElsewhereIsOver) {
    EXPECT_CHILD([] {
        Runtime runtime;
        static Gate unblocks, go_on;
        std::thread interrupts;
        pid_t pid = -1;
        runtime.run([&] {
            mc_task* self = mc_task_current();
            mc_section_options options = MC_SECTION_OPTIONS_INIT;
            options.unblock = [](void*) {
                unblocks.open();
                go_on.wait();
            };
            EXPECT_EQ(MC_OK, mc_release_with(&options));
            interrupts = std::thread([&] { EXPECT_EQ(MC_OK, mc_task_interrupt(self, nullptr)); });
            unblocks.wait();
            pid = fork_at_rest();
            if (pid == 0)
                expect_no_hang();
            else
                go_on.open();
            EXPECT_EQ(MC_EINTR, mc_acquire_status());
            EXPECT_EQ(MC_OK, mc_task_take_interrupt(self, nullptr));
            use(runtime);
        });
        if (pid == 0) {
            interrupts.detach();  // not here
            runtime.destroy();
            leave_fork();
        }
        interrupts.join();
        EXPECT_EQ(0, status_of(pid));
    });
}

TEST(ForkDeathTest, AShutdownOnAnotherThreadIsTheChildsToRepeat) {
    EXPECT_CHILD([] {
        Runtime runtime;
        std::thread other;
        pid_t pid = -1;
        runtime.spawn([&] {
            other = std::thread([&] { EXPECT_EQ(MC_OK, mc_runtime_shutdown(runtime, MC_FOREVER)); });
            while (mc_checkpoint() != MC_ECANCELED) (void)mc_task_yield();
            mc_release();
            pid = fork_in_section();
            mc_acquire();
        });
        const mc_status ran = mc_runtime_run(runtime);
        EXPECT_TRUE(ran == MC_OK || ran == MC_ESHUTDOWN) << mc_status_name(ran);  // whichever is seen first
        if (pid == 0) {
            other.detach();  // not here
            EXPECT_EQ(MC_OK, mc_runtime_shutdown(runtime, MC_FOREVER));
            runtime.destroy();
            leave_fork();
        }
        other.join();
    });
}

// ---- jobs ----

struct Work {
    Gate& working = *new Gate;  // leaked: a child cannot destroy one at which a thread of its parent waits
    Gate& go_on = *new Gate;
    std::atomic<int> dones{0};
    std::atomic<mc_status> status{MC_EAGAIN};
};

void work(void* arg) {
    static_cast<Work*>(arg)->working.open();
    static_cast<Work*>(arg)->go_on.wait();
}

void done(void* arg, mc_status status) {
    static_cast<Work*>(arg)->status.store(status);
    ++static_cast<Work*>(arg)->dones;
}

TEST_P(ForkInDeathTest, JobsThatAreNotDoneAreToldInTheChildOnly) {
    EXPECT_CHILD([&] {
        mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
        options.max_threads = 2;  // one piece of work at a time
        Runtime runtime(options);
        Work at_work, queued, finished;
        pid_t pid = -1;
        in_task(runtime, [&] {
            mc_job* job = nullptr;
            EXPECT_EQ(MC_OK, mc_job_submit(runtime, work, done, &finished, nullptr, &job));
            finished.go_on.open();
            EXPECT_EQ(MC_OK, mc_job_wait(job, MC_FOREVER));
            mc_job_unref(job);
            EXPECT_EQ(MC_OK, mc_job_submit(runtime, work, done, &at_work, nullptr, &job));
            at_work.working.wait();
            EXPECT_EQ(MC_OK, mc_job_submit(runtime, work, done, &queued, nullptr, nullptr));
            pid = fork_at_rest();
            if (pid == 0) {
                expect_no_hang();
                EXPECT_EQ(MC_EFORK, mc_job_wait(job, MC_FOREVER));
            } else {
                at_work.go_on.open();
                queued.go_on.open();
            }
            mc_job_unref(job);
            // The child's jobs are its own.
            Work fresh;
            fresh.go_on.open();
            EXPECT_EQ(MC_OK, mc_job_submit(runtime, work, done, &fresh, nullptr, &job));
            EXPECT_EQ(MC_OK, mc_job_wait(job, MC_FOREVER));
            mc_job_unref(job);
            EXPECT_EQ(1, fresh.dones.load());
        });
        for (Work* each : {&at_work, &queued}) {
            EXPECT_EQ(1, each->dones.load());
            EXPECT_EQ(pid == 0 ? MC_EFORK : MC_OK, each->status.load());
        }
        EXPECT_EQ(1, finished.dones.load());
        EXPECT_EQ(MC_OK, finished.status.load());
        runtime.destroy();
        if (pid == 0) leave_fork();
        EXPECT_EQ(0, status_of(pid));
    });
}

}  // namespace
