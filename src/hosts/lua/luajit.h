/* LuaJIT: what a task does at the moment, a C function of Lua or something else.
 *
 * A section opened by C code that was called through the FFI must keep the interpreter: compiled code is in
 * the middle of it, and whoever ran Lua meanwhile would crash. The API does not tell, as compiled code does
 * not keep the lua_State up to date. So:
 *
 * - LuaJIT is told to call every C function of Lua through a function of ours (LUAJIT_MODE_WRAPCFUNC), which
 *   keeps one struct mcl_native for each on the C stack. Errors unwind C frames, so none is left behind.
 * - A C function itself runs as long as LuaJIT has not been entered again to run the same lua_State. The
 *   lua_State says where on the C stack it was entered last, but not by the API: the place of that word is
 *   looked for at the start.
 *
 * A LuaJIT that does not unwind, or hides the word, is found out at the start and refused.
 *
 * Rejected: asking which function is at level 0, or where its frame is (compiled code leaves old ones there);
 * telling the FFI by the exported mc_release (C libraries made for it use the macros).
 * SPDX-License-Identifier: BSL-1.0
 */
#ifndef MULTICORE_HOSTS_LUA_LUAJIT_H
#define MULTICORE_HOSTS_LUA_LUAJIT_H

#include "compat.h"

struct mcl_host;
struct mcl_task;

#if LUA_VERSION_NUM >= 504

static inline int mcl_jit_start(lua_State *L, struct mcl_host *h) { return (void)L, (void)h, 1; }
static inline int mcl_jit_may_lend(struct mcl_host *h) { return (void)h, 1; }
static inline void mcl_jit_loaded(struct mcl_task *k) { (void)k; }
static inline int mcl_jit_insist(struct mcl_task *k, unsigned n, int room) {
    return (void)k, (void)n, (void)room, 0;
}
static inline void mcl_jit_runs(struct mcl_host *h, struct mcl_task *k) { (void)h, (void)k; }
static inline lua_State *mcl_jit_state(const struct mcl_task *k) { return (void)k, NULL; }

#else

/* In the functions below a state that is not LuaJIT's is no error: they do nothing. */

/* At the start, with the main task as the current one. False: nothing works with this build of LuaJIT. */
int mcl_jit_start(lua_State *L, struct mcl_host *h);

/* Whether the task that ran last is in a C function of Lua, or in no Lua code at all; else says, once, that a
 * section keeps the interpreter. With the baton, on any thread. */
int mcl_jit_may_lend(struct mcl_host *h);

/* Others may have run Lua since k went away. LuaJIT keeps the lua_State that runs in a global, which it sets
 * when a C function returns, but not when it raises an error. */
void mcl_jit_loaded(struct mcl_task *k);

/* k is about to be told to end, for the n-th time, and again after `room` instructions. One that will not
 * hear lets the others, and the end of the state, go on. False: not LuaJIT. */
int mcl_jit_insist(struct mcl_task *k, unsigned n, int room);

/* jithook.c: k, which runs, is told after `room` instructions; and k (or NULL) is what runs from now on. */
void mcl_jit_hook(struct mcl_task *k, int room);
void mcl_jit_runs(struct mcl_host *h, struct mcl_task *k);

/* The lua_State that the innermost C function of k was called with, or NULL. */
lua_State *mcl_jit_state(const struct mcl_task *k);

#endif
#endif
