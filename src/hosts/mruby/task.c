/* SPDX-License-Identifier: BSL-1.0 */
#include "task.h"

#include <mruby/array.h>
#include <mruby/class.h>
#include <mruby/data.h>
#include <mruby/error.h>
#include <mruby/variable.h>
#include <stdio.h>
#include <stdlib.h>

#include "raise.h"

/* ---- records ---- */

static void unref(struct mcr_task *k) {
    if (--k->refs > 0) return;
    if (k->task) mc_task_unref(k->task);
    mcr_host_unref(k->host);
    free(k);
}

/* The last Multicore::Task has gone: by the collector, so no Ruby here. */
static void free_object(mrb_state *mrb, void *task) {
    (void)mrb;
    struct mcr_task *k = task;
    if (!k) return;
    if (k->report) {
        fputs(k->report, stderr);
        fflush(stderr);
        free(k->report);
    }
    unref(k);
}

static const mrb_data_type task_type = {"Multicore::Task", free_object};

struct mcr_task *mcr_task_get(mrb_state *mrb, mrb_value object) {
    struct mcr_task *k = mrb_data_get_ptr(mrb, object, &task_type);
    if (!k) mrb_raise(mrb, E_ARGUMENT_ERROR, "not a task: make them with Multicore.spawn");
    return k;
}

mrb_value mcr_task_object(const struct mcr_task *k) { return ARY_PTR(k->box)[MCR_OBJECT]; }

struct mcr_task *mcr_task_of_box(const struct RArray *box) {
    return DATA_PTR(ARY_PTR(box)[MCR_OBJECT]);
}

static struct mcr_task *new_record(struct mcr_host *h) {
    mrb_state *mrb = h->mrb;
    struct RData *object = mrb_data_object_alloc(mrb, h->task_class, NULL, &task_type);
    struct mcr_task *k = calloc(1, sizeof *k);
    if (!k) mrb_exc_raise(mrb, mrb_obj_value(mrb->nomem_err));
    k->host = h;
    h->refs++;
    k->refs = 1;
    object->data = k;
    mrb_value box = mcr_hidden_array(mrb, MCR_BOX);
    mrb_ary_resize(mrb, box, MCR_BOX);
    k->box = mrb_ary_ptr(box);
    mcr_hidden_set(mrb, k->box, MCR_OBJECT, mrb_obj_value(object));
    mrb_iv_set(mrb, mrb_obj_value(object), mrb_intern_lit(mrb, "box"), box);
    return k;
}

/* From here on the runtime's reference counts. */
static void anchor(struct mcr_task *k) {
    mrb_ary_push(k->host->mrb, k->host->anchors, mrb_obj_value(k->box));
    k->anchor = RARRAY_LEN(k->host->anchors) - 1;
    k->refs++;
}

struct mcr_task *mcr_task_adopt(struct mcr_host *h) {
    struct mcr_task *k = new_record(h);
    mcr_hidden_set(h->mrb, k->box, MCR_REGISTERS, mcr_registers_adopt(h->mrb, &k->registers));
    anchor(k);
    return k;
}

struct mcr_task *mcr_task_new(struct mcr_host *h) {
    struct mcr_task *k = new_record(h);
    mcr_hidden_set(h->mrb, k->box, MCR_REGISTERS, mcr_registers_new(h->mrb, &k->registers));
    anchor(k);
    return k;
}

/* A hook: it also comes for tasks that have never run, and while another task's registers are loaded. */
void mcr_task_destroyed(void *task) {
    struct mcr_task *k = task;
    struct mcr_host *h = k->host;
    mrb_state *mrb = h->mrb;
    if (h->current == k) h->current = NULL; /* abandoned in a section that nobody took */
    struct RArray *anchors = RARRAY(h->anchors);
    struct RArray *last = RARRAY(ARY_PTR(anchors)[ARY_LEN(anchors) - 1]);
    mcr_task_of_box(last)->anchor = k->anchor;
    mcr_hidden_set(mrb, anchors, k->anchor, mrb_obj_value(last));
    mcr_hidden_cut(anchors, ARY_LEN(anchors) - 1);
    mcr_hidden_set(mrb, k->box, MCR_REGISTERS, mrb_nil_value());
    mcr_hidden_set(mrb, k->box, MCR_BLOCK, mrb_nil_value());
    mcr_hidden_set(mrb, k->box, MCR_ARGUMENTS, mrb_nil_value());
    unref(k);
}

/* ---- the body ---- */

static mrb_value call_block(mrb_state *mrb, void *task) {
    const struct mcr_task *k = task;
    mrb_value arguments = ARY_PTR(k->box)[MCR_ARGUMENTS];
    return mrb_funcall_argv(mrb, ARY_PTR(k->box)[MCR_BLOCK], mrb_intern_lit(mrb, "call"),
                            RARRAY_LEN(arguments), RARRAY_PTR(arguments));
}

static void run_task(void *task) {
    struct mcr_task *k = task;
    struct mcr_host *h = k->host;
    mrb_state *mrb = h->mrb;
    mrb_bool failed = FALSE;
    mrb_value value = mrb_protect_error(mrb, call_block, k, &failed);
    mcr_hidden_set(mrb, k->box, MCR_VALUE, value);
    if (failed && !mrb_obj_is_kind_of(mrb, value, h->cancelled))
        k->report = mcr_describe(mrb, mc_task_name(k->task), value);
    k->failed = failed;
    mcr_registers_end(&k->registers);
    h->current = NULL;
}

struct mcr_task *mcr_task_spawn(struct mcr_host *h, mrb_value block, mrb_value arguments) {
    mrb_state *mrb = h->mrb;
    struct mcr_task *k = mcr_task_new(h);
    mcr_hidden_set(mrb, k->box, MCR_BLOCK, block);
    mcr_hidden_set(mrb, k->box, MCR_ARGUMENTS, arguments);
    mc_task_options options = MC_TASK_OPTIONS_INIT;
    options.data = k;
    options.destroy = mcr_task_destroyed;
    mc_status status = mc_task_spawn(h->runtime, run_task, k, &options, &k->task);
    if (status != MC_OK) {
        mcr_task_destroyed(k);
        mcr_check(mrb, h->current, status, "Multicore.spawn");
    }
    return k;
}

/* ---- results ---- */

mrb_value mcr_task_value(mrb_state *mrb, struct mcr_task *k) {
    mrb_value value = ARY_PTR(k->box)[MCR_VALUE];
    free(k->report); /* somebody has seen it */
    k->report = NULL;
    if (k->failed) mrb_exc_raise(mrb, value);
    if (mc_task_result(k->task) == MC_ECANCELED)
        mrb_raisef(mrb, k->host->cancelled, "%s was cancelled", mc_task_name(k->task));
    return value;
}
