/* The XS module of the tests: perlmulticore.h as any module bundles it, in our own words, and sections that
 * the tests can hold open.
 * SPDX-License-Identifier: BSL-1.0
 */
#define PERL_NO_GET_CONTEXT
#include <errno.h>
#include <langinfo.h>
#include <pthread.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <EXTERN.h>
#include <perl.h>

#include <XSUB.h>

/* ---- the frozen interface: two pointers, release first, in the string of an entry of PL_modglobal ---- */

struct api {
    void (*release)(void);
    void (*acquire)(void);
};

static void nothing(void) {}
static struct api no_backend = {nothing, nothing};
static const struct api *api;

static void find_api(pTHX) {
    SV *sv = *hv_fetchs(PL_modglobal, "perl_multicore_api", 1);
    if (!SvPOK(sv)) { /* the first user */
        SvUPGRADE(sv, SVt_PV);
        SvPV_set(sv, (char *)&no_backend);
        SvCUR_set(sv, sizeof no_backend);
        SvLEN_set(sv, 0);
        SvPOK_only(sv);
    }
    api = (const struct api *)SvPVX(sv);
}

/* ---- sections ---- */

/* meet(count): returns when so many sections have been open at once. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t all_here = PTHREAD_COND_INITIALIZER;
static int here, meetings;

XS_INTERNAL(xs_meet) {
    dXSARGS;
    PERL_UNUSED_VAR(items);
    const int count = (int)SvIV(ST(0));
    api->release();
    pthread_mutex_lock(&mutex);
    const int mine = meetings;
    if (++here == count) {
        here = 0;
        ++meetings;
        pthread_cond_broadcast(&all_here);
    }
    while (mine == meetings) pthread_cond_wait(&all_here, &mutex);
    pthread_mutex_unlock(&mutex);
    api->acquire();
    XSRETURN_EMPTY;
}

/* take(fd): reads a byte in a section, whatever signals come; its number, or -1. */
XS_INTERNAL(xs_take) {
    dXSARGS;
    PERL_UNUSED_VAR(items);
    dXSTARG;
    const int fd = (int)SvIV(ST(0));
    unsigned char byte = 0;
    ssize_t got = 0;
    api->release();
    do got = read(fd, &byte, 1);
    while (got < 0 && errno == EINTR);
    api->acquire();
    XSprePUSH;
    PUSHi(got == 1 ? byte : -1);
    XSRETURN(1);
}

/* sum(fd, string): waits for a byte in a section, then adds up the string's bytes, still there. */
XS_INTERNAL(xs_sum) {
    dXSARGS;
    PERL_UNUSED_VAR(items);
    const int fd = (int)SvIV(ST(0));
    STRLEN length;
    const char *bytes = SvPVbyte(ST(1), length);
    UV sum = 0;
    char byte;
    api->release();
    while (read(fd, &byte, 1) < 0 && errno == EINTR) {
    }
    for (STRLEN i = 0; i < length; i++) sum += (unsigned char)bytes[i];
    api->acquire();
    ST(0) = sv_2mortal(newSVuv(sum));
    XSRETURN(1);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* spin(microseconds): computes in a section. */
XS_INTERNAL(xs_spin) {
    dXSARGS;
    PERL_UNUSED_VAR(items);
    const double length = SvNV(ST(0)) * 1e-6;
    api->release();
    const double end = now() + length;
    while (now() < end) {
    }
    api->acquire();
    XSRETURN_EMPTY;
}

/* codeset(fd): waits for a byte in a section; then what the thread's locale has for characters. */
XS_INTERNAL(xs_codeset) {
    dXSARGS;
    PERL_UNUSED_VAR(items);
    char byte;
    const int fd = (int)SvIV(ST(0));
    api->release();
    while (read(fd, &byte, 1) < 0 && errno == EINTR) {
    }
    api->acquire();
    ST(0) = sv_2mortal(newSVpv(nl_langinfo(CODESET), 0));
    XSRETURN(1);
}

/* pairs(count): empty sections; nanoseconds each. */
XS_INTERNAL(xs_pairs) {
    dXSARGS;
    PERL_UNUSED_VAR(items);
    const IV count = SvIV(ST(0));
    const double start = now();
    for (IV i = 0; i < count; i++) {
        api->release();
        api->acquire();
    }
    ST(0) = sv_2mortal(newSVnv((now() - start) * 1e9 / (double)(count ? count : 1)));
    XSRETURN(1);
}

/* nested(fd): a pair within a pair. */
XS_INTERNAL(xs_nested) {
    dXSARGS;
    PERL_UNUSED_VAR(items);
    const int fd = (int)SvIV(ST(0));
    char byte;
    api->release();
    api->release();
    while (read(fd, &byte, 1) < 0 && errno == EINTR) {
    }
    api->acquire();
    api->acquire();
    XSRETURN_EMPTY;
}

/* call(sub): calls it from C; what it returns. */
XS_INTERNAL(xs_call) {
    dXSARGS;
    PERL_UNUSED_VAR(items);
    SV *sub = ST(0);
    PUSHMARK(SP);
    PUTBACK;
    call_sv(sub, G_SCALAR);
    SPAGAIN;
    ST(0) = TOPs;
    XSRETURN(1);
}

XS_INTERNAL(xs_thread) {
    dXSARGS;
    PERL_UNUSED_VAR(items);
    EXTEND(SP, 1);
    ST(0) = sv_2mortal(newSViv((IV)syscall(SYS_gettid)));
    XSRETURN(1);
}

XS_EXTERNAL(boot_Native);
__attribute__((visibility("default"))) XS_EXTERNAL(boot_Native) {
    dXSARGS;
    PERL_UNUSED_VAR(items);
    find_api(aTHX);
    sv_setiv(get_sv("Native::PERLMULTICORE_SUPPORT", GV_ADD), 1);
    newXS("Native::meet", xs_meet, __FILE__);
    newXS("Native::take", xs_take, __FILE__);
    newXS("Native::sum", xs_sum, __FILE__);
    newXS("Native::spin", xs_spin, __FILE__);
    newXS("Native::codeset", xs_codeset, __FILE__);
    newXS("Native::pairs", xs_pairs, __FILE__);
    newXS("Native::nested", xs_nested, __FILE__);
    newXS("Native::call", xs_call, __FILE__);
    newXS("Native::thread", xs_thread, __FILE__);
    XSRETURN_YES;
}
