/* From statuses to errors of the script.
 * SPDX-License-Identifier: BSL-1.0
 */
#ifndef MULTICORE_HOSTS_DUKTAPE_RAISE_H
#define MULTICORE_HOSTS_DUKTAPE_RAISE_H

#include "host.h"

/* Throws the error of a status that a call of task `k` got. */
void mcd_raise(duk_context *ctx, struct mcd_task *k, mc_status status, const char *what);

/* Throws an Error with the status as its `code`. */
void mcd_throw(duk_context *ctx, mc_status status, const char *what, const char *why);

/* The host of an open heap, and the task that calls; both throw if there is none. */
struct mcd_host *mcd_open_host(duk_context *ctx, const char *what);
struct mcd_task *mcd_self(duk_context *ctx, const char *what);

/* The same for a call that suspends: throws where none may. */
struct mcd_task *mcd_suspending_self(duk_context *ctx, const char *what);

/* Seconds in argument `index`, as nanoseconds; `fallback` if it is undefined. */
uint64_t mcd_seconds(duk_context *ctx, duk_idx_t index, uint64_t fallback);

#endif
