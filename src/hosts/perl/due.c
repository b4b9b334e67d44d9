/* Coroutines whose sections have ended, and how Coro comes to them.
 *
 * Such a coroutine is not put into Coro's queue: the thread of its section may get the baton at any moment,
 * and then goes on with it at once. In the queue there is the usher, a coroutine that when its turn comes
 * switches to one that is due. So sections that end take turns with coroutines that are ready.
 * SPDX-License-Identifier: BSL-1.0
 */
#include "host.h"

static HV *usher;

/* Whose sections have ended: first they come here, from any thread, the newest first, ... */
static struct mcp_coroutine *ended;
/* ... then, with the baton, here. Those that are due no more are dropped when somebody comes across them. */
static TAILQ_HEAD(due_queue, mcp_coroutine) queue = TAILQ_HEAD_INITIALIZER(queue);

/* Whose section waits on this thread, or did last. Reached by functions that do not switch. */
static __thread struct mcp_coroutine *waits_here;

static bool is_due(const struct mcp_coroutine *coroutine) {
    return mc_task_state(coroutine->task) == MC_TASK_DUE;
}

/* By the thread of its section, or with the baton. */
static void list(struct mcp_coroutine *self) {
    /* Together with unlist: whoever comes second sees that the other was there. */
    if (__atomic_exchange_n(&self->is_listed, true, __ATOMIC_SEQ_CST)) return;
    struct mcp_coroutine *newest = __atomic_load_n(&ended, __ATOMIC_RELAXED);
    do self->next_ended = newest;
    while (!__atomic_compare_exchange_n(&ended, &newest, self, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
}

static void enqueue_ended(void) {
    if (!__atomic_load_n(&ended, __ATOMIC_RELAXED)) return; /* what comes later sets mcp.due later */
    struct mcp_coroutine *before = TAILQ_LAST(&queue, due_queue);
    for (struct mcp_coroutine *each = __atomic_exchange_n(&ended, NULL, __ATOMIC_ACQUIRE); each;
         each = each->next_ended) {
        if (before)
            TAILQ_INSERT_AFTER(&queue, before, each, due);
        else
            TAILQ_INSERT_HEAD(&queue, each, due);
    }
}

static void unlist(struct mcp_coroutine *self) {
    TAILQ_REMOVE(&queue, self, due);
    (void)__atomic_exchange_n(&self->is_listed, false, __ATOMIC_SEQ_CST);
    if (is_due(self)) list(self); /* just now */
}

/* The next one after `before`, or the first. The current one has no deputy that could be switched to. */
static struct mcp_coroutine *next_due(struct mcp_coroutine *before) {
    enqueue_ended();
    struct mcp_coroutine *each = before ? TAILQ_NEXT(before, due) : TAILQ_FIRST(&queue);
    while (each) {
        struct mcp_coroutine *next = TAILQ_NEXT(each, due);
        if (!is_due(each))
            unlist(each);
        else if (each->hv != (HV *)SvRV(mcp.coro->current))
            return each;
        each = next;
    }
    return NULL;
}

__attribute__((noinline)) void mcp_wait_begins(struct mcp_coroutine *self) {
    waits_here = self;
    list(self);
}

/* It is not for long that others are due before it: the threads stand in the line in the same order. */
__attribute__((noinline)) HV *mcp_due_here(void) {
    if (!waits_here) return NULL;
    /* Only those in the queue are known to be alive. */
    struct mcp_coroutine *each = NULL;
    while ((each = next_due(each)) && each != waits_here) {
    }
    if (!each) waits_here = NULL; /* it waits no more */
    return each ? each->hv : NULL;
}

void mcp_never_due(struct mcp_coroutine *self) {
    enqueue_ended();
    if (self->is_listed) TAILQ_REMOVE(&queue, self, due);
}

void mcp_due_forked(void) {
    enqueue_ended();
    for (struct mcp_coroutine *each; (each = TAILQ_FIRST(&queue));) {
        TAILQ_REMOVE(&queue, each, due);
        each->is_listed = false;
    }
    /* Nor those that were amid it. */
    for (struct mcp_coroutine *each = mcp.lenders; each; each = each->next) each->is_listed = false;
}

bool mcp_any_due(pTHX) {
    if (!next_due(NULL)) return false;
    mcp_ready(aTHX_ usher);
    return true;
}

void mcp_collect_due(pTHX) {
    /* Cleared before the look: what comes later sets it again. */
    if (__atomic_load_n(&mcp.due, __ATOMIC_RELAXED) && __atomic_exchange_n(&mcp.due, 0, __ATOMIC_SEQ_CST))
        mcp_any_due(aTHX);
}

bool mcp_forget_due(pTHX) {
    if (!__atomic_load_n(&mcp.due, __ATOMIC_RELAXED) || !__atomic_exchange_n(&mcp.due, 0, __ATOMIC_SEQ_CST))
        return true;
    if (!next_due(NULL)) return true;
    __atomic_store_n(&mcp.due, 1, __ATOMIC_SEQ_CST);
    return false;
}

void mcp_some_due(pTHX) {
    __atomic_store_n(&mcp.due, 1, __ATOMIC_SEQ_CST); /* after what next_due reads */
    /* As a signal handler does: perl comes to signal_hook. */
    __atomic_store_n(&PL_sig_pending, 1, __ATOMIC_SEQ_CST);
}

void mcp_switch_to(pTHX_ HV *next) {
    SV *before = SvRV(mcp.coro->current);
    SvRV_set(mcp.coro->current, SvREFCNT_inc_simple_NN((SV *)next));
    SvREFCNT_dec_NN(before); /* not the last one: the usher's, or that of a deputy */
    mcp.coro->transfer(aTHX_ before, (SV *)next);
}

/* _usher(): switches to those that are due, one each time it has its turn; returns when there is none. */
XS_EXTERNAL(mcp_xs_usher) {
    dXSARGS;
    PERL_UNUSED_VAR(items);
    for (struct mcp_coroutine *due; (due = next_due(NULL));) {
        if (next_due(due)) mcp_ready(aTHX_ usher);
        TAILQ_REMOVE(&queue, due, due); /* if it is due again by the next look, it is not the first again */
        TAILQ_INSERT_TAIL(&queue, due, due);
        mcp_switch_to(aTHX_ due->hv);
        /* Its turn again, which has used up what made it ready: so it looks before it waits. */
    }
    XSRETURN_EMPTY;
}

/* _usher_is(coroutine): the one that calls it in a loop */
XS_EXTERNAL(mcp_xs_usher_is) {
    dXSARGS;
    PERL_UNUSED_VAR(items);
    usher = (HV *)SvRV(ST(0));
    XSRETURN_EMPTY;
}

void mcp_boot_due(pTHX) {
    newXS("Coro::Multicore::_usher", mcp_xs_usher, __FILE__);
    newXS("Coro::Multicore::_usher_is", mcp_xs_usher_is, __FILE__);
}
