/* Exceptions and cancels that came during a section: at the return of the XS function.
 *
 * An XS function returns to the op that follows the one in PL_op. So that is set to a copy of its call which
 * is followed by an op of ours: no frame of C is jumped over, and an eval around the call catches it.
 *
 * Rejected: croak in the acquire (jumps over the function's own clean-up); PL_signalhook (is looked at later,
 * when the eval may be over).
 * SPDX-License-Identifier: BSL-1.0
 */
#include "host.h"

/* Leaves every scope of the coroutine, innermost first, so that its guards run; Coro would leave them in one
 * go, with the variables of the wrong sub. */
static void unwind(pTHX) {
    while (PL_curstackinfo->si_prev) { /* callbacks that perl itself makes: tie, overload, DESTROY */
        dSP;
        dounwind(-1);
        POPSTACK;
        PERL_UNUSED_VAR(sp);
    }
    dounwind(-1);
    FREETMPS;
}

/* Calls Coro::Multicore::_finish with what was given to cancel. */
static OP *finish(pTHX_ struct mcp_coroutine *self) {
    AV *arguments = self->cancelled;
    self->cancelled = NULL; /* what the guards call is not cancelled */
    --mcp.cancelled;
    unwind(aTHX);
    sv_2mortal((SV *)arguments);
    dSP;
    PUSHMARK(SP);
    for (SSize_t i = 0; i <= av_top_index(arguments); i++) XPUSHs(*av_fetch(arguments, i, 0));
    XPUSHs((SV *)get_cv("Coro::Multicore::_finish", 0));
    PUTBACK;
    self->call.op_flags = OPf_WANT_VOID | OPf_STACKED;
    self->call.op_private = 0;
    self->call.op_next = NULL; /* Coro::terminate does not return */
    PL_op = (OP *)&self->call;
    return PL_ppaddr[OP_ENTERSUB](aTHX);
}

static OP *pp_deliver(pTHX) {
    struct mcp_coroutine *self = mcp_current(aTHX);
    self->scope = 0;
    PL_op = self->original;
    if (self->cancelled) return finish(aTHX_ self);
    SV *exception = mcp.coro->except;
    if (!exception) return NORMAL;
    mcp.coro->except = NULL;
    sv_setsv(ERRSV, exception);
    SvREFCNT_dec_NN(exception);
    croak(NULL);
    return NORMAL;
}

void mcp_deliver(pTHX_ struct mcp_coroutine *self) {
    if (!mcp.coro->except && !self->cancelled) return;
    OP *call = PL_op;
    /* In these perl does not go on at the next op, drops exceptions, or would destroy an object twice. */
    const I32 type = PL_curstackinfo->si_type;
    if (!call || call->op_type != OP_ENTERSUB || type == PERLSI_SORT || type == PERLSI_DESTROY) {
        if (self->cancelled) mcp_cancel_later(aTHX_ self->hv);
        return;
    }
    /* A function further out is to deliver it, unless an exception ended that one. */
    if (self->scope && self->scope < PL_scopestack_ix) return;
    self->scope = PL_scopestack_ix;
    if (call != (OP *)&self->call) self->original = call;
    self->call = *(UNOP *)self->original;
    self->deliver = (OP){0};
    self->deliver.op_type = OP_CUSTOM;
    self->deliver.op_ppaddr = pp_deliver;
    self->deliver.op_next = self->original->op_next;
    self->call.op_next = &self->deliver;
    PL_op = (OP *)&self->call;
}
