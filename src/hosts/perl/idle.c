/* What runs when no coroutine is ready and there is no event loop: sleeps in a section.
 * SPDX-License-Identifier: BSL-1.0
 */
#include <poll.h>

#include "host.h"

static struct mc_site site = {__FILE__, "idle coroutine", 0, 0, {NULL, NULL}};

static void sleep_until_rung(pTHX_ struct mcp_coroutine *self) {
    const int token = mc_scope_enter(MC_SCOPE_ENABLE);
    struct pollfd fd = {mcp_wake_fd(), POLLIN, 0};
    self->idles = true;
    __atomic_store_n(&mcp.idles, true, __ATOMIC_SEQ_CST);
    mcp_release(&site);
    poll(&fd, 1, fd.fd < 0 ? 10 : -1);
    mcp_acquire(&site);
    __atomic_store_n(&mcp.idles, false, __ATOMIC_SEQ_CST);
    mcp_drain_wake();
    self->idles = false;
    mc_scope_leave(token);
    PERL_UNUSED_CONTEXT;
}

/* _sleep(): false: nobody is in a section, so nobody will ever be ready. */
XS_EXTERNAL(mcp_xs_sleep_idle) {
    dXSARGS;
    PERL_UNUSED_VAR(items);
    if (mcp.forked) mcp_after_fork(aTHX);
    struct mcp_coroutine *self = mcp.runtime ? mcp_current(aTHX) : NULL;
    mcp_collect_due(aTHX);
    if (!self || (mcp.sections == 0 && mcp.coro->nready == 0)) XSRETURN_NO;
    if (mcp.coro->nready == 0) sleep_until_rung(aTHX_ self);
    XSRETURN_YES;
}

/* _idle_is(coroutine): the one that sleeps so */
XS_EXTERNAL(mcp_xs_idle_is) {
    dXSARGS;
    PERL_UNUSED_VAR(items);
    mcp.own_idle = (HV *)SvRV(ST(0));
    XSRETURN_EMPTY;
}

void mcp_boot_idle(pTHX) {
    mcp.idle = get_sv("Coro::idle", GV_ADD);
    newXS("Coro::Multicore::_sleep", mcp_xs_sleep_idle, __FILE__);
    newXS("Coro::Multicore::_idle_is", mcp_xs_idle_is, __FILE__);
}
