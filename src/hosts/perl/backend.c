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

/* Where a section of this very thread waits below, the runtime opens none. A coroutine that gives way in
 * sections only would then keep that one from its turn for ever; so it gives way here. */
static __attribute__((noinline)) void give_way_if_inline(struct mc_site *site) {
    mc_task *task = mc_task_current();
    if (!task || mc_task_state(task) != MC_TASK_RUNNING) return; /* it is open, and others run */
    dTHXa(mcp.perl);
    if (!mcp_may_switch(aTHX) || !mcp_any_due(aTHX)) return;
    mcp_acquire(site);
    mcp.coro->cede(aTHX);
    mc_ext_api_()->release(site); /* maybe on another thread */
}

__attribute__((noinline)) void mcp_release(struct mc_site *site) {
    if (!mcp.runtime) {
        /* Nothing is open that this could change: the acquire, too, does nothing. */
        if (!mcp.enabled || mcp.dead) return;
        dTHXa(mcp.perl);
        if (PERL_GET_CONTEXT != (void *)aTHX) return; /* another interpreter's */
        mcp_start(aTHX);
    }
    mc_ext_api_()->release(site);
    /* Relaxed: exact if the section is inline, and else of no interest. */
    if (__atomic_load_n(&mcp.sections, __ATOMIC_RELAXED) > 0) give_way_if_inline(site);
}

void mcp_acquire(struct mc_site *site) {
    mc_ext_api_()->acquire(site);
    if (__atomic_load_n(&mcp.due, __ATOMIC_RELAXED)) mcp_section_ended();
}

/* Nearly always nothing is special; then it costs no more than it must. */
static void release(void) {
    if (mc_can_release_as() && !mcp.dead) {
        dTHXa(mcp.perl);
        mc_task *task = mcp_current_task(aTHX);
        mc_release_as(task, mcp_others_ready(), site_of(__builtin_return_address(0)));
    } else {
        mcp_release(site_of(__builtin_return_address(0)));
    }
}

/* NULL: that was the end of an inner pair, or of one in C code that is in a section. */
static struct mcp_coroutine *one_that_runs(pTHX) {
    mc_task *task = mc_task_current();
    return task && mc_task_state(task) == MC_TASK_RUNNING ? mcp_current(aTHX) : NULL;
}

/* Somebody is due: maybe it was this one. Carriers would come for that, as long as its C code goes on with
 * sections. */
__attribute__((noinline)) void mcp_section_ended(void) {
    dTHXa(mcp.perl);
    if (one_that_runs(aTHX)) mcp_forget_due(aTHX);
}

/* Or an exception or a cancel has come meanwhile, maybe for another coroutine. */
static __attribute__((noinline)) void look_for_news(void) {
    if (__atomic_load_n(&mcp.due, __ATOMIC_RELAXED)) mcp_section_ended();
    if (!mcp.coro->except && !mcp.cancelled) return;
    dTHXa(mcp.perl);
    struct mcp_coroutine *self = one_that_runs(aTHX);
    if (self) mcp_deliver(aTHX_ self);
}

static void acquire(void) {
    static struct mc_site site = {"an XS module", "perlinterp_acquire", 0, 0, {NULL, NULL}};
    if (!mcp.runtime) return;
    mc_ext_api_()->acquire(&site); /* nothing is learned here */
    if (mcp.coro->except || mcp.cancelled || __atomic_load_n(&mcp.due, __ATOMIC_RELAXED)) look_for_news();
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
