/* Signals, and the way into perl from a section that has ended: perl's own, for signals.
 * SPDX-License-Identifier: BSL-1.0
 */
#include "host.h"

static despatch_signals_proc_t original_hook;
static Sighandler_t original_handler;

/* Where perl looks for signals: between ops. */
static void signal_hook(pTHX) {
    mcp_collect_due(aTHX);
    if (mcp.forked) mcp_after_fork(aTHX);
    original_hook(aTHX);
    /* It has cleared PL_sig_pending, maybe one that wake had set meanwhile. */
    if (__atomic_load_n(&mcp.due, __ATOMIC_SEQ_CST)) PL_sig_pending = 1;
}

/* Whoever waits for events may be another thread than the one that has got the signal. */
#ifdef PERL_USE_3ARG_SIGHANDLER
static void signal_handler(int number, Siginfo_t *info, void *context) {
    original_handler(number, info, context);
    mcp_kick();
}
#else
static void signal_handler(int number) {
    original_handler(number);
    mcp_kick();
}
#endif

void mcp_hook_signals(pTHX) {
    original_hook = PL_signalhook;
    PL_signalhook = signal_hook;
    original_handler = PL_csighandlerp;
    PL_csighandlerp = signal_handler;
}
