/* A native module that knows the baton through extension.h alone. bench_suite loads it with dlopen.
 * SPDX-License-Identifier: BSL-1.0 */
#include <multicore/extension.h>

#include "work.h"

double bench_module_pairs(unsigned long count);

/* ns per pair. */
double bench_module_pairs(unsigned long count) {
    const uint64_t start = bench_now();
    unsigned long i;
    for (i = 0; i < count; ++i) {
        mc_release();
        mc_acquire();
    }
    return (double)(bench_now() - start) / (double)count;
}
