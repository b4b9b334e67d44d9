/* The Duktape host's view of one heap: its runtime, the task that runs, and what it anchors.
 *
 * Invariants. I1: the root context is in a call only while a finaliser runs: Duktape runs them there, in
 * the middle of whatever task lost an object, and leaves them out if it finds the root context in a call.
 * So scripts run in contexts of their own, also those of the main task. I2: nothing suspends while the
 * root context is in a call: one C stack would leave it amid another's. I3: `current` is the task whose
 * registers (jump buffer, running thread, recursion depth) are in the heap.
 *
 * Memory of this host lies in fixed buffers of the heap, so the collector frees it. All is guarded by the
 * baton. Uses the public C API only.
 * SPDX-License-Identifier: BSL-1.0
 */
#ifndef MULTICORE_HOSTS_DUKTAPE_HOST_H
#define MULTICORE_HOSTS_DUKTAPE_HOST_H

#include <duktape.h>

#include "multicore/multicore.h"
#include "task.h"

struct mcd_host {
    mc_runtime *runtime;  /* NULL before the start and once closed */
    duk_context *root;    /* where finalisers run */
    duk_context *service; /* for calls from the runtime's hooks */
    struct mcd_task *main, *current;
    void *module; /* the object `multicore` */
};

/* Keys of the heap's stash. */
#define MCD_HOST "multicore.host"       /* fixed buffer: struct mcd_host */
#define MCD_ANCHORS "multicore.anchors" /* address of a task -> its handle, until it is destroyed */

/* The host of a heap; NULL if it has none. */
struct mcd_host *mcd_host_of(duk_context *ctx);

/* The hooks that the runtime calls. */
mc_host mcd_hooks(struct mcd_host *h, uint32_t way);

/* Makes the heap's registers those of no task; they were those of `ctx`. */
void mcd_clear_registers(duk_context *ctx);

int mcd_in_finaliser(struct mcd_host *h);

/* script.c: pushes the object `multicore`. */
void mcd_push_module(duk_context *ctx);

/* report.c: the error of a task that nobody joined, on top of the stack, to the handler. Throws nothing. */
void mcd_report(duk_context *ctx, struct mcd_task *k);

#endif
