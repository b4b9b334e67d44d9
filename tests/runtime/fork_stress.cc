// Forks under load; each child uses what it got, and the parent keeps nothing of a fork. Prints what it
// counted.
// SPDX-License-Identifier: BSL-1.0
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include <malloc.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include "memory.h"
#include "testing.h"

namespace {

using mctest::Runtime;
using mctest::us;

constexpr int rounds = 200, warm = 20;
constexpr int lost = 7;  // exit status of a child that got MC_EFORK

int failures() { return ::testing::Test::HasFailure() ? 1 : 0; }

constexpr std::uint32_t kept = 1;  // idle carriers

mc_runtime_options few_threads() {
    mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
    options.max_threads = 8;  // soon there have been as many
    options.keep_idle_threads = kept;
    options.idle_timeout = mctest::ms;
    return options;
}

// Tasks in sections, asleep, parked, joining and newly spawned, and jobs at work and waiting, until stop.
class Load {
public:
    Load() : runtime(few_threads()) {
        EXPECT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds_));
        for (int i = 0; i < 6; ++i)
            add([i] {
                mc_release();
                mctest::spin(static_cast<unsigned>(i) * 20 * us);
                mc_acquire();
            });
        for (int i = 0; i < 4; ++i) add([i] { (void)mc_task_sleep(static_cast<unsigned>(i + 1) * 50 * us); });
        add([] { (void)mc_task_park(100 * us); });
        add([this] { (void)mc_task_wait_fd(fds_[0], MC_READABLE, 100 * us, nullptr); });
        add([this] {
            mc_task* task = nullptr;
            EXPECT_EQ(MC_OK,
                      mc_task_spawn(
                          runtime, [](void*) { (void)mc_task_sleep(30 * us); }, nullptr, nullptr, &task));
            EXPECT_EQ(MC_OK, mc_task_join(task, MC_FOREVER));
            mc_task_unref(task);
        });
        add([] {
            mc_section_options options = MC_SECTION_OPTIONS_INIT;
            options.deadline = 20 * us;
            options.unblock = [](void*) {};
            (void)mc_release_with(&options);
            mctest::spin(40 * us);
            mc_acquire();
        });
        add([this] { do_jobs(); });
    }
    ~Load() {
        close(fds_[0]);
        close(fds_[1]);
    }
    void add(const std::function<void()>& body) {
        tasks_.push_back(runtime.spawn([this, body] {
            while (!stop.load()) {
                body();
                if (resting_.load()) {
                    rested_.open();
                    (void)mc_task_park(MC_FOREVER);
                }
                (void)mc_task_yield();
            }
        }));
    }
    // Without the baton: calls look when all tasks are parked and no more threads are left than that.
    template <class Look>
    void at_rest(int threads, Look look) {
        resting_.store(true);
        for ([[maybe_unused]] const mc_task* task : tasks_) rested_.wait();
        while (mctest::process_threads() > threads) sched_yield();
        look();
        resting_.store(false);
        for (mc_task* task : tasks_) EXPECT_EQ(MC_OK, mc_task_unpark(task));
    }

    Runtime runtime;
    std::atomic<bool> stop{false};
    int submitted = 0, done = 0;  // jobs; guarded by the baton

private:
    // More than may start at once.
    void do_jobs() {
        mc_job_options options = MC_JOB_OPTIONS_INIT;
        std::vector<mc_job*> jobs(24);
        for (mc_job*& job : jobs) {
            options.work_class = submitted % 2 ? MC_WORK_IO : MC_WORK_CPU;
            const auto work = [](void*) { mctest::spin(20 * us); };
            const auto count = [](void* load, mc_status) { ++static_cast<Load*>(load)->done; };
            ++submitted;
            EXPECT_EQ(MC_OK, mc_job_submit(runtime, work, count, this, &options, &job));
        }
        for (mc_job* job : jobs) {
            const mc_status status = mc_job_wait(job, MC_FOREVER);
            EXPECT_TRUE(status == MC_OK || status == MC_EFORK) << status;
            mc_job_unref(job);
        }
    }

    int fds_[2] = {-1, -1};
    std::vector<mc_task*> tasks_;
    std::atomic<bool> resting_{false};
    mctest::Gate rested_;
};

// What the process has after a few forks and after all of them, with its tasks at rest.
class Kept {
public:
    Kept() { mallopt(M_ARENA_MAX, 1); }  // else each new thread may map one
    void look(int round) {
        heap_[round == rounds] = mctest::heap_in_use();
        mappings_[round == rounds] = mctest::mappings();
    }
    void expect_nothing_of_each_fork() const {
        std::printf("kept after %d forks and %d: %zu and %zu bytes, %zu and %zu mappings\n", warm, rounds,
                    heap_[0], heap_[1], mappings_[0], mappings_[1]);
        EXPECT_LE(heap_[1], heap_[0] + mctest::heap_noise());
        EXPECT_LE(mappings_[1], mappings_[0] + (rounds - warm) / 2);
    }

private:
    std::size_t heap_[2] = {}, mappings_[2] = {};
};

