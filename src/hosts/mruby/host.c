/* SPDX-License-Identifier: BSL-1.0 */
#include "host.h"

#include <limits.h>
#include <mruby/array.h>
#include <mruby/error.h>
#include <mruby/variable.h>
#include <stdlib.h>

#include "straggler.h"
#include "task.h"

#define TASK_STACK (1024u * 1024u) /* mruby's own limit of nested calls needs 933 KiB */
#define CLOSE_TIMEOUT 100000000u   /* ns */

/* One step of the collector then is a whole cycle. Between two steps of a sweep its state is what it is in
 * a finaliser: nobody could tell whether a section may be lent. (The collector multiplies by ten.) */
#define WHOLE_CYCLE (INT_MAX / 16)

#define HOST "multicore.host" /* a global variable whose name no script can write */

struct mcr_host *mcr_host_of(mrb_state *mrb) {
    mrb_sym name = mrb_intern_check_cstr(mrb, HOST);
    mrb_value host = name ? mrb_gv_get(mrb, name) : mrb_nil_value();
    return mrb_cptr_p(host) ? mrb_cptr(host) : NULL;
}

/* ---- hooks of the runtime ---- */

static void on_switched(void *self, mc_task *from, mc_task *to) {
    struct mcr_host *h = self;
    if (from) mcr_registers_save(h->mrb, h->current ? &h->current->registers : &h->guest);
    h->current = mc_task_data(to);
    mcr_registers_load(h->mrb, h->current ? &h->current->registers : &h->guest);
}

static int on_may_lend(void *self) {
    const mrb_gc *gc = &((struct mcr_host *)self)->mrb->gc;
    return gc->state != MRB_GC_STATE_SWEEP && !gc->iterating;
}

/* ---- start ---- */

static void at_exit(mrb_state *mrb) {
    struct mcr_host *h = mcr_host_of(mrb);
    if (h) mcr_host_stop(h, CLOSE_TIMEOUT);
}

/* All that may raise. */
static mrb_value prepare(mrb_state *mrb, void *host) {
    struct mcr_host *h = host;
    h->anchors = mcr_hidden_array(mrb, 64);
    mrb_gc_register(mrb, h->anchors);
    mrb_ary_push(mrb, h->anchors, mcr_registers_new(mrb, &h->guest));
    mcr_define_module(h);
    mrb_state_atexit(mrb, at_exit);
    h->main = mcr_task_adopt(h);
    mrb_gv_set(mrb, mrb_intern_lit(mrb, HOST), mrb_cptr_value(mrb, h));
    return mrb_nil_value();
}

static mc_status start_runtime(struct mcr_host *h, const mc_runtime_options *given, uint32_t way) {
    const mc_runtime_options defaults = MC_RUNTIME_OPTIONS_INIT;
    mc_runtime_options options = given ? *given : defaults;
    mc_host hooks = MC_HOST_INIT;
    hooks.way = way;
    hooks.self = h;
    hooks.switched = on_switched;
    hooks.may_lend = on_may_lend;
    options.host = &hooks;
    if (!options.name) options.name = "mruby";
    if (options.stack_size < TASK_STACK) options.stack_size = TASK_STACK;
    mc_status status = mc_runtime_create(&options, &h->runtime);
    if (status != MC_OK) return status;

    mc_task_options main_options = MC_TASK_OPTIONS_INIT;
    main_options.name = "main";
    main_options.data = h->main;
    status = mc_attach(h->runtime, &main_options, 0, &h->main->task);
    if (status != MC_OK) {
        mc_runtime_shutdown(h->runtime, 0);
        mc_runtime_destroy(h->runtime);
    }
    return status;
}

/* What is left of a state without a runtime. */
static void forget(struct mcr_host *h) {
    mrb_state *mrb = h->mrb;
    if (mcr_host_of(mrb)) mrb_gv_set(mrb, mrb_intern_check_cstr(mrb, HOST), mrb_nil_value());
    if (h->main) mcr_task_destroyed(h->main);
    mrb_gc_unregister(mrb, h->anchors);
    mcr_host_unref(h);
}

mc_status mcr_host_start(mrb_state *mrb, const mc_runtime_options *options, uint32_t way) {
    struct mcr_host *h = calloc(1, sizeof *h);
    if (!h) return MC_ENOMEM;
    h->mrb = mrb;
    h->refs = 1;
    h->anchors = mrb_nil_value();
    mrb_bool failed = FALSE;
    mrb_value exception = mrb_protect_error(mrb, prepare, h, &failed);
    mc_status status = failed ? MC_ENOMEM : start_runtime(h, options, way);
    if (status != MC_OK) {
        forget(h);
        if (failed) mrb->exc = mrb_obj_ptr(exception);
        return status;
    }
    h->step_ratio = mrb->gc.step_ratio;
    mrb->gc.step_ratio = WHOLE_CYCLE;
    return MC_OK;
}

/* ---- end ---- */

mc_status mcr_host_stop(struct mcr_host *h, uint64_t timeout) {
    mrb_state *mrb = h->mrb;
    if (h->current != h->main || mrb->c != h->main->registers.root || mrb->gc.iterating) return MC_EPERM;
    mc_status status = mc_runtime_shutdown(h->runtime, timeout);
    if (status != MC_OK && status != MC_ETIMEDOUT) return status;
    mc_detach();
    mc_runtime_destroy(h->runtime);
    if (status == MC_ETIMEDOUT) mcr_leave_to_stragglers(h);
    if (mrb->gc.step_ratio == WHOLE_CYCLE) mrb->gc.step_ratio = h->step_ratio;
    forget(h);
    return status;
}

void mcr_host_unref(struct mcr_host *h) {
    if (--h->refs == 0) free(h);
}
