/* multicore/duktape.h - for programs that own a Duktape heap and want multicore in it.
 *
 *     duk_context *heap = duk_create_heap_default(), *js;
 *     if (mc_duktape_open(heap, NULL, MC_WAY_LEND, &js) != MC_OK) ...
 *     duk_peval_string(js, script);          the script has the global object `multicore`
 *     mc_duktape_close(js, MC_FOREVER);
 *     duk_destroy_heap(heap);
 *
 * A program links multicore::duktape and its own Duktape. The thread that opens becomes the main task of
 * the heap and holds its baton. All calls here need the baton: make them on that thread, or in a native
 * function that a script has called. What a task of the runtime carries as mc_task_data is this host's.
 *
 * SPDX-License-Identifier: BSL-1.0
 */
#ifndef MULTICORE_DUKTAPE_H
#define MULTICORE_DUKTAPE_H

#include <duktape.h>

#include "multicore.h"

#if defined(__GNUC__)
#pragma GCC visibility push(default) /* also in programs built with -fvisibility=hidden */
#endif
#ifdef __cplusplus
extern "C" {
#endif

/* Gives the heap a runtime, sets the global `multicore`, and stores in *js the context to run scripts
 * with from now on; it lives as long as the heap. (Not the root context: Duktape runs finalisers there, and
 * silently leaves them out while it is in a call.) Call it outside any Duktape call. way: MC_WAY_*, how
 * sections run. options->host is ours; tasks get 1 MiB of stack at least. MC_EBUSY: the heap has had one.
 * MC_EPERM: within a Duktape call, or this thread is attached to a runtime. MC_ENOMEM; else what
 * mc_runtime_create and mc_attach say. */
mc_status mc_duktape_open(duk_context *heap, const mc_runtime_options *options, uint32_t way,
                          duk_context **js);

/* Ends the runtime, on the thread that opened it, in no task; must come before duk_destroy_heap. Tasks
 * that are left get an error from what they wait for; sections have until the timeout (nanoseconds). MC_OK:
 * all have ended. MC_ETIMEDOUT: sections go on with what their tasks refer to, so the heap must never be
 * destroyed. MC_EPERM: in another task, on another thread or in a finaliser. Closed before: MC_OK. */
mc_status mc_duktape_close(duk_context *js, uint64_t timeout);

/* The runtime of a heap, borrowed; NULL if it has none (any more). */
mc_runtime *mc_duktape_runtime(duk_context *js);

/* On another thread, after mc_attach to the runtime: a context for this thread to run scripts with, valid
 * until mc_duktape_leave, which is called outside any Duktape call and before mc_detach. MC_EPERM: this
 * thread is not attached, or has one. MC_ESHUTDOWN, MC_ENOMEM. */
mc_status mc_duktape_enter(duk_context *js, duk_context **out);
mc_status mc_duktape_leave(duk_context *out);

/* Pushes a native function as duk_push_c_function does (returns its index), after whose return a pending
 * interrupt or cancellation of the task is thrown, and others are let in when a slice is due. For functions
 * that open sections; without it an interrupt waits for the next call of multicore's. */
duk_idx_t mc_duktape_push_c_function(duk_context *js, duk_c_function function, duk_idx_t nargs);

/* The same at a place of its own, for native functions that compute: may throw. Does nothing in a
 * finaliser. */
void mc_duktape_checkpoint(duk_context *js);

#ifdef __cplusplus
}
#endif
#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#endif /* MULTICORE_DUKTAPE_H */
