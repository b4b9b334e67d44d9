/* From spawn to end.
 * SPDX-License-Identifier: BSL-1.0
 */
#include "task.h"

#include "host.h"
#include "raise.h"

#define BOX DUK_HIDDEN_SYMBOL("multicore.box")

/* ---- handle and box ---- */

static duk_ret_t finalise_box(duk_context *ctx) {
    duk_get_prop_string(ctx, 0, MCD_TASK);
    struct mcd_task *k = duk_get_buffer(ctx, -1, NULL);
    if (!k || !k->task) return 0;
    if (k->failed && !k->observed && !k->cancelled) {
        duk_get_prop_string(ctx, 0, MCD_VALUE);
        mcd_report(ctx, k);
    }
    mc_task_unref(k->task);
    k->task = NULL;
    return 0;
}

struct mcd_task *mcd_push_new_task(duk_context *ctx, struct mcd_host *h) {
    duk_require_stack(ctx, 8);
    duk_push_object(ctx); /* the handle */
    duk_push_heapptr(ctx, h->module);
    duk_get_prop_string(ctx, -1, DUK_HIDDEN_SYMBOL("Task"));
    duk_set_prototype(ctx, -3);
    duk_pop(ctx);

    duk_push_bare_object(ctx); /* the box */
    struct mcd_task *k = duk_push_fixed_buffer(ctx, sizeof *k);
    k->host = h;
    k->box = duk_get_heapptr(ctx, -2);
    duk_put_prop_string(ctx, -2, MCD_TASK);
    duk_push_thread(ctx);
    k->ctx = duk_get_context(ctx, -1);
    duk_put_prop_string(ctx, -2, MCD_THREAD);
    duk_push_c_function(ctx, finalise_box, 1);
    duk_set_finalizer(ctx, -2);
    duk_put_prop_string(ctx, -2, BOX);
    return k;
}

struct mcd_task *mcd_this_task(duk_context *ctx) {
    duk_push_this(ctx);
    struct mcd_task *k = NULL;
    if (duk_is_object(ctx, -1) && duk_get_prop_string(ctx, -1, BOX)) {
        duk_get_prop_string(ctx, -1, MCD_TASK);
        k = duk_get_buffer(ctx, -1, NULL);
    }
    if (!k) (void)duk_type_error(ctx, "not a task: call this as a method of what multicore.spawn returned");
    duk_pop_3(ctx); /* `this` of the function keeps it alive */
    return k;
}

/* Leaves [anchors, key]. */
static void push_anchor(duk_context *ctx, struct mcd_task *k) {
    duk_push_heap_stash(ctx);
    duk_get_prop_string(ctx, -1, MCD_ANCHORS);
    duk_remove(ctx, -2);
    duk_push_pointer(ctx, k);
}

void mcd_anchor(duk_context *ctx, struct mcd_task *k) {
    push_anchor(ctx, k);
    duk_dup(ctx, -3);
    duk_put_prop(ctx, -3);
    duk_pop(ctx);
}

void mcd_push_handle(duk_context *ctx, struct mcd_task *k) {
    push_anchor(ctx, k);
    duk_get_prop(ctx, -2);
    duk_remove(ctx, -2);
}

/* ---- the end ---- */

static duk_ret_t drop(duk_context *ctx, void *arg) {
    struct mcd_task *k = arg;
    duk_push_heapptr(ctx, k->box); /* keeps k until we return */
    push_anchor(ctx, k);
    duk_del_prop(ctx, -2);
    duk_del_prop_string(ctx, -2, MCD_THREAD);
    return 0;
}

void mcd_task_drop(struct mcd_task *k) {
    struct mcd_host *h = k->host;
    if (h->current == k) {
        /* A body that returned has left them clear. */
        if (!k->ended) mcd_clear_registers(k->ctx);
        h->current = NULL;
    }
    k->ctx = NULL;
    duk_safe_call(h->service, drop, k, 0, 1);
    duk_pop(h->service); /* on failure, for want of memory, the task stays where it is */
}

/* With the baton, when the task has ended in whatever way, perhaps amid another task's code. */
static void on_destroy(void *data) {
    struct mcd_task *k = data;
    if (!k->ended) k->cancelled = 1;
    mcd_task_drop(k);
}

/* ---- the body ---- */

static duk_ret_t keep_value(duk_context *ctx, void *arg) {
    const struct mcd_task *k = arg;
    duk_push_heapptr(ctx, k->box);
    duk_insert(ctx, -2);
    duk_put_prop_string(ctx, -2, MCD_VALUE);
    return 0;
}

static void run_body(void *arg) {
    struct mcd_task *k = arg;
    jmp_buf out;
    if (setjmp(out) != 0) return; /* by mcd_raise: not ended as far as on_destroy is concerned */
    k->way_out = &out;
    k->failed = duk_pcall(k->ctx, k->nargs) != DUK_EXEC_SUCCESS;
    k->way_out = NULL;
    if (duk_safe_call(k->ctx, keep_value, k, 1, 1) != DUK_EXEC_SUCCESS) k->failed = 1;
    duk_pop(k->ctx);
    k->ended = 1;
}

void mcd_spawn(duk_context *ctx, struct mcd_host *h) {
    duk_idx_t count = duk_get_top(ctx);
    duk_require_stack(ctx, count + 8);
    struct mcd_task *k = mcd_push_new_task(ctx, h);
    duk_insert(ctx, 0);
    mc_task_options options = MC_TASK_OPTIONS_INIT;
    options.data = k;
    options.destroy = on_destroy;
    duk_get_prop_string(ctx, 1, "name");
    options.name = duk_get_string(ctx, -1);
    if (options.name && !*options.name) options.name = NULL;

    k->nargs = count - 1;
    if (!duk_check_stack(k->ctx, count)) (void)duk_range_error(ctx, "spawn: too many arguments");
    for (duk_idx_t i = 1; i <= count; i++) duk_dup(ctx, i);
    duk_xmove_top(k->ctx, ctx, count);
    duk_dup(ctx, 0);
    mcd_anchor(ctx, k);
    mc_status status = mc_task_spawn(h->runtime, run_body, k, &options, &k->task);
    if (status != MC_OK) {
        mcd_task_drop(k);
        mcd_throw(ctx, status, "spawn", mc_status_message(status));
    }
    duk_set_top(ctx, 1);
}
