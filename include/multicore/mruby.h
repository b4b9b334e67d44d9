/* multicore/mruby.h - for programs that own an mrb_state and want tasks in it.
 *
 * A program links multicore::mruby and its mruby, and calls mc_mruby_open after mrb_open. Scripts then have
 * the module Multicore (docs/mruby.md).
 *
 * The thread that calls mc_mruby_open becomes the main task of the state and holds its baton. All calls
 * here need the baton: make them on that thread, or in a function that a script has called. None raises.
 *
 * Tasks that C code spawns itself, and threads that it attaches, leave mc_task_options.data alone; only
 * between mc_mruby_enter and mc_mruby_leave may they touch the interpreter.
 *
 * SPDX-License-Identifier: BSL-1.0
 */
#ifndef MULTICORE_MRUBY_H
#define MULTICORE_MRUBY_H

#include <mruby.h>

#include "multicore.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Gives the state a runtime and defines the module Multicore. `way` is MC_WAY_LEND or MC_WAY_SHIP.
 * options->host is ours; tasks get 1 MiB of stack at least; NULL: defaults. The collector then runs whole
 * cycles (gc.step_ratio, see docs/mruby.md), until the close. MC_EINVAL: another way, or bad options.
 * MC_ENOTSUP: not this way in this version. MC_EBUSY: the state has a runtime. MC_EPERM: this thread holds
 * the baton of another state, or runs a fiber. MC_ENOMEM: mrb->exc says what was raised. */
mc_status mc_mruby_open(mrb_state *mrb, const mc_runtime_options *options, uint32_t way);

/* The runtime of a state, borrowed; NULL if it has none (any more). */
mc_runtime *mc_mruby_runtime(mrb_state *mrb);

/* In another thread, after mc_attach to the runtime, or in a task that C code has spawned: makes it a task
 * of the state that may run scripts, until mc_mruby_leave, which comes before mc_detach or the end of the
 * task and after all calls into the interpreter have returned. What C code calls is its own to protect
 * (mrb_protect_error). MC_EPERM: not in such a task, or entered already. MC_ESHUTDOWN: no runtime.
 * MC_ENOMEM. */
mc_status mc_mruby_enter(mrb_state *mrb);
mc_status mc_mruby_leave(mrb_state *mrb);

/* Ends the runtime before mrb_close, on the thread that opened it, with another timeout than the 100 ms
 * which mrb_close allows to sections: suspended tasks get a Multicore::Cancelled. MC_OK: every task has
 * ended, or there is no runtime. MC_ETIMEDOUT: sections go on; what their tasks refer to stays in memory,
 * and nothing but mrb_close may follow. A task that computes is waited for until it suspends. MC_EPERM: not
 * in the main task, or in a fiber or in ObjectSpace.each_object. */
mc_status mc_mruby_close(mrb_state *mrb, uint64_t timeout);

#ifdef __cplusplus
}
#endif
#endif /* MULTICORE_MRUBY_H */
