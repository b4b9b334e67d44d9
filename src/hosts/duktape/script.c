/* The object `multicore`, as scripts see it.
 * SPDX-License-Identifier: BSL-1.0
 */
#include "host.h"
#include "raise.h"

/* spawn(f, ...args) -> task */
static duk_ret_t spawn(duk_context *ctx) {
    struct mcd_task *self = mcd_self(ctx, "spawn");
    if (!duk_is_function(ctx, 0)) (void)duk_type_error(ctx, "spawn: the first argument must be a function");
    mcd_spawn(ctx, self->host);
    return 1;
}

/* self() -> the task that calls */
static duk_ret_t self_task(duk_context *ctx) {
    mcd_push_handle(ctx, mcd_self(ctx, "self"));
    return 1;
}

static duk_ret_t yield(duk_context *ctx) {
    struct mcd_task *k = mcd_suspending_self(ctx, "yield");
    mc_status status = mc_task_yield();
    if (status != MC_OK) mcd_raise(ctx, k, status, "yield");
    return 0;
}

/* sleep(seconds) */
static duk_ret_t sleep(duk_context *ctx) {
    uint64_t duration = mcd_seconds(ctx, 0, 0);
    struct mcd_task *k = mcd_suspending_self(ctx, "sleep");
    mc_status status = mc_task_sleep(duration);
    if (status != MC_OK) mcd_raise(ctx, k, status, "sleep");
    return 0;
}

/* join([seconds]) -> what the function returned; throws what it threw */
static duk_ret_t join(duk_context *ctx) {
    struct mcd_task *other = mcd_this_task(ctx);
    uint64_t timeout = mcd_seconds(ctx, 0, MC_FOREVER);
    if (mc_task_result(other->task) == MC_EAGAIN) {
        struct mcd_task *k = mcd_suspending_self(ctx, "join");
        mc_status status = mc_task_join(other->task, timeout);
        if (status != MC_OK) mcd_raise(ctx, k, status, "join");
    }
    if (!other->ended) mcd_throw(ctx, MC_ECANCELED, "join", "the task was cancelled");
    duk_push_heapptr(ctx, other->box);
    duk_bool_t kept = duk_get_prop_string(ctx, -1, MCD_VALUE);
    if (!other->failed) return 1;
    other->observed = 1;
    if (!kept) mcd_throw(ctx, MC_ENOMEM, "join", "no memory for what the task returned");
    return duk_throw(ctx);
}

/* interrupt([error]) -> whether the task will notice */
static duk_ret_t interrupt(duk_context *ctx) {
    struct mcd_task *other = mcd_this_task(ctx);
    mcd_self(ctx, "interrupt");
    duk_bool_t given = !duk_is_undefined(ctx, 0);
    mc_status status = other->ended ? MC_EINVAL : mc_task_interrupt(other->task, NULL);
    if (status == MC_OK && given) {
        duk_push_heapptr(ctx, other->box);
        duk_dup(ctx, 0);
        duk_put_prop_string(ctx, -2, MCD_INTERRUPT); /* it cannot notice before we let it run */
    }
    duk_push_boolean(ctx, status == MC_OK);
    return 1;
}

static duk_ret_t get_done(duk_context *ctx) {
    const struct mcd_task *k = mcd_this_task(ctx);
    duk_push_boolean(ctx, mc_task_result(k->task) != MC_EAGAIN);
    return 1;
}

static duk_ret_t get_name(duk_context *ctx) {
    duk_push_string(ctx, mc_task_name(mcd_this_task(ctx)->task));
    return 1;
}

static void define_getter(duk_context *ctx, const char *name, duk_c_function getter) {
    duk_push_string(ctx, name);
    duk_push_c_function(ctx, getter, 0);
    duk_def_prop(ctx, -3,
                 DUK_DEFPROP_HAVE_GETTER | DUK_DEFPROP_SET_ENUMERABLE | DUK_DEFPROP_SET_CONFIGURABLE);
}

void mcd_push_module(duk_context *ctx) {
    static const duk_function_list_entry functions[] = {{"spawn", spawn, DUK_VARARGS},
                                                        {"self", self_task, 0},
                                                        {"yield", yield, 0},
                                                        {"sleep", sleep, 1},
                                                        {NULL, NULL, 0}};
    static const duk_function_list_entry methods[] = {
        {"join", join, 1}, {"interrupt", interrupt, 1}, {NULL, NULL, 0}};
    duk_push_object(ctx);
    duk_put_function_list(ctx, -1, functions);
    duk_push_object(ctx); /* the prototype of tasks */
    duk_put_function_list(ctx, -1, methods);
    define_getter(ctx, "done", get_done);
    define_getter(ctx, "name", get_name);
    duk_put_prop_string(ctx, -2, DUK_HIDDEN_SYMBOL("Task"));
}
