/* Ruby: sections in rb_nogvl.
 * SPDX-License-Identifier: BSL-1.0 */
#include <ruby.h>
#include <ruby/thread.h>

#include "../../suite/threads.h"

static void *nothing(void *unused) { return unused; }

static VALUE pairs(VALUE self, VALUE count) {
    const unsigned long rounds = NUM2ULONG(count);
    const uint64_t start = bench_now();
    unsigned long i;
    (void)self;
    for (i = 0; i < rounds; ++i) rb_nogvl(nothing, NULL, NULL, NULL, 0);
    return DBL2NUM((double)(bench_now() - start) / (double)rounds);
}

static VALUE section(VALUE self, VALUE steps, VALUE held) {
    uint64_t outside = NUM2ULL(steps);
    (void)self;
    rb_nogvl(bench_run_steps, &outside, NULL, NULL, 0);
    bench_steps(NUM2ULL(held));
    return Qnil;
}

static VALUE calibrate(VALUE self) {
    (void)self;
    return DBL2NUM(bench_calibrate());
}

static VALUE speed_up(VALUE self) {
    (void)self;
    return DBL2NUM(bench_two_thread_speed_up());
}

static VALUE busy(VALUE self, VALUE on) {
    (void)self;
    if (RTEST(on))
        bench_busy_start();
    else
        bench_busy_stop();
    return Qnil;
}

void Init_peer_native(void);
void Init_peer_native(void) {
    VALUE native = rb_define_module("Native");
    rb_define_singleton_method(native, "pairs", pairs, 1);
    rb_define_singleton_method(native, "section", section, 2);
    rb_define_singleton_method(native, "calibrate", calibrate, 0);
    rb_define_singleton_method(native, "speed_up", speed_up, 0);
    rb_define_singleton_method(native, "busy", busy, 1);
}
