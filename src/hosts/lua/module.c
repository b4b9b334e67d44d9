/* What `require "multicore"` loads.
 * SPDX-License-Identifier: BSL-1.0
 */
#include "lib.h"
#include "multicore/lua.h"

void mcl_new_class(lua_State *L, const char *name, const luaL_Reg *methods, const luaL_Reg *metamethods) {
    if (luaL_newmetatable(L, name)) { /* which sets __name */
        luaL_setfuncs(L, metamethods, 0);
        lua_newtable(L);
        luaL_setfuncs(L, methods, 0);
        lua_setfield(L, -2, "__index");
    }
    lua_pop(L, 1);
}

static const luaL_Reg functions[] = {{"spawn", mcl_l_spawn},
                                     {"self", mcl_l_self},
                                     {"yield", mcl_l_yield},
                                     {"sleep", mcl_l_sleep},
                                     {"now", mcl_l_now},
                                     {"wait", mcl_l_wait},
                                     {"map", mcl_l_map},
                                     {"channel", mcl_l_channel},
                                     {"semaphore", mcl_l_semaphore},
                                     {"submit", mcl_l_submit},
                                     {"scope", mcl_l_scope},
                                     {"enable", mcl_l_enable},
                                     {"stats", mcl_l_stats},
                                     {"threads", mcl_l_threads},
                                     {"on_error", mcl_l_on_error},
                                     {"with_deadline", mcl_l_with_deadline},
                                     {NULL, NULL}};

__attribute__((visibility("default"))) int luaopen_multicore(lua_State *L) {
    luaL_checkversion(L);
    struct mcl_host *h = mcl_host_of(L);
    if (!h) h = mcl_host_new(L, NULL, MC_LUA_SIGINT);
    if (h->exit == LUA_NOREF) {
        if (!MCL_LUAJIT) { /* which has no use for hooks */
            mcl_replace_coroutine(L);
            mcl_replace_debug(L);
        }
        mcl_replace_exit(L, h);
    }
    mcl_open_handles(L);
    mcl_open_channels(L);
    mcl_open_semaphores(L);
    mcl_open_jobs(L);
    mcl_open_scopes(L);
    luaL_newlib(L, functions);
    lua_pushfstring(L, "%d.%d.%d", (int)(mc_version() >> 16), (int)(mc_version() >> 8 & 255),
                    (int)(mc_version() & 255));
    lua_setfield(L, -2, "_VERSION");
    return 1;
}
