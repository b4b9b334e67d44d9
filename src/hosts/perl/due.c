/* Coroutines whose sections have ended, and how Coro comes to them.
 *
 * Such a coroutine is not put into Coro's queue: the thread of its section may get the baton at any moment,
 * and then goes on with it at once. In the queue there is the usher, a coroutine that when its turn comes
 * switches to one that is due. So sections that end take turns with coroutines that are ready.
 * SPDX-License-Identifier: BSL-1.0
 */
#include "host.h"

static HV *usher;
/* Whose section waited on this thread last; maybe it waits no more. Reached by functions that do not switch.
 */
static __thread struct mcp_coroutine *waits_here;

static bool is_due(const struct mcp_coroutine *lender) {
    return lender->hv != (HV *)SvRV(mcp.coro->current) && mc_task_state(lender->task) == MC_TASK_DUE;
}

static struct mcp_coroutine *first_due(struct mcp_coroutine *lender) {
    while (lender && !is_due(lender)) lender = lender->next;
    return lender;
}

__attribute__((noinline)) void mcp_wait_begins(struct mcp_coroutine *self) { waits_here = self; }

__attribute__((noinline)) HV *mcp_due_here(void) {
    /* Only those in the list are known to be alive. */
    for (struct mcp_coroutine *lender = waits_here ? mcp.lenders : NULL; lender; lender = lender->next)
        if (lender == waits_here) return is_due(lender) ? lender->hv : NULL;
    return NULL;
}

bool mcp_any_due(pTHX) {
    if (!first_due(mcp.lenders)) return false;
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
    if (!first_due(mcp.lenders)) return true;
    __atomic_store_n(&mcp.due, 1, __ATOMIC_SEQ_CST);
    return false;
}

void mcp_some_due(pTHX) {
    __atomic_store_n(&mcp.due, 1, __ATOMIC_SEQ_CST); /* after the state that collect_due reads */
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
    for (struct mcp_coroutine *due; (due = first_due(mcp.lenders));) {
        if (first_due(due->next)) mcp_ready(aTHX_ usher);
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
