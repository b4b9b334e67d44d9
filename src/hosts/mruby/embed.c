/* The interface for programs that own the mrb_state.
 * SPDX-License-Identifier: BSL-1.0
 */
#include "multicore/mruby.h"

#include <mruby/error.h>

#include "task.h"

mc_status mc_mruby_open(mrb_state *mrb, const mc_runtime_options *options, uint32_t way) {
    if (!mrb || (way != MC_WAY_LEND && way != MC_WAY_SHIP)) return MC_EINVAL;
    if (options && options->size != sizeof *options) return MC_EINVAL;
    if (mcr_host_of(mrb)) return MC_EBUSY;
    if (mc_task_current() || mrb->c != mrb->root_c) return MC_EPERM;
    return mcr_host_start(mrb, options, way);
}

mc_runtime *mc_mruby_runtime(mrb_state *mrb) {
    struct mcr_host *h = mcr_host_of(mrb);
    return h ? h->runtime : NULL;
}

/* ---- threads that others attached ---- */

static mrb_value new_task(mrb_state *mrb, void *out) {
    *(struct mcr_task **)out = mcr_task_new(mcr_host_of(mrb));
    return mrb_nil_value();
}

mc_status mc_mruby_enter(mrb_state *mrb) {
    struct mcr_host *h = mcr_host_of(mrb);
    if (!h) return MC_ESHUTDOWN;
    mc_task *task = mc_task_current();
    if (!task || h->current || mc_task_data(task)) return MC_EPERM;
    struct mcr_task *k = NULL;
    mrb_bool failed = FALSE;
    mrb_protect_error(mrb, new_task, &k, &failed);
    if (failed) return MC_ENOMEM;
    k->task = mc_task_ref(task);
    mc_task_set_data(task, k);
    mcr_registers_save(mrb, &h->guest);
    h->current = k;
    mcr_registers_load(mrb, &k->registers);
    return MC_OK;
}

mc_status mc_mruby_leave(mrb_state *mrb) {
    struct mcr_host *h = mcr_host_of(mrb);
    if (!h) return MC_ESHUTDOWN;
    mc_task *task = mc_task_current();
    struct mcr_task *k = h->current;
    if (!task || !k || k->task != task || k == h->main || mrb->c != k->registers.root) return MC_EPERM;
    mc_task_set_data(task, NULL);
    mcr_registers_end(&k->registers);
    h->current = NULL;
    mcr_registers_load(mrb, &h->guest);
    mcr_task_destroyed(k);
    return MC_OK;
}

mc_status mc_mruby_close(mrb_state *mrb, uint64_t timeout) {
    struct mcr_host *h = mcr_host_of(mrb);
    if (!h) return MC_OK;
    if (mc_task_current() != h->main->task) return MC_EPERM;
    return mcr_host_stop(h, timeout);
}
