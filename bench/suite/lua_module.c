/* The functions that suite.lua measures with: a native Lua module, as its author would write it.
 * SPDX-License-Identifier: BSL-1.0 */
#include <lauxlib.h>

#include <multicore/extension.h>

#include "threads.h"

int luaopen_lua_module(lua_State *L);

/* pairs(n): ns per pair, all in one call. */
static int l_pairs(lua_State *L) {
    const lua_Integer count = luaL_checkinteger(L, 1);
    const uint64_t start = bench_now();
    lua_Integer i;
    for (i = 0; i < count; ++i) {
        mc_release();
        mc_acquire();
    }
    lua_pushnumber(L, (double)(bench_now() - start) / (double)count);
    return 1;
}

/* pair() and nothing(): what a call from a script costs with a pair and without. */
static int l_pair(lua_State *L) {
    (void)L;
    mc_release();
    mc_acquire();
    return 0;
}

static int l_nothing(lua_State *L) {
    (void)L;
    return 0;
}

/* section(steps) */
static int l_section(lua_State *L) {
    const uint64_t steps = (uint64_t)luaL_checkinteger(L, 1);
    mc_release();
    bench_steps(steps);
    mc_acquire();
    return 0;
}

/* calibrate(): steps per microsecond */
static int l_calibrate(lua_State *L) {
    lua_pushnumber(L, bench_calibrate());
    return 1;
}

/* busy(on): whether a plain thread keeps a core busy */
static int l_busy(lua_State *L) {
    if (lua_toboolean(L, 1))
        bench_busy_start();
    else
        bench_busy_stop();
    return 0;
}

/* now(): ns */
static int l_now(lua_State *L) {
    lua_pushnumber(L, (double)bench_now());
    return 1;
}

int luaopen_lua_module(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"pairs", l_pairs},         {"pair", l_pair}, {"nothing", l_nothing}, {"section", l_section},
        {"calibrate", l_calibrate}, {"busy", l_busy}, {"now", l_now},         {NULL, NULL}};
    luaL_newlib(L, functions);
    return 1;
}
