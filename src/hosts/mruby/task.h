/* One task of an mrb_state: registers of its own on a C stack of its own.
 *
 * Invariants. I1: what the collector must keep for a task is in its `box`, which the host's `anchors` keep
 * until the runtime has destroyed the task, and its Multicore::Task as long as a script has that. I2: the
 * body runs under mrb_protect_error, so no exception leaves the C stack that it was raised on.
 * SPDX-License-Identifier: BSL-1.0
 */
#ifndef MULTICORE_HOSTS_MRUBY_TASK_H
#define MULTICORE_HOSTS_MRUBY_TASK_H

#include "host.h"

/* Elements of `box`; where `anchors` has tasks, after what is the host's. */
enum { MCR_OBJECT, MCR_REGISTERS, MCR_BLOCK, MCR_ARGUMENTS, MCR_VALUE, MCR_BOX };
enum { MCR_FIRST_ANCHOR = 1 };

struct mcr_task {
    struct mcr_registers registers;
    struct mcr_host *host;
    mc_task *task;      /* one reference; NULL before it is spawned */
    struct RArray *box; /* hidden */
    mrb_int anchor;     /* index in the host's */
    unsigned refs;      /* the runtime's and the object's */
    char *report;       /* of an exception that nobody has seen; malloc */
    mrb_bool failed;
};

/* New records with a Multicore::Task. May raise. */
struct mcr_task *mcr_task_adopt(struct mcr_host *h); /* for the context that runs now */
struct mcr_task *mcr_task_new(struct mcr_host *h);   /* with a context of its own */

/* The runtime has done with the task, whose record may be freed. Raises nothing. */
void mcr_task_destroyed(void *task);

mrb_value mcr_task_object(const struct mcr_task *k);
struct mcr_task *mcr_task_of_box(const struct RArray *box);
struct mcr_task *mcr_task_get(mrb_state *mrb, mrb_value object); /* raises TypeError */

/* A task that calls the block with the arguments. May raise. */
struct mcr_task *mcr_task_spawn(struct mcr_host *h, mrb_value block, mrb_value arguments);

/* What it ended with: returns the value of its block or raises its exception. */
mrb_value mcr_task_value(mrb_state *mrb, struct mcr_task *k);

#endif
