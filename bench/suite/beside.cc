// One task computes for ever and has checkpoints; another goes from section to section. What an iteration of
// the second costs, and what share of its speed the first keeps.
// SPDX-License-Identifier: BSL-1.0
#include "suite.h"

namespace suite {
namespace {

constexpr double seconds = 0.3;

struct Progress {
    std::uint64_t chunks = 0, start = bench_now();
    double per_second() const {
        return static_cast<double>(chunks) * 1e9 / static_cast<double>(bench_now() - start);
    }
};

}  // namespace

void beside(const Arguments& arguments) {
    const double section_us = arguments.at(0);
    const Spin spin;
    const std::uint64_t chunk = spin.steps(1), section = spin.steps(section_us);
    const auto iterations = static_cast<std::uint64_t>(seconds * 1e6 / (section_us + 10));

    // Its speed with the other core equally busy, and nobody who wants the interpreter.
    double alone = 0;
    {
        bench_busy_start();
        Runtime runtime;
        runtime.spawn([&] {
            for (Progress progress; alone == 0;) {
                bench_steps(chunk);
                (void)mc_checkpoint();
                if (++progress.chunks == static_cast<std::uint64_t>(seconds * 1e6))
                    alone = progress.per_second();
            }
        });
        runtime.run();
        bench_busy_stop();
    }

    double kept = 0, per_iteration = 0;
    Runtime runtime;
    bool done = false;  // with the baton
    runtime.spawn([&] {
        Progress progress;
        while (!done) {
            bench_steps(chunk);
            (void)mc_checkpoint();
            ++progress.chunks;
        }
        kept = progress.per_second() / alone;
    });
    runtime.spawn([&] {
        const std::uint64_t start = bench_now();
        for (std::uint64_t i = 0; i < iterations; ++i) {
            mc_release();
            bench_steps(section);
            mc_acquire();
        }
        per_iteration = static_cast<double>(bench_now() - start) / us / static_cast<double>(iterations);
        done = true;
    });
    runtime.run();
    report("us_per_iteration", per_iteration);
    report("speed_kept", kept);
}

}  // namespace suite
