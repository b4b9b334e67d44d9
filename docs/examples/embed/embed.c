/* A program that owns its lua_State: scripts in it have tasks, and its C functions run beside them.
 *
 *     cc embed.c $(pkg-config --cflags --libs lua5.4 multicore) -lmulticore_lua
 *     ./a.out script.lua
 *
 * SPDX-License-Identifier: BSL-1.0 OR CC0-1.0
 */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <multicore/extension.h>
#include <multicore/lua.h>
#include <stdio.h>
#include <stdlib.h>

/* collatz(n): the number of steps. Expensive C that does not touch the interpreter. */
static int l_collatz(lua_State *L) {
    unsigned long long n = (unsigned long long)luaL_checkinteger(L, 1);
    lua_Integer steps = 0;
    luaL_argcheck(L, n > 0, 1, "must be positive");
    mc_release();
    for (; n != 1; steps++) n = n % 2 ? 3 * n + 1 : n / 2;
    mc_acquire();
    lua_pushinteger(L, steps);
    return 1;
}

static const char *const default_script =
    "local mc = require 'multicore'\n"
    "local list = {}\n"
    "for i = 1, 1000 do list[i] = i end\n"
    "local steps, best = mc.map(collatz, list), 1\n"
    "for i, n in ipairs(steps) do if n > steps[best] then best = i end end\n"
    "print(best .. ' takes ' .. steps[best] .. ' steps')\n";

int main(int argc, char **argv) {
    lua_State *L = luaL_newstate();
    if (!L) return EXIT_FAILURE;
    luaL_openlibs(L);

    mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
    options.max_threads = 16;
    if (mc_lua_open(L, &options, 0) != MC_OK) {
        fprintf(stderr, "%s\n", lua_tostring(L, -1));
        lua_close(L);
        return EXIT_FAILURE;
    }
    lua_register(L, "collatz", l_collatz);

    int failed = argc > 1 ? luaL_dofile(L, argv[1]) : luaL_dostring(L, default_script);
    if (failed) fprintf(stderr, "%s\n", lua_tostring(L, -1));

    lua_close(L); /* ends the tasks that are left */
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
