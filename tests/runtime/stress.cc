// Mutual exclusion and no lost wake-up: a million sections of mixed lengths over 64 tasks, four of them
// bound, on all CPUs and on one.
//
// What the baton guards is plain, so that a violation shows as a wrong count, and to ThreadSanitizer as
// a race. MULTICORE_STRESS_SECTIONS: how many sections (default 1,000,000).
// SPDX-License-Identifier: BSL-1.0
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <thread>
#include <vector>

#include <sched.h>

#include "testing.h"

namespace {

using mctest::Runtime;

constexpr unsigned unbound_tasks = 60, bound_tasks = 4, tasks = unbound_tasks + bound_tasks;

uint64_t wanted_sections() {
    const char* given = std::getenv("MULTICORE_STRESS_SECTIONS");
    const long long number = given ? std::atoll(given) : 0;
    return number > 0 ? static_cast<uint64_t>(number) : 1000000;
}

// Names the OS thread without a system call; noinline, since a task that suspends may change threads.
__attribute__((noinline)) const void* this_thread() {
    static thread_local char here;
    const void* address = &here;
    __asm__ volatile("" : "+r"(address));
    return address;
}

struct Shared {
    uint64_t entries = 0;
    mc_task* owner = nullptr;
    const void* thread = nullptr;  // the last that held
    uint64_t resumed_after_another = 0;
    uint64_t violations = 0;

    void hold() {
        if (owner) ++violations;
        owner = mc_task_current();
        ++entries;
        thread = this_thread();
        if (owner != mc_task_current()) ++violations;
        owner = nullptr;
    }
};

void section_of_length(uint32_t random) {
    const uint32_t kind = random % 16, length = random / 16;
    if (kind < 6) return;                                // empty
    if (kind < 10) return mctest::spin(length % 1000);   // up to 1 us
    if (kind < 13) return mctest::spin(length % 10000);  // up to 10 us
    if (kind < 14) return mctest::spin(length % 50000);  // up to 50 us
    const timespec blocks = {0, static_cast<long>(length % 1000)};
    nanosleep(&blocks, nullptr);
}

void task_body(Shared& shared, uint64_t sections, uint32_t random) {
    for (uint64_t i = 0; i < sections; ++i) {
        random = random * 1664525u + 1013904223u;
        const void* mine = this_thread();
        shared.hold();
        mc_release();
        section_of_length(random >> 8);
        mc_acquire();
        if (shared.thread != mine) ++shared.resumed_after_another;
        shared.hold();
        if (random % 61 == 0) (void)mc_task_yield();
        if (random % 1021 == 0) (void)mc_task_sleep(random % 50000);
    }
}

void stress(const char* where) {
    const uint64_t each = (wanted_sections() + tasks - 1) / tasks;
    Runtime runtime;
    Shared shared;
    const uint64_t start = mc_now();
    for (unsigned i = 0; i < unbound_tasks; ++i)
        runtime.spawn([&, i] { task_body(shared, each, i * 7919u); });
    std::vector<std::thread> bound;
    for (unsigned i = unbound_tasks; i < tasks; ++i)
        bound.emplace_back([&, i] { runtime.attached([&] { task_body(shared, each, i * 7919u); }); });
    runtime.run();
    for (std::thread& thread : bound) thread.join();
    const double seconds = static_cast<double>(mc_now() - start) / 1e9;

    const mc_stats stats = runtime.stats();
    std::printf(
        "%s: %llu sections over %u tasks in %.1f s, %llu resumed after another thread had taken the "
        "baton, %llu hand-overs, %llu wakes, %llu carriers at most, longest wait %.1f ms, %llu violations\n",
        where, static_cast<unsigned long long>(stats.sections), tasks, seconds,
        static_cast<unsigned long long>(shared.resumed_after_another),
        static_cast<unsigned long long>(stats.handoffs), static_cast<unsigned long long>(stats.wakes),
        static_cast<unsigned long long>(stats.threads_peak), static_cast<double>(stats.longest_wait) / 1e6,
        static_cast<unsigned long long>(shared.violations));
    EXPECT_EQ(each * tasks, stats.sections);
    EXPECT_EQ(2 * each * tasks, shared.entries);
    EXPECT_EQ(0u, shared.violations);
    EXPECT_GE(shared.resumed_after_another, each * tasks / 10);
}

// A child of its own, since the mask is read once per process.
TEST(StressDeathTest, OnAllCpus) {
    EXPECT_EXIT(mctest::child([] { stress("all CPUs"); }, 20), ::testing::ExitedWithCode(0), "");
}

TEST(StressDeathTest, OnOneCpu) {
    EXPECT_EXIT(mctest::child(
                    [] {
                        cpu_set_t all, one;
                        ASSERT_EQ(0, sched_getaffinity(0, sizeof all, &all));
                        CPU_ZERO(&one);
                        for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; ++cpu)
                            if (CPU_ISSET(cpu, &all)) CPU_SET(cpu, &one);
                        ASSERT_EQ(0, sched_setaffinity(0, sizeof one, &one));
                        stress("one CPU");
                    },
                    20),
                ::testing::ExitedWithCode(0), "");
}

}  // namespace
