/* A line of tasks that wait for something which another task will hand to them.
 *
 * A node lives on the C stack of the waiting task. Whoever takes it out of the line sets `done` and
 * unparks the task; a node that is still in the line when the wait ends is taken out by its owner. All
 * guarded by the baton.
 * SPDX-License-Identifier: BSL-1.0
 */
#ifndef MULTICORE_HOSTS_LUA_WAITER_H
#define MULTICORE_HOSTS_LUA_WAITER_H

#include <lua.h>

#include "task.h"

struct mcl_line;

enum mcl_done { MCL_WAITING = 0, MCL_SERVED = 1, MCL_CLOSED = 2 };

struct mcl_waiter {
    struct mcl_line *line;
    struct mcl_waiter *prev, *next;
    struct mcl_task *task;
    lua_State *L; /* whose top takes or holds the value */
    enum mcl_done done;
};

struct mcl_line {
    struct mcl_waiter *first, *last;
};

/* A task that was abandoned stands in no line any more. */
void mcl_line_forget(struct mcl_task *k);

/* The first that has not been abandoned. Takes it out of the line and wakes it. */
struct mcl_waiter *mcl_line_first(struct mcl_line *line);
void mcl_line_serve(struct mcl_line *line, enum mcl_done how);

/* Stands in the line until served or the time is over: MCL_WAITING. Raises interrupts, after leaving
 * the line; one that arrives together with the service stays pending. */
enum mcl_done mcl_line_wait(lua_State *L, struct mcl_line *line, struct mcl_task *k, uint64_t timeout,
                            const char *what);

#endif
