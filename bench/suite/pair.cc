// A release and an acquire that nobody else notices, beside the two atomic operations they need.
// SPDX-License-Identifier: BSL-1.0
#include <dlfcn.h>

#include <algorithm>
#include <atomic>

#include "suite.h"

namespace suite {
namespace {

constexpr std::uint64_t rounds = 500'000;

double pairs() {
    return cost(rounds, [] {
        mc_release();
        mc_acquire();
    });
}

double module_pairs() {
    void* module = dlopen(BENCH_PAIR_MODULE, RTLD_NOW | RTLD_LOCAL);
    if (!module) fail(dlerror());
    auto* count = reinterpret_cast<double (*)(unsigned long)>(dlsym(module, "bench_module_pairs"));
    double best = count(rounds);
    for (int i = 0; i < 6; ++i) best = std::min(best, count(rounds));
    return best;
}

double cas_cas() {
    std::atomic<std::uint64_t> word{0};
    return cost(rounds, [&] {
        std::uint64_t expected = 0;
        word.compare_exchange_strong(expected, 1, std::memory_order_acq_rel);
        expected = 1;
        word.compare_exchange_strong(expected, 0, std::memory_order_acq_rel);
    });
}

}  // namespace

void pair(const Arguments& arguments) {
    report("cas_cas_ns", cas_cas());
    report("no_runtime_ns", pairs());
    Runtime runtime;
    std::uint64_t parked = arguments.empty() ? 0 : static_cast<std::uint64_t>(arguments[0]);
    std::vector<mc_task*> waiting;
    for (std::uint64_t i = 0; i < parked; ++i)
        waiting.push_back(runtime.spawn([] { must(mc_task_park(MC_FOREVER), "mc_task_park"); }));
    runtime.spawn([&] {
        must(mc_task_yield(), "mc_task_yield");
        report("pair_ns", pairs());
        report("module_ns", module_pairs());
        mc_enable(runtime, 0);
        report("disabled_ns", pairs());
        mc_enable(runtime, 1);
        for (mc_task* task : waiting) must(mc_task_unpark(task), "mc_task_unpark");
    });
    runtime.run();
}

}  // namespace suite
