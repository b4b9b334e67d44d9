/* How a heap gets a runtime.
 * SPDX-License-Identifier: BSL-1.0
 */
#include <stdio.h>
#include <stdlib.h>

#include "host.h"
#include "multicore/duktape.h"

#define TASK_STACK (1024u * 1024u) /* Duktape's own limit of nested native calls takes half of it */

/* duk_destroy_heap runs this when it is too late to close: other finalisers have freed what tasks use. */
static duk_ret_t finalise_sentinel(duk_context *ctx) {
    struct mcd_host *h = mcd_host_of(ctx);
    if (!h || !h->runtime) return 0;
    fputs("multicore: duk_destroy_heap on a heap with a runtime: call mc_duktape_close first\n", stderr);
    abort();
}

/* Duktape runs all finalisers in its root context, which nothing else tells. */
static duk_ret_t finalise_probe(duk_context *ctx) {
    mcd_host_of(ctx)->root = ctx;
    return 0;
}

static void set_finaliser(duk_context *ctx, duk_c_function finaliser) {
    duk_push_bare_object(ctx);
    duk_push_c_function(ctx, finaliser, 1);
    duk_set_finalizer(ctx, -2);
}

static duk_ret_t prepare(duk_context *ctx, void *arg) {
    struct mcd_host **out = arg;
    duk_idx_t stash = duk_get_top(ctx);
    duk_push_heap_stash(ctx);
    struct mcd_host *h = duk_push_fixed_buffer(ctx, sizeof *h);
    duk_put_prop_string(ctx, stash, MCD_HOST);
    duk_push_bare_object(ctx);
    duk_put_prop_string(ctx, stash, MCD_ANCHORS);
    duk_push_thread(ctx);
    h->service = duk_get_context(ctx, -1);
    duk_put_prop_string(ctx, stash, "multicore.service");
    mcd_push_module(ctx);
    h->module = duk_get_heapptr(ctx, -1);
    duk_dup_top(ctx);
    duk_put_prop_string(ctx, stash, "multicore.module");
    duk_put_global_string(ctx, "multicore");
    set_finaliser(ctx, finalise_sentinel);
    duk_put_prop_string(ctx, stash, "multicore.sentinel");
    set_finaliser(ctx, finalise_probe);
    duk_pop(ctx);
    if (!h->root) duk_gc(ctx, 0); /* a Duktape without reference counts */
    h->main = mcd_push_new_task(ctx, h);
    mcd_anchor(ctx, h->main);
    *out = h;
    return 0;
}

static duk_ret_t undo(duk_context *ctx, void *arg) {
    (void)arg;
    duk_push_heap_stash(ctx);
    duk_del_prop_string(ctx, -1, "multicore.sentinel");
    duk_del_prop_string(ctx, -1, MCD_ANCHORS);
    duk_del_prop_string(ctx, -1, "multicore.module");
    duk_del_prop_string(ctx, -1, "multicore.service");
    duk_del_prop_string(ctx, -1, MCD_HOST);
    duk_push_global_object(ctx);
    duk_del_prop_string(ctx, -1, "multicore");
    return 0;
}

static mc_status start(struct mcd_host *h, const mc_runtime_options *given, uint32_t way) {
    const mc_runtime_options defaults = MC_RUNTIME_OPTIONS_INIT;
    mc_host hooks = mcd_hooks(h, way);
    mc_runtime_options options = given ? *given : defaults;
    options.host = &hooks;
    if (!options.name) options.name = "duktape";
    if (options.stack_size < TASK_STACK) options.stack_size = TASK_STACK;
    mc_status status = mc_runtime_create(&options, &h->runtime);
    if (status != MC_OK) return status;
    mc_task_options main_options = MC_TASK_OPTIONS_INIT;
    main_options.name = "main";
    main_options.data = h->main;
    status = mc_attach(h->runtime, &main_options, 0, &h->main->task);
    if (status == MC_OK) return MC_OK;
    mc_runtime_shutdown(h->runtime, 0);
    mc_runtime_destroy(h->runtime);
    h->runtime = NULL;
    return status;
}

mc_status mc_duktape_open(duk_context *heap, const mc_runtime_options *options, uint32_t way,
                          duk_context **js) {
    if (!heap || !js || (options && options->size != sizeof *options)) return MC_EINVAL;
    duk_push_current_thread(heap);
    int in_call = !duk_is_undefined(heap, -1);
    duk_pop(heap);
    if (in_call || mc_task_current()) return MC_EPERM;
    if (mcd_host_of(heap)) return MC_EBUSY;
    struct mcd_host *h = NULL;
    mc_status status = MC_ENOMEM;
    if (duk_safe_call(heap, prepare, &h, 0, 1) == DUK_EXEC_SUCCESS) status = start(h, options, way);
    duk_pop(heap);
    if (status != MC_OK) {
        duk_safe_call(heap, undo, NULL, 0, 1);
        duk_pop(heap);
        return status;
    }
    *js = h->main->ctx;
    return MC_OK;
}

mc_runtime *mc_duktape_runtime(duk_context *js) {
    struct mcd_host *h = mcd_host_of(js);
    return h ? h->runtime : NULL;
}
