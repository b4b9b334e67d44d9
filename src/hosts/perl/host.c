/* The runtime, and the hooks by which it drives Coro.
 * SPDX-License-Identifier: BSL-1.0
 */
#include <unistd.h>

#include "host.h"

struct mcp_host mcp;

static mc_task *current(void *unused) {
    (void)unused;
    if (mcp.dead) return NULL;
    dTHXa(mcp.perl);
    return mcp_current_task(aTHX);
}

static int ready(void *unused) {
    (void)unused;
    return mcp_others_ready();
}

static void wake(void *unused) {
    (void)unused;
    dTHXa(mcp.perl);
    mcp_wait_begins(mc_task_data(mc_task_current()));
    mcp_some_due(aTHX);
    if (__atomic_load_n(&mcp.announce, __ATOMIC_RELAXED)) mcp_kick();
}

/* Not amid a sort or a compilation: there Coro cannot switch either. */
static bool can_switch(pTHX) {
    if (PL_parser && PL_parser->lex_state != LEX_NOTPARSING) return false;
    for (const PERL_SI *info = PL_curstackinfo; info; info = info->si_prev)
        if (info->si_type == PERLSI_SORT) return false;
    return true;
}

static int may_lend(void *unused) {
    (void)unused;
    dTHXa(mcp.perl);
    return can_switch(aTHX);
}

bool mcp_may_switch(pTHX) {
    const struct mcp_coroutine *self = mcp_current(aTHX);
    if (!self || mcp.dead || !can_switch(aTHX)) return false;
    return self->scope_kind < 0 ? mcp.enabled : self->scope_kind == MC_SCOPE_ENABLE;
}

static void taken(void *unused, mc_task *task) {
    (void)unused, (void)task;
    if (mcp.locale) uselocale(mcp.locale);
}

static void enlist(struct mcp_coroutine *self) {
    self->lends = true;
    self->left = false;
    self->previous = NULL;
    self->next = mcp.lenders;
    if (self->next) self->next->previous = self;
    mcp.lenders = self;
    if (!self->polls && !self->idles && mcp.sections++ == 0) mcp_libev_hold(true);
}

static void delist(struct mcp_coroutine *self) {
    self->lends = false;
    if (self->next) self->next->previous = self->previous;
    if (self->previous)
        self->previous->next = self->next;
    else
        mcp.lenders = self->next;
    if (!self->polls && !self->idles && --mcp.sections == 0) mcp_libev_hold(false);
}

static bool anything_ready(void) { return mcp.coro->nready > 0 || mcp_idle_wants(); }

static void switch_away(pTHX_ struct mcp_coroutine *self, HV *next) {
    if (self->polls) {
        /* As if it had given way: the loop has its turn again. */
        mcp_ready_quietly(aTHX_ self->hv);
        if (!self->left) mcp_libev_left();
        self->left = true;
    }
    next ? mcp_switch_to(aTHX_ next) : mcp.coro->schedule(aTHX);
}

/* The section has ended before anybody else had a turn. They have one now, and the loop its wait, or carriers
 * would come for them again and again. */
static void have_a_turn(pTHX_ struct mcp_coroutine *self, HV *first) {
    if (first || mcp.coro->nready > 0) {
        mcp_some_due(aTHX);
        switch_away(aTHX_ self, first);
    } else if (mcp_idle_wants() && mcp_forget_due(aTHX)) {
        /* So the loop does not look for it before it waits, which gives way. */
        switch_away(aTHX_ self, (HV *)SvRV(mcp.idle));
    }
}

static void schedule_others(pTHX_ struct mcp_coroutine *self) {
    /* First the one that waits on this very thread: no other thread is needed to go on with it. */
    HV *first = mcp_due_here();
    if (mc_task_state(self->task) == MC_TASK_DUE) {
        have_a_turn(aTHX_ self, first);
        first = NULL;
    }
    while (mc_task_state(self->task) != MC_TASK_DUE) {
        mcp_collect_due(aTHX);
        if (mc_task_state(self->task) == MC_TASK_DUE) break;
        if (!first && !anything_ready()) {
            /* What ran meanwhile may have changed what the loop waits for. */
            if (self->left || (self->idles && mcp.sections == 0)) mcp_kick();
            self->left = false;
            break;
        }
        switch_away(aTHX_ self, first);
        first = NULL;
    }
}

/* There is no frame that could catch it: the XS function's are in use. */
static void die_here(pTHX) {
    PerlIO_printf(PerlIO_stderr(), "Coro::Multicore: an exception in Coro's ready hook: %s\n",
                  SvPV_nolen(ERRSV));
    PerlIO_flush(NULL);
    _exit(255);
}

/* To Coro, this stack is the lender's until it returns. */
static void run(void *unused, mc_task *lender) {
    (void)unused;
    dTHXa(mcp.perl);
    struct mcp_coroutine *self = mc_task_data(lender);
    /* Until the section has ended its coroutine lives, and so does what its C code uses. */
    SvREFCNT_inc_simple_void_NN((SV *)self->hv);
    enlist(self);
    mcp_find_loops(aTHX);
    dSP;
    /* Coro's ready hook may be perl code: not on the stack that the XS function uses, and if it dies, not
     * through its frames. */
    PUSHSTACKi(PERLSI_UNKNOWN);
    dJMPENV;
    int died = 0;
    JMPENV_PUSH(died);
    if (died) die_here(aTHX);
    schedule_others(aTHX_ self);
    JMPENV_POP;
    SPAGAIN;
    POPSTACK;
    delist(self);
    mcp.locale = uselocale((locale_t)0);
    SvREFCNT_dec_NN((SV *)self->hv); /* the current one: Coro has another */
}

static void thread_start(void *unused) {
    (void)unused;
    dTHXa(mcp.perl);
    PERL_SET_CONTEXT(aTHX); /* for signal handlers, and what looks for it there */
}

void mcp_start(pTHX) {
    mc_host host = MC_HOST_INIT;
    host.flags = MC_HOST_OWN_SCHEDULER;
    host.taken = taken;
    host.may_lend = may_lend;
    host.current = current;
    host.ready = ready;
    host.run = run;
    host.wake = wake;
    mc_runtime_options options = mcp.options;
    options.name = "perl";
    options.host = &host;
    options.thread_start = thread_start;
    mcp.locale = uselocale((locale_t)0);
    mc_runtime *runtime = NULL;
    mc_status status = mc_runtime_create(&options, &runtime);
    if (status == MC_OK) status = mc_attach(runtime, NULL, MC_FOREVER, NULL);
    if (status != MC_OK) {
        mc_runtime_destroy(runtime);
        croak("Coro::Multicore: cannot start: %s (%s)", mc_status_message(status), mc_status_name(status));
    }
    mc_enable(runtime, mcp.enabled);
    mcp.runtime = runtime;
    mcp_find_loops(aTHX);
}
