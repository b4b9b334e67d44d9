/* cancel of a coroutine in a section: comes to pass as its XS function returns (deliver.c), or, where that
 * cannot be, when the coroutine gives way.
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

static AV *late;      /* @Coro::Multicore::_late */
static SV *canceller; /* the coroutine that sees to them */

void mcp_cancel_later(pTHX_ HV *hv) {
    av_push(late, newRV_inc((SV *)hv));
    mcp_ready(aTHX_(HV *) SvRV(canceller));
}

/* _take_cancel(coroutine): false: has come to pass, or will after the section that is open now; else a
 * reference to what cancel was given. */
XS_EXTERNAL(mcp_xs_take_cancel) {
    dXSARGS;
    PERL_UNUSED_VAR(items);
    struct mcp_coroutine *target = mcp_find(aTHX_(HV *) SvRV(ST(0)));
    if (!target || !target->cancelled || target->lends) XSRETURN_NO;
    ST(0) = sv_2mortal(newRV_noinc((SV *)target->cancelled));
    target->cancelled = NULL;
    --mcp.cancelled;
    XSRETURN(1);
}

void mcp_boot_cancel(pTHX) {
    late = get_av("Coro::Multicore::_late", GV_ADD);
    canceller = get_sv("Coro::Multicore::_canceller", GV_ADD);
    newXS("Coro::Multicore::_defer_cancel", mcp_xs_defer_cancel, __FILE__);
    newXS("Coro::Multicore::_take_cancel", mcp_xs_take_cancel, __FILE__);
}
