/* The two functions behind perlmulticore.h, and where XS modules find them.
 * SPDX-License-Identifier: BSL-1.0
 */
#include <stdint.h>
#include <string.h>

#include "host.h"

/* Frozen: every module that bundles perlmulticore.h has it compiled in. */
struct perl_multicore_api {
    void (*release)(void);
    void (*acquire)(void);
};

/* What the runtime learns about a place it learns about the caller's, which has no mc_site of its own. Two
 * places that share one are merely judged together. */
enum { SITES = 64 };
static struct mc_site sites[SITES];

static struct mc_site *site_of(const void *return_address) {
    return &sites[(uintptr_t)return_address / 8 % SITES];
}

/* 0: a thread that is not perl's. Else one more than the pairs open on it; 1: it has perl, and so the baton,
 * and no section of its own waits below. Used by functions that do not switch. */
static __thread unsigned depth;
enum { WAITED = 1 << 30 }; /* in it: the section is or was due */

void mcp_thread_begins(void) { depth = 1; }

bool mcp_waits(void) {
    if (depth < 2) return false; /* opened by somebody who does without perlmulticore.h */
    depth |= WAITED;
    return true;
}

/* A section has ended, or an inner pair. */
static inline void count_down(void) {
    if (depth == 2) {
        depth = 1;
        return;
    }
    if ((depth & ~(unsigned)WAITED) > 1) --depth;
    if (depth != (1u | WAITED)) return;
    depth = 1;
    dTHXa(mcp.perl);
    mcp_wait_ends(aTHX);
}

static __attribute__((noinline)) void open_pair(struct mc_site *site) {
    if (depth == 0) return;
    ++depth;
    mc_ext_api_()->release(site);
}

/* Where a section of this very thread waits below, the runtime opens none. A coroutine that gives way in
 * sections only would then keep that one from its turn for ever; so it gives way here. */
static __attribute__((noinline)) void give_way_if_inline(struct mc_site *site) {
    mc_task *task = mc_task_current();
    if (!task || mc_task_state(task) != MC_TASK_RUNNING) return; /* it is open, and others run */
    dTHXa(mcp.perl);
    if (!mcp_may_switch(aTHX) || !mcp_any_due(aTHX)) return;
    mcp_acquire(site);
    mcp.coro->cede(aTHX); /* to another thread, maybe */
    open_pair(site);
}

__attribute__((noinline)) void mcp_release(struct mc_site *site) {
    if (!mcp.runtime) {
        /* Nothing is open that this could change: the acquire, too, does nothing. */
        if (!mcp.enabled || mcp.dead) return;
        dTHXa(mcp.perl);
        if (PERL_GET_CONTEXT != (void *)aTHX) return; /* another interpreter's */
        mcp_start(aTHX);
    }
    open_pair(site);
    /* Relaxed: exact if the section is inline, and else of no interest. */
    if (__atomic_load_n(&mcp.sections, __ATOMIC_RELAXED) > 0) give_way_if_inline(site);
}

__attribute__((noinline)) void mcp_acquire(struct mc_site *site) {
    mc_ext_api_()->acquire(site);
    count_down();
}

/* Nearly always nothing is special; then it costs no more than it must. */
static void release(void) {
    if (depth == 1 && !mcp.dead) {
        depth = 2;
        dTHXa(mcp.perl);
        mc_task *task = mcp_current_task(aTHX);
        mc_release_as(task, mcp_others_ready(), site_of(__builtin_return_address(0)));
    } else {
        mcp_release(site_of(__builtin_return_address(0)));
    }
}

/* An exception or a cancel has come meanwhile, maybe for another coroutine. */
static __attribute__((noinline)) void look_for_news(void) {
    mc_task *task = mc_task_current();
    if (!task || mc_task_state(task) != MC_TASK_RUNNING) return; /* the end of an inner pair */
    dTHXa(mcp.perl);
    struct mcp_coroutine *self = mcp_current(aTHX);
    if (self) mcp_deliver(aTHX_ self);
}

static void acquire(void) {
    static struct mc_site site = {"an XS module", "perlinterp_acquire", 0, 0, {NULL, NULL}};
    if (depth == 0) return;
    mc_ext_api_()->acquire(&site); /* nothing is learned here */
    count_down();
    if (mcp.coro->except || mcp.cancelled) look_for_news();
}

void mcp_publish(pTHX) {
    static const char key[] = "perl_multicore_api";
    static struct perl_multicore_api own;
    SV *sv = *hv_fetch(PL_modglobal, key, sizeof key - 1, 1);
    struct perl_multicore_api *api = &own;
    if (SvPOK(sv)) {
        api = (struct perl_multicore_api *)SvPVX(sv); /* modules keep this address */
    } else {
        SvUPGRADE(sv, SVt_PV);
        SvPV_set(sv, (char *)api);
        SvCUR_set(sv, sizeof *api);
        SvLEN_set(sv, 0); /* not perl's to free */
        SvPOK_only(sv);
        SvREADONLY_on(sv);
    }
    for (int i = 0; i < SITES; i++) {
        sites[i].file = "an XS module";
        sites[i].func = "perlinterp_release";
    }
    api->release = release;
    api->acquire = acquire;
}
