// What the points of the suite share. Each point is one call in a process of its own: it prints the numbers
// of one repetition, and `run.py` repeats it, in turns with the others.
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <multicore/multicore.h>

#include "threads.h"
#include "work.h"

namespace suite {

// ---- what a point prints: one JSON object of numbers ----
void report(const char* name, double value);

// ---- failing ----
void must(mc_status status, const char* what);
[[noreturn]] void fail(const std::string& message);

// ---- work ----
constexpr double us = 1e3;  // nanoseconds
constexpr double ms = 1e6;

// ns per call of `once`, in the fastest of some rounds that take a few milliseconds each.
template <class Once>
double cost(std::uint64_t rounds, Once&& once) {
    double best = 0;
    for (int i = 0; i < 7; ++i) {
        const std::uint64_t start = bench_now();
        for (std::uint64_t k = 0; k < rounds; ++k) once();
        const double each = static_cast<double>(bench_now() - start) / static_cast<double>(rounds);
        if (i == 0 || each < best) best = each;
    }
    return best;
}

// Steps that take this long on an otherwise idle machine.
class Spin {
public:
    Spin() : per_us_(bench_calibrate()) {}
    std::uint64_t steps(double microseconds) const {
        return static_cast<std::uint64_t>(per_us_ * microseconds);
    }

private:
    double per_us_;
};

// ---- raw limits that several points need ----
double fiber_switch_ns();  // one way

// ---- runtimes ----
class Runtime {
public:
    explicit Runtime(std::uint32_t max_threads = 0);
    ~Runtime();
    Runtime(const Runtime&) = delete;
    Runtime& operator=(const Runtime&) = delete;

    mc_task* spawn(std::function<void()> body);  // detached; the handle is for as long as it lives
    void run();
    mc_stats stats() const;
    operator mc_runtime*() const { return runtime_; }

private:
    mc_runtime* runtime_ = nullptr;
};

// ---- points ----
using Arguments = std::vector<double>;
struct Point {
    const char* name;
    const char* arguments;
    void (*run)(const Arguments&);
};
const std::vector<Point>& points();

void raw(const Arguments&);
void pair(const Arguments&);
void beside(const Arguments&);
void parallel(const Arguments&);
void parallel_mutex(const Arguments&);
void parallel_condition(const Arguments&);
void latency_idle(const Arguments&);
void latency_busy(const Arguments&);
void block_tasks(const Arguments&);
void block_threads(const Arguments&);
void parked(const Arguments&);
void jobs(const Arguments&);
void tasks(const Arguments&);
void idle_nothing(const Arguments&);
void idle_section(const Arguments&);
void idle_computing(const Arguments&);

}  // namespace suite
