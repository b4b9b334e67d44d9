// How long from the end of a section's C work until interpreter code runs on.
// SPDX-License-Identifier: BSL-1.0
#include <algorithm>

#include "suite.h"

namespace suite {
namespace {

constexpr std::size_t samples = 10'000;

void tell(std::vector<double>& ns) {
    std::sort(ns.begin(), ns.end());
    const auto at = [&](double share) {
        return ns[static_cast<std::size_t>(share * static_cast<double>(ns.size() - 1))];
    };
    report("p50_ns", at(0.5));
    report("p99_ns", at(0.99));
    report("p999_ns", at(0.999));
}

}  // namespace

// The interpreter has been used by another task meanwhile, on another thread, and is idle again.
void latency_idle(const Arguments&) {
    const Spin spin;
    const std::uint64_t section = spin.steps(100);
    std::vector<double> ns;
    Runtime runtime;
    mc_task* other = runtime.spawn([&] {
        while (ns.size() < samples) must(mc_task_park(MC_FOREVER), "mc_task_park");
    });
    runtime.spawn([&] {
        must(mc_task_yield(), "mc_task_yield");
        while (ns.size() < samples) {
            must(mc_task_unpark(other), "mc_task_unpark");
            mc_release();
            bench_steps(section);
            const std::uint64_t end = bench_now();
            mc_acquire();
            ns.push_back(static_cast<double>(bench_now() - end));
        }
        must(mc_task_unpark(other), "mc_task_unpark");
    });
    runtime.run();
    tell(ns);
    report("handoffs_per_section", static_cast<double>(runtime.stats().handoffs) / samples);
}

// Another task computes, with a checkpoint every microsecond.
void latency_busy(const Arguments&) {
    const Spin spin;
    const std::uint64_t section = spin.steps(100), chunk = spin.steps(1);
    std::vector<double> ns;
    Runtime runtime;
    runtime.spawn([&] {
        while (ns.size() < samples / 4) {
            bench_steps(chunk);
            (void)mc_checkpoint();
        }
    });
    runtime.spawn([&] {
        while (ns.size() < samples / 4) {
            mc_release();
            bench_steps(section);
            const std::uint64_t end = bench_now();
            mc_acquire();
            ns.push_back(static_cast<double>(bench_now() - end));
        }
    });
    runtime.run();
    tell(ns);
}

}  // namespace suite
