/* The runtime of one mrb_state: hooks, start, end.
 *
 * Invariants. I1: `current` is the task whose registers the mrb_state has; NULL in a task that is not of
 * mruby, and then the registers are `guest`. I2: each task that has not been destroyed is in `anchors`.
 * I3: sections begun by a finaliser are inline: the collector is in the midst of a page.
 * SPDX-License-Identifier: BSL-1.0
 */
#ifndef MULTICORE_HOSTS_MRUBY_HOST_H
#define MULTICORE_HOSTS_MRUBY_HOST_H

#include "multicore/multicore.h"
#include "registers.h"

struct mcr_task;

struct mcr_host {
    mrb_state *mrb;
    mc_runtime *runtime;
    struct mcr_task *main, *current;
    struct mcr_registers guest;
    mrb_value anchors; /* hidden array, registered with the collector */
    struct RClass *task_class, *error, *cancelled, *interrupted;
    int step_ratio; /* the collector's, before the start */
    unsigned refs;  /* the state's, and one per task record */
};

/* NULL: the state has none. */
struct mcr_host *mcr_host_of(mrb_state *mrb);

mc_status mcr_host_start(mrb_state *mrb, const mc_runtime_options *options, uint32_t way);
mc_status mcr_host_stop(struct mcr_host *h, uint64_t timeout);
void mcr_host_unref(struct mcr_host *h);

/* Defines the module for scripts. May raise. */
void mcr_define_module(struct mcr_host *h);

#endif
