/* A forked child: goes on with the coroutines that were not in a section.
 * SPDX-License-Identifier: BSL-1.0
 */
#include <pthread.h>

#include "host.h"

static void in_child(void) {
    dTHXa(mcp.perl);
    mcp.forked = 1;
    PL_sig_pending = 1; /* the rest once perl runs */
}

void mcp_watch_forks(void) { pthread_atfork(NULL, NULL, in_child); }

/* Threads of sections are not there: those coroutines are cancelled, and who joins them is woken. */
void mcp_after_fork(pTHX) {
    mcp.forked = 0;
    if (!mcp.runtime) return;
    mcp_renew_wake_fd();
    mcp_libev_forked();
    mcp_poll_forked();
    mcp_due_forked();
    __atomic_store_n(&mcp.idles, false, __ATOMIC_RELAXED);
    AV *lost = newAV();
    HV *self = (HV *)SvRV(mcp.coro->current);
    for (struct mcp_coroutine *lender = mcp.lenders; lender; lender = lender->next)
        if (lender->hv != self) av_push(lost, newRV_inc((SV *)lender->hv));
    mcp.lenders = NULL;
    mcp.sections = 0;
    mcp_libev_hold(false);
    dSP;
    ENTER;
    SAVETMPS;
    PUSHMARK(SP);
    XPUSHs(sv_2mortal(newRV_noinc((SV *)lost)));
    PUTBACK;
    call_pv("Coro::Multicore::_lost", G_DISCARD | G_VOID | G_EVAL | G_KEEPERR);
    FREETMPS;
    LEAVE;
}