// By a child: attaches, uses the runtime, ends it. `generations`: of further children.
[[noreturn]] void child_of(Load& load, int generations) {
    mctest::expect_no_hang();
    const mc_status status = mc_attach(load.runtime, nullptr, MC_FOREVER, nullptr);
    if (status == MC_EFORK) _exit(lost);
    EXPECT_EQ(MC_OK, status);
    (void)mc_task_sleep(200 * us);  // the tasks go on
    mctest::sections_at_once(load.runtime, 3);
    if (generations > 0) {
        const pid_t pid = fork();
        if (pid == 0) {
            mctest::expect_no_hang();
            (void)mc_task_sleep(200 * us);
            mctest::sections_at_once(load.runtime, 3);
        } else {
            EXPECT_EQ(0, mctest::status_of(pid));
        }
    }
    load.stop.store(true);
    EXPECT_EQ(MC_OK, mc_detach());
    EXPECT_EQ(MC_OK, mc_runtime_run(load.runtime));  // every one that is left ends
    mc_stats stats = load.runtime.stats();
    EXPECT_EQ(0u, stats.tasks_alive);
    EXPECT_EQ(load.submitted, load.done);
    load.runtime.destroy();
    mctest::leave_fork(failures());
}

struct Counted {
    int worked = 0, lost = 0;
};

void count(Counted& counted, int status) {
    if (status == lost)
        ++counted.lost;
    else if (status == 0)
        ++counted.worked;
    else
        ADD_FAILURE() << "a child ended with status " << status;
}

void report(const char* from, const Counted& counted) {
    std::printf("forks %s: %d children worked, %d got MC_EFORK\n", from, counted.worked, counted.lost);
}

// The sanitizers of gcc 12 do not hold their own locks across a fork: a child that was forked while another
// thread was in one waits for ever (seen: address sanitizer, SizeClassAllocator64::GetFromAllocator under
// pthread_create; thread sanitizer, __tsan_atomic8_exchange). fork_process.cc, whose threads are at rest,
// runs with them.
#define MC_NEEDS_A_PROCESS_THAT_FORKS() \
    if (mctest::sanitized) GTEST_SKIP() << "the sanitizer may hang in the child"

TEST(ForkStress, ByAForeignThread) {
    MC_NEEDS_A_PROCESS_THAT_FORKS();
    Kept kept_of_all;
    const int idle = mctest::process_threads() + 1 + static_cast<int>(kept);  // and the runner
    Load load;
    std::thread runner([&] { load.runtime.run(); });
    Counted counted;
    for (int round = 1; round <= rounds && !failures(); ++round) {
        const pid_t pid = fork();
        if (pid == 0) child_of(load, round % 5 == 0 ? 1 : 0);
        count(counted, mctest::status_of(pid));
        mctest::spin(static_cast<unsigned>(round) % 7 * 30 * us);
        if (round == warm || round == rounds) load.at_rest(idle, [&] { kept_of_all.look(round); });
    }
    load.stop.store(true);
    runner.join();
    report("by a foreign thread", counted);
    EXPECT_LT(0, counted.worked);  // by chance
    EXPECT_EQ(load.submitted, load.done);
    kept_of_all.expect_nothing_of_each_fork();
}

// By tasks: holding the baton, and in a section.
TEST(ForkStress, ByTasks) {
    MC_NEEDS_A_PROCESS_THAT_FORKS();
    Kept kept_of_all;
    const int idle = mctest::process_threads() + 1 + static_cast<int>(kept);  // and the one of its section
    Load load;
    Counted holding, in_section;
    load.runtime.spawn([&] {
        for (int round = 1; round <= rounds && !failures(); ++round) {
            const bool section = round % 2 == 1;
            const mc_task* self = mc_task_current();
            if (section) mc_release();
            pid_t pid = fork();
            if (pid == 0) {
                mctest::expect_no_hang();
                if (section && mc_cancelled() == MC_EFORK) _exit(lost);
                if (section) mc_acquire();
                EXPECT_EQ(self, mc_task_current());
                (void)mc_task_sleep(200 * us);
                mctest::sections_at_once(load.runtime, 3);
                load.stop.store(true);
                // Whoever drives this child, the runner or an orphan: exit 0 when the others have ended.
                (void)mc_task_sleep(100 * us);
                if (failures()) mctest::leave_fork(1);
                while (load.runtime.stats().tasks_alive > 1) (void)mc_task_sleep(100 * us);
                mctest::leave_fork(failures());
            }
            if (!section) mc_release();
            const int status = mctest::status_of(pid);
            if (round == warm || round == rounds) load.at_rest(idle, [&] { kept_of_all.look(round); });
            mc_acquire();
            count(section ? in_section : holding, status);
            (void)mc_task_sleep(50 * us);
        }
        load.stop.store(true);
    });
    load.runtime.run();
    report("by a task that holds", holding);
    report("by a task in a section", in_section);
    EXPECT_EQ(0, holding.lost);
    EXPECT_LT(0, holding.worked);
    EXPECT_EQ(load.submitted, load.done);
    kept_of_all.expect_nothing_of_each_fork();
}

}  // namespace
