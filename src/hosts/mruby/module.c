/* The module Multicore, as scripts see it.
 * SPDX-License-Identifier: BSL-1.0
 */
#include <mruby.h>
#include <mruby/array.h>
#include <mruby/class.h>
#include <mruby/hash.h>
#include <mruby/string.h>

#include "raise.h"

/* spawn(*arguments) { |*arguments| ... } */
static mrb_value m_spawn(mrb_state *mrb, mrb_value module) {
    (void)module;
    const mrb_value *argv;
    mrb_int argc;
    mrb_value block;
    mrb_get_args(mrb, "*&!", &argv, &argc, &block);
    struct mcr_task *self = mcr_self(mrb, "Multicore.spawn");
    mrb_value arguments = mcr_hidden_array(mrb, argc);
    for (mrb_int i = 0; i < argc; i++) mrb_ary_push(mrb, arguments, argv[i]);
    return mcr_task_object(mcr_task_spawn(self->host, block, arguments));
}

static mrb_value m_current(mrb_state *mrb, mrb_value module) {
    (void)module;
    return mcr_task_object(mcr_self(mrb, "Multicore.current"));
}

static mrb_value m_pass(mrb_state *mrb, mrb_value module) {
    (void)module;
    struct mcr_task *self = mcr_self_may_wait(mrb, "Multicore.pass");
    mcr_check(mrb, self, mc_task_yield(), "Multicore.pass");
    return mrb_nil_value();
}

static mrb_value m_checkpoint(mrb_state *mrb, mrb_value module) {
    (void)module;
    struct mcr_task *self = mcr_self_may_wait(mrb, "Multicore.checkpoint");
    mcr_check(mrb, self, mc_checkpoint(), "Multicore.checkpoint");
    return mrb_nil_value();
}

static mrb_value m_sleep(mrb_state *mrb, mrb_value module) {
    (void)module;
    mrb_value seconds;
    mrb_get_args(mrb, "o", &seconds);
    struct mcr_task *self = mcr_self_may_wait(mrb, "Multicore.sleep");
    mcr_check(mrb, self, mc_task_sleep(mcr_duration(mrb, seconds, "Multicore.sleep")), "Multicore.sleep");
    return mrb_nil_value();
}

static mrb_value m_stats(mrb_state *mrb, mrb_value module) {
    (void)module;
    struct mcr_task *self = mcr_self(mrb, "Multicore.stats");
    mc_stats stats = MC_STATS_INIT;
    mc_runtime_stats(self->host->runtime, &stats);
    const struct {
        const char *name;
        uint64_t value;
    } table[] = {
        {"tasks_alive", stats.tasks_alive},   {"tasks_spawned", stats.tasks_spawned},
        {"sections", stats.sections},         {"sections_inline", stats.sections_inline},
        {"handoffs", stats.handoffs},         {"wakes", stats.wakes},
        {"threads", stats.threads},           {"threads_peak", stats.threads_peak},
        {"longest_wait", stats.longest_wait},
    };
    mrb_value hash = mrb_hash_new(mrb);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        mrb_hash_set(mrb, hash, mrb_symbol_value(mrb_intern_cstr(mrb, table[i].name)),
                     mrb_int_value(mrb, (mrb_int)table[i].value));
    return hash;
}

/* ---- Multicore::Task ---- */

/* Waits until the task has ended. False: the time was over first. */
static mrb_bool wait_for(mrb_state *mrb, struct mcr_task *k, mrb_value timeout, const char *what) {
    if (mc_task_result(k->task) != MC_EAGAIN) return TRUE;
    struct mcr_task *self = mcr_self_may_wait(mrb, what);
    mc_status status =
        mc_task_join(k->task, mrb_nil_p(timeout) ? MC_FOREVER : mcr_duration(mrb, timeout, what));
    if (status == MC_ETIMEDOUT) return FALSE;
    mcr_check(mrb, self, status, what);
    return TRUE;
}

/* join([seconds]): the task, or nil when the time is over */
static mrb_value t_join(mrb_state *mrb, mrb_value object) {
    mrb_value timeout = mrb_nil_value();
    mrb_get_args(mrb, "|o", &timeout);
    struct mcr_task *k = mcr_task_get(mrb, object);
    if (!wait_for(mrb, k, timeout, "join")) return mrb_nil_value();
    mcr_task_value(mrb, k);
    return object;
}

static mrb_value t_value(mrb_state *mrb, mrb_value object) {
    struct mcr_task *k = mcr_task_get(mrb, object);
    wait_for(mrb, k, mrb_nil_value(), "value");
    return mcr_task_value(mrb, k);
}

static mrb_value t_alive(mrb_state *mrb, mrb_value object) {
    return mrb_bool_value(mc_task_result(mcr_task_get(mrb, object)->task) == MC_EAGAIN);
}

static mrb_value t_name(mrb_state *mrb, mrb_value object) {
    return mrb_str_new_cstr(mrb, mc_task_name(mcr_task_get(mrb, object)->task));
}

/* ---- definition ---- */

void mcr_define_module(struct mcr_host *h) {
    mrb_state *mrb = h->mrb;
    struct RClass *module = mrb_define_module(mrb, "Multicore");
    mrb_define_module_function(mrb, module, "spawn", m_spawn, MRB_ARGS_ANY() | MRB_ARGS_BLOCK());
    mrb_define_module_function(mrb, module, "current", m_current, MRB_ARGS_NONE());
    mrb_define_module_function(mrb, module, "pass", m_pass, MRB_ARGS_NONE());
    mrb_define_module_function(mrb, module, "yield", m_pass, MRB_ARGS_NONE());
    mrb_define_module_function(mrb, module, "checkpoint", m_checkpoint, MRB_ARGS_NONE());
    mrb_define_module_function(mrb, module, "sleep", m_sleep, MRB_ARGS_REQ(1));
    mrb_define_module_function(mrb, module, "stats", m_stats, MRB_ARGS_NONE());

    struct RClass *exception = mrb->eException_class;
    h->error = mrb_define_class_under(mrb, module, "Error", mrb->eStandardError_class);
    h->interrupted = mrb_define_class_under(mrb, module, "Interrupted", exception);
    h->cancelled = mrb_define_class_under(mrb, module, "Cancelled", exception);

    struct RClass *task = h->task_class = mrb_define_class_under(mrb, module, "Task", mrb->object_class);
    mrb_undef_class_method(mrb, task, "new");
    mrb_define_method(mrb, task, "join", t_join, MRB_ARGS_OPT(1));
    mrb_define_method(mrb, task, "value", t_value, MRB_ARGS_NONE());
    mrb_define_method(mrb, task, "alive?", t_alive, MRB_ARGS_NONE());
    mrb_define_method(mrb, task, "name", t_name, MRB_ARGS_NONE());
}
