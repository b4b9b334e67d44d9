/* One script task: a Duktape thread of its own on a C stack of its own.
 *
 * The script has a handle, whose hidden `box` holds the rest: the struct below (a buffer), the thread, and
 * at last the value or error. The box has the finaliser, so that a script may give the handle another.
 *
 * Invariants. I1: the handle is anchored in the stash until the runtime destroys the task. I2: the body
 * runs under duk_pcall, so no error leaves the C stack it was thrown on.
 * SPDX-License-Identifier: BSL-1.0
 */
#ifndef MULTICORE_HOSTS_DUKTAPE_TASK_H
#define MULTICORE_HOSTS_DUKTAPE_TASK_H

#include <duktape.h>
#include <setjmp.h>

#include "multicore/multicore.h"

struct mcd_host;

struct mcd_task {
    struct mcd_host *host;
    mc_task *task;    /* one reference, dropped by the finaliser of the box */
    duk_context *ctx; /* its own thread; NULL once destroyed */
    void *box;
    duk_thread_state registers; /* while `saved` */
    duk_idx_t nargs;            /* of its function, before it starts */
    jmp_buf *way_out;           /* to its body, for a script that catches every cancellation */
    unsigned cancellations;     /* errors thrown because of it */
    unsigned char saved;
    unsigned char ended, failed; /* `failed`: the value is an error */
    unsigned char cancelled;
    unsigned char observed; /* its error was handed to somebody */
};

/* Properties of a box. */
#define MCD_TASK "task" /* fixed buffer: struct mcd_task */
#define MCD_THREAD "thread"
#define MCD_VALUE "value"
#define MCD_INTERRUPT "interrupt" /* what a pending interrupt throws */

/* Pushes the handle of a new task that has not started. May throw. */
struct mcd_task *mcd_push_new_task(duk_context *ctx, struct mcd_host *h);

/* Pushes the handle of a task that has not been destroyed. */
void mcd_push_handle(duk_context *ctx, struct mcd_task *k);

/* The task of `this`; throws if it is no task. */
struct mcd_task *mcd_this_task(duk_context *ctx);

/* From [handle] to [handle]: keeps it, and so the task, until mcd_task_drop. */
void mcd_anchor(duk_context *ctx, struct mcd_task *k);
void mcd_task_drop(struct mcd_task *k);

/* From [function, args...] to [handle]: a task that calls the function. May throw. */
void mcd_spawn(duk_context *ctx, struct mcd_host *h);

#endif
