/* What a script sets and asks of its runtime.
 * SPDX-License-Identifier: BSL-1.0
 */
#include <time.h>

#include "host.h"

/* enable([flag]) -> previous */
XS_EXTERNAL(mcp_xs_enable) {
    dXSARGS;
    if (items > 1) croak("Usage: Coro::Multicore::enable ([$flag])");
    const bool previous = mcp.enabled;
    if (items == 1) {
        mcp.enabled = SvTRUE(ST(0));
        if (mcp.runtime) mc_enable(mcp.runtime, mcp.enabled);
    }
    ST(0) = boolSV(previous);
    EXTEND(SP, 1);
    XSRETURN(1);
}

XS_EXTERNAL(mcp_xs_init) {
    dXSARGS;
    PERL_UNUSED_VAR(items);
    if (!mcp.runtime) mcp_start(aTHX);
    mcp_find_loops(aTHX);
    XSRETURN_EMPTY;
}

XS_EXTERNAL(mcp_xs_fd) {
    dXSARGS;
    PERL_UNUSED_VAR(items);
    const int fd = mcp_wake_fd();
    if (fd < 0) croak("Coro::Multicore::fd: %s", Strerror(errno));
    __atomic_store_n(&mcp.announce, true, __ATOMIC_SEQ_CST);
    mcp_ring(); /* what is due already */
    EXTEND(SP, 1);
    ST(0) = sv_2mortal(newSViv(fd));
    XSRETURN(1);
}

XS_EXTERNAL(mcp_xs_poll) {
    dXSARGS;
    PERL_UNUSED_VAR(items);
    mcp_drain_wake();
    mcp_collect_due(aTHX);
    XSRETURN_EMPTY;
}

static void sleep_in_section(NV seconds) {
    static struct mc_site site = {__FILE__, "Coro::Multicore::sleep", 0, 0, {NULL, NULL}};
    struct timespec left = {(time_t)seconds, (long)((seconds - (NV)(time_t)seconds) * 1e9)};
    mcp_release(&site);
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR) {
    }
    mcp_acquire(&site);
}

/* sleep(seconds) */
XS_EXTERNAL(mcp_xs_sleep) {
    dXSARGS;
    if (items != 1) croak("Usage: Coro::Multicore::sleep ($seconds)");
    const NV seconds = SvNV(ST(0));
    if (!(seconds >= 0 && seconds < 1e9))
        croak("Coro::Multicore::sleep: %" NVgf " is no number of seconds", seconds);
    if (!mcp.runtime) mcp_start(aTHX);
    sleep_in_section(seconds);
    struct mcp_coroutine *self = mcp_current(aTHX);
    if (self) mcp_deliver(aTHX_ self);
    XSRETURN_EMPTY;
}

/* max_threads, max_idle, idle_timeout ([value]) -> previous */
enum { MAX_THREADS, MAX_IDLE, IDLE_TIMEOUT };
static const char *const names[] = {"max_threads", "max_idle", "idle_timeout"};

static uint32_t to_count(pTHX_ SV *sv, const char *name, NV least) {
    const NV value = SvNV(sv);
    if (!(value >= least)) croak("Coro::Multicore::%s: %" NVgf " is less than %" NVgf, name, value, least);
    return value == 0 || value > 4e9 ? (uint32_t)MC_NONE : (uint32_t)value;
}

XS_EXTERNAL(mcp_xs_limit) {
    dXSARGS;
    const int which = XSANY.any_i32;
    const char *name = names[which];
    if (items != 1) croak("Usage: Coro::Multicore::%s ($value)", name);
    if (mcp.runtime)
        croak("Coro::Multicore::%s: set it before the first section: the threads are there already", name);
    if (which == MAX_THREADS) {
        mcp.options.max_threads = to_count(aTHX_ ST(0), name, 1);
    } else if (which == MAX_IDLE) {
        mcp.options.keep_idle_threads = to_count(aTHX_ ST(0), name, 0);
    } else {
        const NV seconds = SvNV(ST(0));
        if (!(seconds >= 0)) croak("Coro::Multicore::%s: %" NVgf " is no number of seconds", name, seconds);
        mcp.options.idle_timeout = seconds > 9e9 ? MC_FOREVER : (uint64_t)(seconds * 1e9) + (seconds == 0);
    }
    XSRETURN_EMPTY;
}

/* stats() -> name => value, ... */
XS_EXTERNAL(mcp_xs_stats) {
    dXSARGS;
    PERL_UNUSED_VAR(items);
    mc_stats stats = MC_STATS_INIT;
    if (mcp.runtime) mc_runtime_stats(mcp.runtime, &stats);
    const struct {
        const char *name;
        uint64_t value;
    } counts[] = {{"sections", stats.sections}, {"sections_inline", stats.sections_inline},
                  {"handoffs", stats.handoffs}, {"wakes", stats.wakes},
                  {"threads", stats.threads},   {"threads_peak", stats.threads_peak}};
    SP -= items;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        mXPUSHp(counts[i].name, strlen(counts[i].name));
        mXPUSHu((UV)counts[i].value);
    }
    mXPUSHs(newSVpvs("longest_wait"));
    mXPUSHn((NV)stats.longest_wait / 1e9);
    PUTBACK;
}

void mcp_boot_settings(pTHX) {
    newXSproto("Coro::Multicore::enable", mcp_xs_enable, __FILE__, ";$");
    newXSproto("Coro::Multicore::init", mcp_xs_init, __FILE__, "");
    newXSproto("Coro::Multicore::fd", mcp_xs_fd, __FILE__, "");
    newXSproto("Coro::Multicore::poll", mcp_xs_poll, __FILE__, "");
    newXSproto("Coro::Multicore::sleep", mcp_xs_sleep, __FILE__, "$");
    newXSproto("Coro::Multicore::stats", mcp_xs_stats, __FILE__, "");
    for (int i = MAX_THREADS; i <= IDLE_TIMEOUT; i++) {
        char full[64];
        snprintf(full, sizeof full, "Coro::Multicore::%s", names[i]);
        CV *cv = newXSproto(full, mcp_xs_limit, __FILE__, "$");
        CvXSUBANY(cv).any_i32 = i;
    }
}
