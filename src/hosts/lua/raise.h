/* From statuses to Lua errors, and from Lua arguments to times.
 * SPDX-License-Identifier: BSL-1.0
 */
#ifndef MULTICORE_HOSTS_LUA_RAISE_H
#define MULTICORE_HOSTS_LUA_RAISE_H

#include <lua.h>
#include <stdint.h>

#include "multicore/multicore.h"
#include "task.h"

/* Raises what a status means: a pending interrupt, the end of the runtime, or an error that begins
 * with `what`. Never returns; the result is for `return mcl_raise(...)`. */
int mcl_raise(lua_State *L, struct mcl_task *k, mc_status status, const char *what);

/* To be called first by a function that suspends: raises an error where that cannot work. */
void mcl_check_can_suspend(lua_State *L, struct mcl_task *k, const char *what);

/* Payloads of mc_task_interrupt that stand for no Lua value. */
extern char mcl_payload_wake[];

/* Interrupts a task with the value on top of the stack, which is popped. */
mc_status mcl_interrupt(lua_State *L, struct mcl_task *k);
/* Drops an interrupt that the running task never took. */
void mcl_forget_interrupt(struct mcl_task *k);

/* A number of things: an integer, or math.huge. */
lua_Integer mcl_check_count(lua_State *L, int arg);

/* A time argument in seconds. None or nil: MC_FOREVER. */
uint64_t mcl_opt_timeout(lua_State *L, int arg);
uint64_t mcl_check_seconds(lua_State *L, int arg);

/* What is left of a timeout that began at `start`. */
uint64_t mcl_time_left(uint64_t start, uint64_t timeout);

#endif
