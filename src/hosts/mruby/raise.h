/* From statuses to exceptions, and who may wait where.
 * SPDX-License-Identifier: BSL-1.0
 */
#ifndef MULTICORE_HOSTS_MRUBY_RAISE_H
#define MULTICORE_HOSTS_MRUBY_RAISE_H

#include "task.h"

/* The task that runs this script function; raises if there is none. `what` begins messages. */
struct mcr_task *mcr_self(mrb_state *mrb, const char *what);

/* The same for functions that let others run. Raises where that cannot be. */
struct mcr_task *mcr_self_may_wait(mrb_state *mrb, const char *what);

/* Returns if the status is MC_OK. */
void mcr_check(mrb_state *mrb, struct mcr_task *self, mc_status status, const char *what);

/* Seconds to nanoseconds. Raises for what is not a number, or negative. */
uint64_t mcr_duration(mrb_state *mrb, mrb_value seconds, const char *what);

/* The exception as text, malloc, or NULL: for one that nobody has joined. Raises nothing. */
char *mcr_describe(mrb_state *mrb, const char *task, mrb_value exception);

#endif
