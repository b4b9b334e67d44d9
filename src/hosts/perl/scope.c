/* scoped_enable, scoped_disable: until the end of perl's scope.
 * SPDX-License-Identifier: BSL-1.0
 */
#include "host.h"

/* What to restore, in one word for the save stack. */
enum { NONE = 3 };

static void leave(pTHX_ void *packed) {
    const IV token = PTR2IV(packed) >> 2;
    const int outer = (int)(PTR2IV(packed) & 3);
    struct mcp_coroutine *self = mcp_current(aTHX);
    if (mc_scope_leave((int)token) == MC_OK && self) self->scope_kind = outer == NONE ? -1 : outer;
}

static void enter(pTHX_ uint32_t kind) {
    if (!mcp.runtime) mcp_start(aTHX);
    struct mcp_coroutine *self = mcp_current(aTHX);
    const int token = self ? mc_scope_enter(kind) : MC_ENOMEM;
    if (token < 0) croak("Coro::Multicore: no scope: %s", mc_status_message(token));
    const IV outer = self->scope_kind < 0 ? NONE : self->scope_kind;
    self->scope_kind = (int)kind;
    LEAVE; /* the caller's scope, not that of this call */
    SAVEDESTRUCTOR_X(leave, INT2PTR(void *, (IV)token << 2 | outer));
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
