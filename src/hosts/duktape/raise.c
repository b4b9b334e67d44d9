/* SPDX-License-Identifier: BSL-1.0 */
#include "raise.h"

#include <math.h>

/* A script may catch this many cancellations before its task ends all the same. */
#define PATIENCE 100

void mcd_throw(duk_context *ctx, mc_status status, const char *what, const char *why) {
    duk_push_error_object(ctx, DUK_ERR_ERROR, "%s: %s", what, why);
    duk_push_string(ctx, mc_status_name(status));
    duk_put_prop_string(ctx, -2, "code");
    duk_throw(ctx);
}

static void raise_interrupt(duk_context *ctx, struct mcd_task *k, const char *what) {
    mc_task_take_interrupt(k->task, NULL);
    duk_push_heapptr(ctx, k->box);
    duk_bool_t given = duk_get_prop_string(ctx, -1, MCD_INTERRUPT);
    duk_del_prop_string(ctx, -2, MCD_INTERRUPT);
    if (given) duk_throw(ctx);
    mcd_throw(ctx, MC_EINTR, what, "interrupted");
}

void mcd_raise(duk_context *ctx, struct mcd_task *k, mc_status status, const char *what) {
    switch (status) {
        case MC_EINTR: raise_interrupt(ctx, k, what); break;
        case MC_ECANCELED:
        case MC_ESHUTDOWN:
            k->cancelled = 1;
            /* Duktape has no error that a script cannot catch. Its frames are left as a thrown error leaves
             * them; its thread is never run again. */
            if (++k->cancellations > PATIENCE && k->way_out) longjmp(*k->way_out, 1);
            mcd_throw(ctx, MC_ECANCELED, what, "the task is cancelled");
            break;
        case MC_EPERM:
            mcd_throw(ctx, status, what, "cannot suspend here; leave the atomic scope first");
            break;
        case MC_EDEADLK: mcd_throw(ctx, status, what, "a task cannot wait for itself"); break;
        default: mcd_throw(ctx, status, what, mc_status_message(status));
    }
}

struct mcd_host *mcd_open_host(duk_context *ctx, const char *what) {
    struct mcd_host *h = mcd_host_of(ctx);
    if (!h || !h->runtime) mcd_throw(ctx, MC_ESHUTDOWN, what, "multicore has been closed");
    return h;
}

struct mcd_task *mcd_self(duk_context *ctx, const char *what) {
    struct mcd_host *h = mcd_open_host(ctx, what);
    if (!h->current)
        mcd_throw(ctx, MC_EPERM, what, "this thread runs no task of the heap; call mc_duktape_enter first");
    return h->current;
}

struct mcd_task *mcd_suspending_self(duk_context *ctx, const char *what) {
    struct mcd_task *k = mcd_self(ctx, what);
    if (mcd_in_finaliser(k->host))
        mcd_throw(ctx, MC_EPERM, what,
                  "cannot suspend in a finaliser or in the root context; spawn a task, or use the context "
                  "that mc_duktape_open gave");
    return k;
}

uint64_t mcd_seconds(duk_context *ctx, duk_idx_t index, uint64_t fallback) {
    if (duk_is_undefined(ctx, index)) return fallback;
    double seconds = duk_require_number(ctx, index);
    if (isnan(seconds)) (void)duk_range_error(ctx, "not a time (NaN)");
    if (seconds <= 0) return 0;
    return seconds < 9e9 ? (uint64_t)(seconds * 1e9) : MC_FOREVER; /* 285 years */
}
