// Prints how long somebody waits for the baton in the three cases where a careless protocol starves:
// on all CPUs, then on one. An argument gives the number of waits (default 10,000).
// SPDX-License-Identifier: BSL-1.0
#include <cstdio>
#include <cstdlib>

#include <sys/wait.h>
#include <unistd.h>

#include "starvation_scenarios.h"

namespace {

void print_all(const char* where, unsigned waits) {
    for (const starvation::Scenario& scenario : starvation::scenarios) {
        const starvation::Waits measured = scenario.measure(waits);
        std::printf("%-9s %-66s %10.1f %10.1f %10.1f\n", where, scenario.name,
                    static_cast<double>(measured.at(0.5)) / 1e3, static_cast<double>(measured.at(0.99)) / 1e3,
                    static_cast<double>(measured.longest()) / 1e3);
        std::fflush(stdout);
    }
}

}  // namespace

int main(int argc, char** argv) {
    const int given = argc > 1 ? std::atoi(argv[1]) : 10000;
    if (given <= 0) {
        std::fprintf(stderr, "usage: %s [WAITS]\n", argv[0]);
        return 2;
    }
    const unsigned waits = static_cast<unsigned>(given);
    std::printf("%u waits each, microseconds%-49s %10s %10s %10s\n", waits, "", "p50", "p99", "max");
    std::fflush(stdout);

    // Each in a process of its own: the library reads the CPU mask once.
    int failed = 0;
    for (const bool one_cpu : {false, true}) {
        const pid_t pid = fork();
        if (pid == 0) {
            if (one_cpu) starvation::use_one_cpu();
            print_all(one_cpu ? "one CPU" : "all CPUs", waits);
            _exit(0);
        }
        int status = 0;
        if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) failed = 1;
    }
    return failed;
}
