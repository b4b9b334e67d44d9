/* Deadlines of functions, and the error that a task gets again and again until it has ended.
 * SPDX-License-Identifier: BSL-1.0
 */
#ifndef MULTICORE_HOSTS_LUA_DEADLINE_H
#define MULTICORE_HOSTS_LUA_DEADLINE_H

#include <lua.h>

#include "task.h"

/* The task, or a function in it whose deadline has passed, is to end: every call and checkpoint says so. */
int mcl_is_ending(const struct mcl_task *k);
int mcl_raise_end(lua_State *L, struct mcl_task *k, const char *what);

/* Ctrl-C came while a deadline had passed: the error that follows is not the deadline's. */
void mcl_deadline_outranked(struct mcl_task *k);

/* From a hook of the runtime: the task will not come back to its mc.with_deadline. */
void mcl_deadline_drop_all(struct mcl_task *k);

#endif
