/* scoped_enable, scoped_disable: until the end of perl's scope.
 * SPDX-License-Identifier: BSL-1.0
 */
#include "host.h"

static void leave(pTHX_ void *token) {
    PERL_UNUSED_CONTEXT;
    mc_scope_leave((int)(IV)token);
}

static void enter(pTHX_ uint32_t kind) {
    if (!mcp.runtime) mcp_start(aTHX);
    const int token = mc_scope_enter(kind);
    if (token < 0) croak("Coro::Multicore: no scope: %s", mc_status_message(token));
    LEAVE; /* the caller's scope, not that of this call */
    SAVEDESTRUCTOR_X(leave, (void *)(IV)token);
    ENTER;
}

XS_EXTERNAL(mcp_xs_scoped_enable) {
    dXSARGS;
    PERL_UNUSED_VAR(items);
    enter(aTHX_ MC_SCOPE_ENABLE);
    XSRETURN_EMPTY;
}

XS_EXTERNAL(mcp_xs_scoped_disable) {
    dXSARGS;
    PERL_UNUSED_VAR(items);
    enter(aTHX_ MC_SCOPE_DISABLE);
    XSRETURN_EMPTY;
}

void mcp_boot_scope(pTHX) {
    newXSproto("Coro::Multicore::scoped_enable", mcp_xs_scoped_enable, __FILE__, "");
    newXSproto("Coro::Multicore::scoped_disable", mcp_xs_scoped_disable, __FILE__, "");
}
