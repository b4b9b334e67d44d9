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

#include <lauxlib.h>
#include <lua.h>

#include "multicore.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Flags of mc_lua_open. */
#define MC_LUA_SIGINT                                                                    \
    1u /* Ctrl-C raises "interrupted!" in the main task, where SIGINT has a handler that \
          would otherwise be called. What `require` does by itself. */
#define MC_LUA_SHIP                                                                          \
    2u /* MC_WAY_SHIP: Lua stays on this thread. Sections that are declared migratable go to \
          other threads, with their tasks; all others, and the main task's, keep Lua. */

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

/* ---- for C modules: functions for mc.submit; nothing is to be linked ----
 *
 * `prepare` and `finish` are called with the baton, and not in a section; they must not release, nor call
 * functions of the script. `work` runs on a thread of the pool and must not use Lua. */
typedef struct mc_lua_function {
    uint32_t size, work_class; /* MC_WORK_CPU, MC_WORK_IO */
    size_t data_size;          /* bytes of plain data, which begin as zeros */
    /* The arguments, from index 1 on; they are not collected before `work` is over, so that pointers to
     * strings among them stay valid. May raise errors, also after it has allocated. */
    void (*prepare)(lua_State *L, void *data);
    void (*work)(void *data);
    /* Pushes the results and returns their number, or raises an error; once, when the job is first joined. */
    int (*finish)(lua_State *L, void *data);
    void (*dispose)(void *data); /* once, after all others, whichever were called. May be NULL. No Lua */
    void (*unblock)(void *data); /* any thread: makes `work` return early; NULL: cannot be done */
} mc_lua_function;

#define MC_LUA_FUNCTION_INIT \
    { sizeof(mc_lua_function), MC_WORK_CPU, 0, NULL, NULL, NULL, NULL, NULL }

#define MC_LUA_FUNCTION "multicore.function" /* the metatable's name */

/* Pushes a value that mc.submit takes for a function; it has a copy of the struct. */
static inline void mc_lua_push_function(lua_State *L, const mc_lua_function *function) {
    *(mc_lua_function *)lua_newuserdata(L, sizeof *function) = *function;
    luaL_newmetatable(L, MC_LUA_FUNCTION);
    lua_setmetatable(L, -2);
}

#ifdef __cplusplus
}
#endif
#endif /* MULTICORE_LUA_H */
