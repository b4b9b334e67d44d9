// Empty jobs per second, with so many in flight: each `done` submits the next.
// SPDX-License-Identifier: BSL-1.0
#include "suite.h"

namespace suite {
namespace {

struct Flight {
    mc_runtime* runtime;
    std::uint64_t left;
};

void work(void*) {}

void submit(Flight& flight);

void done(void* arg, mc_status status) {
    must(status, "a job");
    submit(*static_cast<Flight*>(arg));
}

// With the baton, as `done`.
void submit(Flight& flight) {
    if (flight.left == 0) return;
    --flight.left;
    must(mc_job_submit(flight.runtime, work, done, &flight, nullptr, nullptr), "mc_job_submit");
}

}  // namespace

void jobs(const Arguments& arguments) {
    const double in_flight = arguments.at(0);
    const std::uint64_t count = in_flight < 2 ? 30'000 : 500'000;
    Runtime runtime;
    Flight flight{runtime, count};
    runtime.spawn([&] {
        for (double i = 0; i < in_flight; ++i) submit(flight);
    });
    const std::uint64_t start = bench_now();
    runtime.run();
    report("per_second", static_cast<double>(count) * 1e9 / static_cast<double>(bench_now() - start));
    const mc_stats stats = runtime.stats();
    report("threads", static_cast<double>(stats.threads_peak));
    report("wakes_per_job", static_cast<double>(stats.wakes) / static_cast<double>(count));
    report("handoffs_per_job", static_cast<double>(stats.handoffs) / static_cast<double>(count));
}

}  // namespace suite
