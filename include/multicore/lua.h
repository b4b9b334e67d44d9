/* multicore/lua.h - for programs that own a lua_State and want multicore in it.
 *
 * A script needs none of this: `local mc = require "multicore"` does it all. A program links
 * multicore::lua, calls mc_lua_open after luaL_openlibs, and lua_close as ever.
 *
 * The thread that calls mc_lua_open becomes the main task of the state and holds its baton. All calls
 * here need the baton: make them on that thread, or in a function that a script has called.
 *
 * SPDX-License-Identifier: BSL-1.0
 */
#ifndef MULTICORE_LUA_H
#define MULTICORE_LUA_H

#include <lua.h>

#include "multicore.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Flags of mc_lua_open. */
#define MC_LUA_SIGINT                                                                    \
    1u /* Ctrl-C raises "interrupted!" in the main task, where SIGINT has a handler that \
          would otherwise be called. What `require` does by itself. */

/* Gives the state a runtime and makes the module what `require "multicore"` returns. options->host is
 * ours; tasks get 1 MiB of stack at least, in Lua 5.1 and LuaJIT 4. On failure a message is left on top of
 * the stack. MC_EBUSY: it has one; MC_EPERM: this thread holds the baton of another state. */
mc_status mc_lua_open(lua_State *L, const mc_runtime_options *options, uint32_t flags);

/* The module, as `require` loads it: opens the state first if nobody has. */
int luaopen_multicore(lua_State *L);

/* The runtime of a state, borrowed; NULL if it has none (any more). */
mc_runtime *mc_lua_runtime(lua_State *L);

/* The task that runs L, or a coroutine of it: borrowed; NULL if none does. */
mc_task *mc_lua_task(lua_State *L);

/* On another thread, after mc_attach to the runtime: a lua_State for this thread to run scripts with,
 * valid until mc_lua_leave, which comes before mc_detach. On failure a status. */
mc_status mc_lua_enter(lua_State *L, lua_State **out);
mc_status mc_lua_leave(lua_State *thread);

/* Ends the runtime before lua_close, on the thread that opened it, with another timeout than the 100 ms
 * which lua_close allows to sections. MC_OK: every task has ended. MC_ETIMEDOUT: sections go on; what
 * their tasks refer to stays in memory, and nothing but lua_close may follow. */
mc_status mc_lua_close(lua_State *L, uint64_t timeout);

#ifdef __cplusplus
}
#endif
#endif /* MULTICORE_LUA_H */
