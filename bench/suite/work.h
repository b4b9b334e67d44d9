/* Work of a known length, for all programs of the suite: a number of steps, not a loop that reads a clock, so
 * that two cores which disturb each other show. Calibrated right before each measurement.
 *
 * SPDX-License-Identifier: BSL-1.0 */
#pragma once

#include <stdint.h>
#include <time.h>

static inline uint64_t bench_now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* Each step depends on the one before; memory is not touched. */
static inline void bench_steps(uint64_t steps) {
    uint64_t x = steps;
    while (steps--) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        __asm__ volatile("" : "+r"(x));
    }
}

/* Steps in a microsecond: the most seen in some rounds of a millisecond. */
static inline double bench_calibrate(void) {
    const uint64_t steps = 500000;
    double best = 0;
    int i;
    for (i = 0; i < 10; ++i) {
        const uint64_t start = bench_now();
        bench_steps(steps);
        {
            const double rate = (double)steps * 1e3 / (double)(bench_now() - start);
            if (rate > best) best = rate;
        }
    }
    return best;
}
