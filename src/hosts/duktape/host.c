/* SPDX-License-Identifier: BSL-1.0 */
#include "host.h"

struct mcd_host *mcd_host_of(duk_context *ctx) {
    duk_push_heap_stash(ctx);
    duk_get_prop_string(ctx, -1, MCD_HOST);
    struct mcd_host *h = duk_get_buffer(ctx, -1, NULL);
    duk_pop_2(ctx);
    return h;
}

int mcd_in_finaliser(struct mcd_host *h) {
    duk_push_current_thread(h->service);
    int result = duk_get_context(h->service, -1) == h->root;
    duk_pop(h->service);
    return result;
}

void mcd_clear_registers(duk_context *ctx) {
    duk_thread_state discarded;
    duk_suspend(ctx, &discarded);
    duk_pop_2(ctx); /* what it would need to go on */
}

/* ---- hooks of the runtime ---- */

/* A call amid a Duktape.Thread of the task's is saved with the task's own thread as well: the registers
 * are the heap's, and name the thread that runs. */
static void on_switched(void *self, mc_task *from, mc_task *to) {
    struct mcd_host *h = self;
    struct mcd_task *old = from ? mc_task_data(from) : NULL;
    struct mcd_task *fresh = mc_task_data(to);
    if (old) {
        duk_suspend(old->ctx, &old->registers);
        old->saved = 1;
    }
    h->current = fresh;
    if (fresh && fresh->saved) {
        fresh->saved = 0;
        duk_resume(fresh->ctx, &fresh->registers);
    }
}

static int on_may_lend(void *self) { return !mcd_in_finaliser(self); }

mc_host mcd_hooks(struct mcd_host *h, uint32_t way) {
    mc_host hooks = MC_HOST_INIT;
    hooks.way = way;
    hooks.self = h;
    hooks.switched = on_switched;
    hooks.may_lend = on_may_lend;
    return hooks;
}
