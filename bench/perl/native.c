/* BenchPerl: sections of a known amount of work, for perl.pl.
 * SPDX-License-Identifier: BSL-1.0
 */
#define PERL_NO_GET_CONTEXT
#include <errno.h>
#include <math.h>
#include <pthread.h>

#include <EXTERN.h>
#include <perl.h>

#include <XSUB.h>

#include "perlmulticore.h"
#include "work.h"

static void returns_number(pTHX_ SV **place, NV number) { *place = sv_2mortal(newSVnv(number)); }

/* calibrate(): steps in a microsecond */
XS_INTERNAL(xs_calibrate) {
    dXSARGS;
    PERL_UNUSED_VAR(items);
    EXTEND(SP, 1);
    returns_number(aTHX_ & ST(0), bench_calibrate());
    XSRETURN(1);
}

/* pairs(count): nanoseconds each; nothing between release and acquire */
XS_INTERNAL(xs_pairs) {
    dXSARGS;
    if (items != 1) croak("Usage: BenchPerl::pairs ($count)");
    const UV count = SvUV(ST(0));
    const uint64_t start = bench_now();
    for (UV i = 0; i < count; i++) {
        perlinterp_release();
        perlinterp_acquire();
    }
    returns_number(aTHX_ & ST(0), (NV)(bench_now() - start) / (NV)count);
    XSRETURN(1);
}

/* work(steps): in a section; nanoseconds from its end to perl */
XS_INTERNAL(xs_work) {
    dXSARGS;
    if (items != 1) croak("Usage: BenchPerl::work ($steps)");
    const UV steps = SvUV(ST(0));
    perlinterp_release();
    bench_steps(steps);
    const uint64_t end = bench_now();
    perlinterp_acquire();
    returns_number(aTHX_ & ST(0), (NV)(bench_now() - end));
    XSRETURN(1);
}

/* nap(seconds): in a section */
XS_INTERNAL(xs_nap) {
    dXSARGS;
    if (items != 1) croak("Usage: BenchPerl::nap ($seconds)");
    const NV seconds = SvNV(ST(0));
    struct timespec left = {(time_t)seconds, (long)((seconds - floor(seconds)) * 1e9)};
    perlinterp_release();
    while (nanosleep(&left, &left) && errno == EINTR) {
    }
    perlinterp_acquire();
    XSRETURN_EMPTY;
}

static void *steps_thread(void *steps) {
    bench_steps(*(const UV *)steps);
    return NULL;
}

/* two_threads(steps): how much faster than one thread two do their work, without perl */
XS_INTERNAL(xs_two_threads) {
    dXSARGS;
    if (items != 1) croak("Usage: BenchPerl::two_threads ($steps)");
    UV steps = SvUV(ST(0));
    const uint64_t start = bench_now();
    bench_steps(steps);
    const uint64_t one = bench_now();
    pthread_t other;
    if (pthread_create(&other, NULL, steps_thread, &steps)) croak("BenchPerl::two_threads: no thread");
    bench_steps(steps);
    pthread_join(other, NULL);
    returns_number(aTHX_ & ST(0), 2 * (NV)(one - start) / (NV)(bench_now() - one));
    XSRETURN(1);
}

XS_EXTERNAL(boot_BenchPerl);
__attribute__((visibility("default"))) XS_EXTERNAL(boot_BenchPerl) {
    dXSARGS;
    PERL_UNUSED_VAR(items);
    perlmulticore_support_for("BenchPerl");
    newXS("BenchPerl::calibrate", xs_calibrate, __FILE__);
    newXS("BenchPerl::pairs", xs_pairs, __FILE__);
    newXS("BenchPerl::work", xs_work, __FILE__);
    newXS("BenchPerl::nap", xs_nap, __FILE__);
    newXS("BenchPerl::two_threads", xs_two_threads, __FILE__);
    XSRETURN_YES;
}
