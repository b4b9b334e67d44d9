/* A program that owns its lua_State. SPDX-License-Identifier: BSL-1.0 */
#include <lauxlib.h>
#include <lualib.h>
#include <multicore/lua.h>
#include <stdio.h>

int main(void) {
    static const char script[] =
        "local mc = require 'multicore'\n"
        "local task = mc.spawn(function() mc.yield() return 42 end)\n"
        "assert(task:join() == 42)\n";
    lua_State *L = luaL_newstate();
    int failed;
    if (!L) return 1;
    luaL_openlibs(L);
    if (mc_lua_open(L, NULL, 0) != MC_OK || luaL_dostring(L, script) != LUA_OK) {
        fprintf(stderr, "%s\n", lua_tostring(L, -1));
        return 1;
    }
    failed = mc_lua_runtime(L) == NULL;
    lua_close(L);
    puts(failed ? "no runtime" : "embedded");
    return failed;
}
