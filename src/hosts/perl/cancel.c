/* cancel of a coroutine in a section: comes to pass as its XS function returns.
 * SPDX-License-Identifier: BSL-1.0
 */
#include "host.h"

/* _defer_cancel(coroutine, status...): true: its section is open, and has been told. */
XS_EXTERNAL(mcp_xs_defer_cancel) {
    dXSARGS;
    if (!mcp.lenders || items < 1 || !SvROK(ST(0)) || SvTYPE(SvRV(ST(0))) != SVt_PVHV) XSRETURN_NO;
    struct mcp_coroutine *target = mcp_find(aTHX_(HV *) SvRV(ST(0)));
    if (!target || !target->lends) XSRETURN_NO;
    if (target->cancelled) XSRETURN_YES; /* the first one counts */
    AV *arguments = newAV();
    for (int i = 1; i < items; i++) av_push(arguments, newSVsv(ST(i)));
    target->cancelled = arguments;
    ++mcp.cancelled;
    XSRETURN_YES;
}

void mcp_boot_cancel(pTHX) { newXS("Coro::Multicore::_defer_cancel", mcp_xs_defer_cancel, __FILE__); }
