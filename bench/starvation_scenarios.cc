// SPDX-License-Identifier: BSL-1.0
#include "starvation_scenarios.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>

#include <sched.h>

#include <multicore/multicore.h>

namespace starvation {
namespace {

struct Race {
    unsigned waits;
    std::vector<std::uint64_t> taken;
    std::atomic<std::uint64_t> progress{0};  // of the other task
    std::atomic<bool> over{false};
    mc_task* parks = nullptr;  // these two with the baton
    std::uint64_t ready_since = 0;
};

void must(mc_status status) {
    if (status == MC_OK) return;
    std::fprintf(stderr, "starvation: %s: %s\n", mc_status_name(status), mc_status_message(status));
    std::abort();
}

void compute(std::uint64_t ns) {
    const std::uint64_t end = mc_now() + ns;
    while (mc_now() < end) {
    }
}

// A section that ends while the other task has the baton.
void returning_section(void* arg) {
    Race& race = *static_cast<Race*>(arg);
    for (unsigned i = 0; i < race.waits; ++i) {
        const std::uint64_t seen = race.progress.load(std::memory_order_relaxed);
        mc_release();
        // A hint to the scheduler, for one CPU; what counts starts behind the loop.
        while (race.progress.load(std::memory_order_relaxed) == seen) sched_yield();
        const std::uint64_t start = mc_now();
        mc_acquire();
        race.taken.push_back(mc_now() - start);
    }
    race.over.store(true, std::memory_order_relaxed);
}

void yields_for_ever(void* arg) {
    Race& race = *static_cast<Race*>(arg);
    while (!race.over.load(std::memory_order_relaxed)) {
        race.progress.fetch_add(1, std::memory_order_relaxed);
        must(mc_task_yield());
    }
}

void computes_with_checkpoints(void* arg) {
    Race& race = *static_cast<Race*>(arg);
    while (!race.over.load(std::memory_order_relaxed)) {
        race.progress.fetch_add(1, std::memory_order_relaxed);
        compute(1000000);
        must(mc_checkpoint());
    }
}

// The other one makes it ready, and goes on.
void ready_task(void* arg) {
    Race& race = *static_cast<Race*>(arg);
    race.parks = mc_task_current();
    for (unsigned i = 0; i < race.waits; ++i) {
        must(mc_task_park(MC_FOREVER));
        race.taken.push_back(mc_now() - race.ready_since);
    }
    race.over.store(true, std::memory_order_relaxed);
}

void loops_over_short_sections(void* arg) {
    Race& race = *static_cast<Race*>(arg);
    while (!race.over.load(std::memory_order_relaxed)) {
        if (mc_task_state(race.parks) == MC_TASK_SUSPENDED) {
            race.ready_since = mc_now();
            must(mc_task_unpark(race.parks));
        }
        mc_release();
        compute(500);
        mc_acquire();
    }
}

Waits measure(unsigned waits, void (*waiter)(void*), void (*other)(void*)) {
    Race race;
    race.waits = waits;
    race.taken.reserve(waits);
    mc_runtime* runtime = nullptr;
    must(mc_runtime_create(nullptr, &runtime));
    must(mc_task_spawn(runtime, waiter, &race, nullptr, nullptr));
    must(mc_task_spawn(runtime, other, &race, nullptr, nullptr));
    must(mc_runtime_run(runtime));
    must(mc_runtime_destroy(runtime));
    std::sort(race.taken.begin(), race.taken.end());
    return {std::move(race.taken)};
}

}  // namespace

std::uint64_t Waits::at(double share) const {
    return sorted[static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1))];
}

const Scenario scenarios[3] = {
    {"returning section beside a task that yields for ever",
     [](unsigned waits) { return measure(waits, returning_section, yields_for_ever); }},
    {"returning section beside one that computes, checkpoint each 1 ms",
     [](unsigned waits) { return measure(waits, returning_section, computes_with_checkpoints); }},
    {"ready task beside a loop of 0.5 us sections",
     [](unsigned waits) { return measure(waits, ready_task, loops_over_short_sections); }},
};

void use_one_cpu() {
    cpu_set_t all, one;
    CPU_ZERO(&one);
    if (sched_getaffinity(0, sizeof all, &all) != 0) std::abort();
    for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; ++cpu)
        if (CPU_ISSET(cpu, &all)) CPU_SET(cpu, &one);
    if (sched_setaffinity(0, sizeof one, &one) != 0) std::abort();
}

}  // namespace starvation
