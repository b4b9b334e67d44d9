/* Plain threads beside a measurement: what two of them get done, and one that keeps a core busy.
 * SPDX-License-Identifier: BSL-1.0 */
#pragma once

#include <pthread.h>
#include <stdlib.h>

#include "work.h"

static inline void *bench_run_steps(void *steps) {
    bench_steps(*(const uint64_t *)steps);
    return NULL;
}

/* How much more two threads get done than one: the most seen in some rounds. */
static inline double bench_two_thread_speed_up(void) {
    uint64_t steps = (uint64_t)(bench_calibrate() * 20000);
    double best = 0;
    int i;
    for (i = 0; i < 3; ++i) {
        pthread_t other;
        uint64_t start = bench_now(), one;
        double speed_up;
        bench_steps(steps);
        one = bench_now() - start;
        start = bench_now();
        if (pthread_create(&other, NULL, bench_run_steps, &steps) != 0) abort();
        bench_steps(steps);
        pthread_join(other, NULL);
        speed_up = 2 * (double)one / (double)(bench_now() - start);
        if (speed_up > best) best = speed_up;
    }
    return best;
}

static pthread_t bench_busy_thread;
static int bench_busy_stop_flag;

static inline void *bench_busy(void *steps) {
    /* Relaxed: a flag. */
    while (!__atomic_load_n(&bench_busy_stop_flag, __ATOMIC_RELAXED)) bench_run_steps(steps);
    return NULL;
}

static inline void bench_busy_start(void) {
    static uint64_t steps = 10000;
    __atomic_store_n(&bench_busy_stop_flag, 0, __ATOMIC_RELAXED);
    if (pthread_create(&bench_busy_thread, NULL, bench_busy, &steps) != 0) abort();
}

static inline void bench_busy_stop(void) {
    __atomic_store_n(&bench_busy_stop_flag, 1, __ATOMIC_RELAXED);
    pthread_join(bench_busy_thread, NULL);
}
