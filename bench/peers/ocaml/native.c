/* OCaml: sections between caml_release_runtime_system and caml_acquire_runtime_system.
 * SPDX-License-Identifier: BSL-1.0 */
#define CAML_NAME_SPACE
#include <caml/alloc.h>
#include <caml/mlvalues.h>
#include <caml/threads.h>

#include "../../suite/threads.h"

value peer_pairs(value count);
value peer_section(value steps, value held);
value peer_calibrate(value unit);
value peer_speed_up(value unit);
value peer_busy(value on);
value peer_now(value unit);

value peer_pairs(value count) {
    const long rounds = Long_val(count);
    const uint64_t start = bench_now();
    long i;
    for (i = 0; i < rounds; ++i) {
        caml_release_runtime_system();
        caml_acquire_runtime_system();
    }
    return caml_copy_double((double)(bench_now() - start) / (double)rounds);
}

value peer_section(value steps, value held) {
    const uint64_t outside = (uint64_t)Long_val(steps);
    caml_release_runtime_system();
    bench_steps(outside);
    caml_acquire_runtime_system();
    bench_steps((uint64_t)Long_val(held));
    return Val_unit;
}

value peer_calibrate(value unit) {
    (void)unit;
    return caml_copy_double(bench_calibrate());
}

value peer_speed_up(value unit) {
    (void)unit;
    return caml_copy_double(bench_two_thread_speed_up());
}

value peer_busy(value on) {
    if (Bool_val(on))
        bench_busy_start();
    else
        bench_busy_stop();
    return Val_unit;
}

value peer_now(value unit) {
    (void)unit;
    return caml_copy_double((double)bench_now() / 1e9);
}
