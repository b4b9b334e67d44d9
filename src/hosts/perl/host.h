/* The Perl host: coroutines of Perl's Coro on a runtime of their own.
 *
 * Coro schedules; the runtime lends it other threads to schedule on while native code is in a section. To
 * Coro a coroutine in a section is one that has called schedule: its deputy has. All of this is plain data
 * that the baton guards, but what is said to be touched by any thread.
 *
 * One perl interpreter only: the one that loads the module, since Coro has no other.
 * SPDX-License-Identifier: BSL-1.0
 */
#ifndef MULTICORE_HOSTS_PERL_HOST_H
#define MULTICORE_HOSTS_PERL_HOST_H

#include <locale.h>
#include <stdbool.h>

#include <EXTERN.h>
#include <perl.h>

#include <XSUB.h>

#include <CoroAPI.h>
#include <sys/queue.h>

#include "multicore/multicore.h"

/* One coroutine that has used a section. Lives in magic on Coro's object. */
struct mcp_coroutine {
    HV *hv;
    mc_task *task;
    struct mcp_coroutine *next, *previous; /* in mcp.lenders */
    struct mcp_coroutine *next_ended;      /* in due.c, and so are the next two */
    TAILQ_ENTRY(mcp_coroutine) due;
    bool is_listed;
    bool lends;     /* has a deputy */
    bool polls;     /* its section is an event loop's wait */
    bool idles;     /* its section is the sleep of this host's idle coroutine */
    bool left;      /* others ran since it began to */
    int scope_kind; /* MC_SCOPE_* of the innermost scope; -1: none */
    AV *cancelled;  /* cancel came during a section: its arguments */
    /* What the XS function now running returns to, instead of its caller (deliver.c). */
    UNOP call;
    OP deliver;
    OP *original;
    I32 scope; /* PL_scopestack_ix of that function; 0: none */
};

struct mcp_host {
    PerlInterpreter *perl;
    struct CoroAPI *coro;
    mc_runtime_options options;
    mc_runtime *runtime; /* NULL until the first section */
    bool enabled;        /* the default where no scope says otherwise */
    bool dead;           /* perl is being destructed */
    locale_t locale;     /* the interpreter's, while it changes threads */

    HV *last_hv; /* of the coroutine asked for last */
    struct mcp_coroutine *last;
    struct mcp_coroutine *lenders; /* those with a deputy */
    unsigned sections;             /* of these: not waits of event loops */
    unsigned cancelled;            /* coroutines with a cancel to come */
    struct mcp_coroutine *poller;  /* whose section is an event loop's wait */

    SV *idle; /* $Coro::idle */
    HV *own_idle;

    int due;       /* any thread: a section has ended and waits */
    int forked;    /* set by the handler of fork */
    bool idles;    /* any thread: this host's own idle coroutine sleeps */
    bool announce; /* any thread: say on the descriptor that a section is due */
};
extern struct mcp_host mcp;

/* ---- backend.c: what perlmulticore.h calls ---- */
void mcp_publish(pTHX);
/* Sections of this host's own. */
void mcp_release(struct mc_site *site);
void mcp_acquire(struct mc_site *site);
void mcp_section_ended(void); /* after an acquire, if somebody is due */

/* ---- host.c ---- */
/* Any thread: Coro's idle coroutine should wait for events, or this host's own one for signals, and does not.
 */
static inline bool mcp_idle_wants(void) {
    HV *idle = SvROK(mcp.idle) ? (HV *)SvRV(mcp.idle) : NULL;
    /* It cannot if it is one of its callbacks that is in a section. */
    if (!idle || idle == (HV *)SvRV(mcp.coro->current)) return false;
    return idle == mcp.own_idle ? !__atomic_load_n(&mcp.idles, __ATOMIC_RELAXED) : !mcp.poller;
}

