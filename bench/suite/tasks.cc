// What tasks cost where no section is involved.
// SPDX-License-Identifier: BSL-1.0
#include <thread>

#include "suite.h"

namespace suite {
namespace {

constexpr std::uint64_t rounds = 200'000;

double per_round(std::uint64_t start, std::uint64_t count) {
    return static_cast<double>(bench_now() - start) / static_cast<double>(count);
}

// Two tasks that yield to each other: a yield is one switch.
double yield_ns() {
    Runtime runtime;
    for (int i = 0; i < 2; ++i)
        runtime.spawn([] {
            for (std::uint64_t k = 0; k < rounds; ++k) (void)mc_task_yield();
        });
    const std::uint64_t start = bench_now();
    runtime.run();
    return per_round(start, 2 * rounds);
}

double spawn_join_ns() {
    Runtime runtime;
    double result = 0;
    runtime.spawn([&] {
        const auto once = [&] {
            mc_task* task = nullptr;
            must(mc_task_spawn(
                     runtime, [](void*) {}, nullptr, nullptr, &task),
                 "mc_task_spawn");
            must(mc_task_join(task, MC_FOREVER), "mc_task_join");
            mc_task_unref(task);
        };
        result = cost(20'000, once);
    });
    runtime.run();
    return result;
}

// Two tasks that unpark each other.
double park_ns() {
    Runtime runtime;
    mc_task* tasks[2] = {};
    for (int i = 0; i < 2; ++i)
        tasks[i] = runtime.spawn([&tasks, i] {
            for (std::uint64_t k = 0; k < rounds; ++k) {
                if (i == 1 || k > 0) must(mc_task_park(MC_FOREVER), "mc_task_park");
                if (i == 0 || k + 1 < rounds) must(mc_task_unpark(tasks[1 - i]), "mc_task_unpark");
            }
        });
    const std::uint64_t start = bench_now();
    runtime.run();
    return per_round(start, rounds);
}

// A task and a thread that is none of the runtime's take turns; ns of a round trip.
double park_across_threads_ns() {
    constexpr std::uint32_t turns = 20'000;
    Runtime runtime;
    std::atomic<std::uint32_t> asked{0}, answered{0};
    mc_task* task = runtime.spawn([&] {
        for (std::uint32_t i = 1; i <= turns; ++i) {
            while (asked.load(std::memory_order_acquire) != i) must(mc_task_park(MC_FOREVER), "mc_task_park");
            answered.store(i, std::memory_order_release);
        }
    });
    mc_task_ref(task);
    double result = 0;
    std::thread other([&] {
        const std::uint64_t start = bench_now();
        for (std::uint32_t i = 1; i <= turns; ++i) {
            asked.store(i, std::memory_order_release);
            must(mc_task_unpark(task), "mc_task_unpark");
            while (answered.load(std::memory_order_acquire) != i) {
            }
        }
        result = per_round(start, turns);
    });
    runtime.run();
    other.join();
    mc_task_unref(task);
    return result;
}

}  // namespace

void tasks(const Arguments&) {
    report("fiber_switch_ns", fiber_switch_ns());
    report("yield_ns", yield_ns());
    report("spawn_join_ns", spawn_join_ns());
    report("park_unpark_ns", park_ns());
    report("park_unpark_across_threads_ns", park_across_threads_ns());
}

}  // namespace suite
