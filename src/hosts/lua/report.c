/* Errors that nobody joined: never lost, told to the handler or to stderr.
 * SPDX-License-Identifier: BSL-1.0
 */
#include <stdio.h>

#include "lib.h"
#include "raise.h"

/* error, traceback, name */
static int report_to_stderr(lua_State *L) {
    const char *text = luaL_tolstring(L, 1, NULL);
    fprintf(stderr, "multicore: error in task '%s', which nobody joined: %s\n%s\n", lua_tostring(L, 3), text,
            luaL_optstring(L, 2, ""));
    fflush(stderr);
    return 0;
}

/* light userdata of the task, error */
static int report(lua_State *L) {
    struct mcl_task *k = lua_touserdata(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, k->host->on_error);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_pushcfunction(L, report_to_stderr);
    }
    lua_pushvalue(L, 2);
    lua_pushstring(L, k->traceback);
    lua_pushstring(L, k->task ? mc_task_name(k->task) : "?");
    lua_call(L, 3, 0);
    return 0;
}

/* Without the Lua functions that may raise an error: no __tostring, no memory. */
static void print_plainly(lua_State *L, int index, const char *what, const char *name) {
    if (lua_type(L, index) == LUA_TSTRING)
        fprintf(stderr, "multicore: %s '%s': %s\n", what, name, lua_tostring(L, index));
    else
        fprintf(stderr, "multicore: %s '%s': (a %s value)\n", what, name, luaL_typename(L, index));
}

void mcl_report(lua_State *L, struct mcl_task *k) {
    const char *name = k->task ? mc_task_name(k->task) : "?";
    int there = mcl_result_is_there(k);
    k->observed = 1;
    if (lua_checkstack(L, 4) && lua_checkstack(k->L, 4)) {
        lua_pushcfunction(L, report);
        lua_pushlightuserdata(L, k);
        if (there) {
            lua_pushvalue(k->L, 2); /* where lua_pcall left it */
            lua_xmove(k->L, L, 1);
        } else {
            lua_pushnil(L);
        }
        if (lua_pcall(L, 2, 0, 0) == LUA_OK) return;
        print_plainly(L, -1, "error in telling the error of task", name);
        lua_pop(L, 1);
    }
    if (there)
        print_plainly(k->L, 2, "error in task", name);
    else
        fprintf(stderr, "multicore: error in task '%s', which is gone\n", name);
    fprintf(stderr, "%s\n", k->traceback ? k->traceback : "");
    fflush(stderr);
}

/* on_error([handler]) -> the handler before, or nil */
int mcl_l_on_error(lua_State *L) {
    struct mcl_host *h = mcl_self(L)->host;
    if (!lua_isnoneornil(L, 1)) luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, h->on_error);
    lua_insert(L, 1);
    luaL_unref(L, LUA_REGISTRYINDEX, h->on_error);
    h->on_error = lua_isnil(L, 2) ? LUA_REFNIL : luaL_ref(L, LUA_REGISTRYINDEX);
    lua_settop(L, 1);
    return 1;
}