/* Any thread, so the counters of Coro are read as they come. */
static inline int mcp_others_ready(void) {
    return __atomic_load_n(&mcp.due, __ATOMIC_RELAXED) || *(volatile int *)&mcp.coro->nready > 0 ||
           mcp_idle_wants();
}

void mcp_start(pTHX);      /* the runtime; croaks */
bool mcp_may_switch(pTHX); /* perl can, and no scope or setting of the script forbids it */

/* ---- due.c ---- */
void mcp_collect_due(pTHX); /* if sections have ended: sees to it that their coroutines have their turn */
bool mcp_any_due(pTHX);     /* the same; whether there are any now */
bool mcp_forget_due(pTHX);  /* readies nobody; false, and not forgotten: others are than the current one */
void mcp_some_due(pTHX);    /* any thread: to be collected as soon as perl code runs */
void mcp_wait_begins(struct mcp_coroutine *self); /* by the thread of its section, which is due */
void mcp_never_due(struct mcp_coroutine *self);   /* it is about to be freed */
void mcp_due_forked(void);
HV *mcp_due_here(void);             /* with the baton: the due one whose thread this is; or NULL */
void mcp_switch_to(pTHX_ HV *next); /* from a deputy or the usher */

/* ---- coroutine.c ---- */
struct mcp_coroutine *mcp_look_up(pTHX_ HV *hv); /* its record, maybe a new one; NULL: no memory */
struct mcp_coroutine *mcp_find(pTHX_ HV *hv);    /* NULL: it has none */
static inline struct mcp_coroutine *mcp_current(pTHX) {
    HV *hv = (HV *)SvRV(mcp.coro->current);
    return hv == mcp.last_hv ? mcp.last : mcp_look_up(aTHX_ hv);
}
/* Before its thread may lend the baton: perl's locale is a thread's. */
static inline mc_task *mcp_current_task(pTHX) {
    mcp.locale = uselocale((locale_t)0);
    struct mcp_coroutine *self = mcp_current(aTHX);
    return self ? self->task : NULL;
}
void mcp_ready(pTHX_ HV *hv);         /* as CORO_READY */
void mcp_ready_quietly(pTHX_ HV *hv); /* without Coro's ready hook */

/* ---- deliver.c ---- */
/* With the baton, in an XS function whose section has ended. */
void mcp_deliver(pTHX_ struct mcp_coroutine *coroutine);

/* ---- poll.c: the wait of an event loop as a section ---- */
enum mcp_wait { MCP_WAIT_LIBEV, MCP_WAIT_SELECT };
bool mcp_poll_begin(pTHX_ enum mcp_wait kind); /* true: others ran, what the loop waits for may be stale */
void mcp_poll_end(void);
void mcp_poll_forked(void);
void mcp_kick(void);   /* any thread, async-signal-safe: ends the wait */
int mcp_wake_fd(void); /* with the baton; readable after mcp_ring; -1: none to be had */
void mcp_ring(void);   /* any thread, async-signal-safe */
void mcp_drain_wake(void);
void mcp_renew_wake_fd(void);

/* ---- libev.c, select.c: loops, once their modules are there ---- */
void mcp_find_loops(pTHX);
void mcp_find_libev(pTHX);
void mcp_find_select(pTHX);
void mcp_libev_kick(void);
void mcp_libev_left(void);       /* with the baton: others run while it waits */
void mcp_libev_hold(bool holds); /* EV::run does not return */
void mcp_libev_forked(void);

/* ---- cancel.c ---- */
void mcp_cancel_later(pTHX_ HV *hv); /* when it gives way */

/* ---- fork.c, signal.c ---- */
void mcp_watch_forks(void);
void mcp_after_fork(pTHX); /* in the child, where perl code may run */
void mcp_hook_signals(pTHX);

/* ---- XS functions ---- */
void mcp_boot_cancel(pTHX);
void mcp_boot_due(pTHX);
void mcp_boot_idle(pTHX);
void mcp_boot_scope(pTHX);
void mcp_boot_settings(pTHX);

#endif
