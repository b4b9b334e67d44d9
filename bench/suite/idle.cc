// CPU time of a process whose runtime has nothing to do, beyond what a computing task uses itself.
// SPDX-License-Identifier: BSL-1.0
#include <ctime>

#include "suite.h"

namespace suite {
namespace {

double cpu_ns(clockid_t clock) {
    timespec time{};
    clock_gettime(clock, &time);
    return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

class Measured {
public:
    void tell(double own_ns) const {
        const double used = cpu_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_;
        report("percent_of_a_core", 100 * (used - own_ns) / static_cast<double>(bench_now() - start_));
    }
    bool lasts(double seconds) const { return static_cast<double>(bench_now() - start_) < seconds * 1e9; }

private:
    std::uint64_t start_ = bench_now();
    double cpu_ = cpu_ns(CLOCK_PROCESS_CPUTIME_ID);
};

// Both cores have been used, and idle carriers are there.
void warm_up(Runtime& runtime) {
    for (int i = 0; i < 8; ++i)
        runtime.spawn([] {
            for (int k = 0; k < 10; ++k) {
                mc_release();
                bench_steps(100'000);
                mc_acquire();
            }
        });
    must(mc_task_sleep(200 * 1'000'000), "mc_task_sleep");
}

void block(double seconds) {
    const auto whole = static_cast<time_t>(seconds);
    const timespec time{whole, static_cast<long>((seconds - static_cast<double>(whole)) * 1e9)};
    nanosleep(&time, nullptr);
}

}  // namespace

void idle_nothing(const Arguments& arguments) {
    Runtime runtime;
    runtime.spawn([&] {
        warm_up(runtime);
        const Measured measured;
        must(mc_task_park(static_cast<std::uint64_t>(arguments.at(0) * 1e9)) == MC_ETIMEDOUT ? MC_OK
                                                                                             : MC_EINTR,
             "mc_task_park");
        measured.tell(0);
    });
    runtime.run();
}

void idle_section(const Arguments& arguments) {
    Runtime runtime;
    runtime.spawn([&] {
        warm_up(runtime);
        const Measured measured;
        mc_release();
        block(arguments.at(0));
        mc_acquire();
        measured.tell(0);
    });
    runtime.run();
}

void idle_computing(const Arguments& arguments) {
    const Spin spin;
    Runtime runtime;
    runtime.spawn([&] {
        warm_up(runtime);
        const std::uint64_t chunk = spin.steps(1);
        const Measured measured;
        const double before = cpu_ns(CLOCK_THREAD_CPUTIME_ID);
        while (measured.lasts(arguments.at(0))) {
            bench_steps(chunk);
            (void)mc_checkpoint();
        }
        measured.tell(cpu_ns(CLOCK_THREAD_CPUTIME_ID) - before);
    });
    runtime.run();
}

}  // namespace suite
