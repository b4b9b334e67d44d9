/* The parts of the module, as functions to be registered. All take and return Lua stacks.
 * SPDX-License-Identifier: BSL-1.0
 */
#ifndef MULTICORE_HOSTS_LUA_LIB_H
#define MULTICORE_HOSTS_LUA_LIB_H

#include <lua.h>

#include "host.h"

/* handle.c */
void mcl_open_handles(lua_State *L); /* makes the metatable */
int mcl_l_spawn(lua_State *L);
int mcl_l_self(lua_State *L);
struct mcl_task *mcl_check_task(lua_State *L, int arg);

/* cancel.c */
int mcl_l_cancel(lua_State *L);
int mcl_l_abandon(lua_State *L);
/* By a task that is itself to end and cannot wait: another is cancelled, or interrupted if that cannot be. */
void mcl_tell_to_end(lua_State *L, struct mcl_task *k);

/* deadline.c */
int mcl_l_with_deadline(lua_State *L);

/* wait.c */
int mcl_l_yield(lua_State *L);
int mcl_l_sleep(lua_State *L);
int mcl_l_now(lua_State *L);
int mcl_l_wait(lua_State *L);

/* map.c, channel.c, semaphore.c, job.c, scope.c, settings.c, report.c */
int mcl_l_map(lua_State *L);
void mcl_open_channels(lua_State *L);
int mcl_l_channel(lua_State *L);
void mcl_open_semaphores(lua_State *L);
int mcl_l_semaphore(lua_State *L);
void mcl_open_scopes(lua_State *L);
void mcl_open_jobs(lua_State *L);
int mcl_l_submit(lua_State *L);
int mcl_l_scope(lua_State *L);
int mcl_l_enable(lua_State *L);
int mcl_l_stats(lua_State *L);
int mcl_l_threads(lua_State *L);
int mcl_l_on_error(lua_State *L);

/* Replacements in the state's own libraries: coroutine.c, debughook.c, exit.c. */
void mcl_replace_coroutine(lua_State *L);
void mcl_replace_debug(lua_State *L);
void mcl_replace_exit(lua_State *L, struct mcl_host *h);

/* exit.c: what a task asked of the main task; does not return. */
void mcl_exit_now(lua_State *L, struct mcl_host *h);

/* Sets __index, __gc etc. in a new metatable `name`, which must not exist yet. Methods are the fields
 * of __index; metamethods those whose name begins with two underscores. */
void mcl_new_class(lua_State *L, const char *name, const luaL_Reg *methods, const luaL_Reg *metamethods);

#endif
