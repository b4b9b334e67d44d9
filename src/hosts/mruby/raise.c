/* SPDX-License-Identifier: BSL-1.0 */
#include "raise.h"

#include <mruby/array.h>
#include <mruby/error.h>
#include <mruby/string.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct mcr_task *mcr_self(mrb_state *mrb, const char *what) {
    struct mcr_host *h = mcr_host_of(mrb);
    mc_task *task = mc_task_current();
    if (!h || !task || !h->current || h->current->task != task)
        mrb_raisef(mrb, E_RUNTIME_ERROR,
                   "%s: no task of this mrb_state runs here; call it between mc_mruby_open and "
                   "mc_mruby_close, outside of sections",
                   what);
    return h->current;
}

struct mcr_task *mcr_self_may_wait(mrb_state *mrb, const char *what) {
    struct mcr_task *self = mcr_self(mrb, what);
    if (mrb->gc.iterating)
        mrb_raisef(mrb, self->host->error,
                   "%s: not inside ObjectSpace.each_object; collect the objects first", what);
    return self;
}

void mcr_check(mrb_state *mrb, struct mcr_task *self, mc_status status, const char *what) {
    struct mcr_host *h = self->host;
    void *payload;
    switch (status) {
        case MC_OK: return;
        case MC_EINTR:
            mc_task_take_interrupt(self->task, &payload);
            mrb_raisef(mrb, h->interrupted, "%s: interrupted", what);
        case MC_ECANCELED:
        case MC_ESHUTDOWN: mrb_raisef(mrb, h->cancelled, "%s: cancelled, the runtime is being closed", what);
        case MC_EDEADLK: mrb_raisef(mrb, h->error, "%s: a task cannot wait for itself", what);
        case MC_EPERM:
            mrb_raisef(mrb, h->error, "%s: nothing may wait here; leave the atomic scope or the hook", what);
        case MC_EAGAIN:
        case MC_ENOMEM:
            mrb_raisef(mrb, h->error, "%s: no memory for a C stack; let some tasks end first", what);
        default: mrb_raisef(mrb, h->error, "%s: %s", what, mc_status_message(status));
    }
}

uint64_t mcr_duration(mrb_state *mrb, mrb_value seconds, const char *what) {
    if (!mrb_integer_p(seconds) && !mrb_float_p(seconds))
        mrb_raisef(mrb, E_TYPE_ERROR, "%s: seconds must be a number", what);
    mrb_float s = mrb_as_float(mrb, seconds);
    if (!(s >= 0)) mrb_raisef(mrb, E_ARGUMENT_ERROR, "%s: seconds must not be negative", what);
    return s > 9e9 ? MC_FOREVER : (uint64_t)(s * 1e9);
}

/* ---- what nobody joined ---- */

struct description {
    const char *task;
    mrb_value exception;
    char *text;
};

static mrb_value describe(mrb_state *mrb, void *argument) {
    struct description *d = argument;
    mrb_value text = mrb_format(mrb, "multicore: exception in '%s', which nobody joined: %v (%T)\n", d->task,
                                d->exception, d->exception);
    mrb_value trace = mrb_funcall(mrb, d->exception, "backtrace", 0);
    if (mrb_array_p(trace))
        for (mrb_int i = 0; i < RARRAY_LEN(trace); i++)
            mrb_str_concat(mrb, text, mrb_format(mrb, "    %v\n", RARRAY_PTR(trace)[i]));
    d->text = strdup(mrb_string_cstr(mrb, text));
    return mrb_nil_value();
}

char *mcr_describe(mrb_state *mrb, const char *task, mrb_value exception) {
    struct description d = {task, exception, NULL};
    mrb_bool failed = FALSE;
    mrb_protect_error(mrb, describe, &d, &failed);
    if (d.text) return d.text;
    static const char plainly[] = "multicore: exception in '%s', which nobody joined; it cannot be shown\n";
    size_t size = sizeof plainly + strlen(task);
    char *text = malloc(size);
    if (text) snprintf(text, size, plainly, task);
    return text;
}
