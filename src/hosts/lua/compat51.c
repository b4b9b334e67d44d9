/* What Lua 5.1 and LuaJIT lack of the API that this host is written for. Not part of the 5.4 module.
 * SPDX-License-Identifier: BSL-1.0
 */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "compat.h"

#undef lua_sethook
#undef lua_resume
#undef lua_rawgeti
#undef lua_rawseti

static int absolute(lua_State *L, int index) {
    return index > 0 || index <= LUA_REGISTRYINDEX ? index : lua_gettop(L) + index + 1;
}

/* ---- states ---- */

lua_State *mcl_main_state(lua_State *L) {
    int is_main = lua_pushthread(L);
    lua_pop(L, 1);
    if (!is_main)
        luaL_error(L,
                   "multicore: cannot start in a coroutine, which in Lua 5.1 does not know its main state; "
                   "load it in the main chunk first");
    return L;
}

void mcl51_sethook(lua_State *L, lua_Hook hook, int mask, int count) {
    if (!MCL_LUAJIT) lua_sethook(L, hook, mask, count);
}

/* The arguments are on the stack of co. 5.1 checks little by itself. */
int mcl51_resume(lua_State *co, lua_State *from, int nargs, int *nresults) {
    const char *problem = NULL;
    lua_Debug ar;
    if (lua_status(co) == LUA_OK) {
        if (lua_getstack(co, 0, &ar))
            problem = co == from ? "cannot resume running coroutine" : "cannot resume normal coroutine";
        else if (lua_gettop(co) <= nargs)
            problem = "cannot resume dead coroutine";
    } else if (lua_status(co) != LUA_YIELD) {
        problem = "cannot resume dead coroutine";
    }
    if (problem) {
        lua_pop(co, nargs);
        lua_pushstring(co, problem);
        return LUA_ERRRUN;
    }
    int status = lua_resume(co, nargs);
    *nresults = lua_gettop(co);
    return status;
}

/* ---- values ---- */

void mcl51_rawgetp(lua_State *L, int index, const void *p) {
    index = absolute(L, index);
    lua_pushlightuserdata(L, (void *)(uintptr_t)p);
    lua_rawget(L, index);
}

void mcl51_rawsetp(lua_State *L, int index, const void *p) {
    index = absolute(L, index);
    lua_pushlightuserdata(L, (void *)(uintptr_t)p);
    lua_insert(L, -2);
    lua_rawset(L, index);
}

void mcl51_rawgeti(lua_State *L, int index, lua_Integer i) {
    if (i == (int)i) {
        lua_rawgeti(L, index, (int)i);
        return;
    }
    index = absolute(L, index);
    lua_pushinteger(L, i);
    lua_rawget(L, index);
}

void mcl51_rawseti(lua_State *L, int index, lua_Integer i) {
    if (i == (int)i) {
        lua_rawseti(L, index, (int)i);
        return;
    }
    index = absolute(L, index);
    lua_pushinteger(L, i);
    lua_insert(L, -2);
    lua_rawset(L, index);
}

void mcl51_geti(lua_State *L, int index, lua_Integer i) {
    index = absolute(L, index);
    lua_pushinteger(L, i);
    lua_gettable(L, index);
}

int mcl51_isinteger(lua_State *L, int index) {
    if (lua_type(L, index) != LUA_TNUMBER) return 0;
    lua_Number n = lua_tonumber(L, index);
    return floor(n) == n && fabs(n) < 9007199254740992.0;
}

/* An environment must be a table, so the value is in one. */
void mcl51_setuservalue(lua_State *L, int index) {
    index = absolute(L, index);
    lua_createtable(L, 1, 0);
    lua_insert(L, -2);
    lua_rawseti(L, -2, 1);
    lua_setfenv(L, index);
}

void mcl51_getuservalue(lua_State *L, int index) {
    lua_getfenv(L, index);
    lua_rawgeti(L, -1, 1);
    lua_remove(L, -2);
}

lua_Integer mcl51_len(lua_State *L, int index) {
    if (!luaL_callmeta(L, index, "__len")) return (lua_Integer)lua_objlen(L, index);
    if (!lua_isnumber(L, -1)) luaL_error(L, "object length is not a number");
    lua_Integer n = lua_tointeger(L, -1);
    lua_pop(L, 1);
    return n;
}

/* ---- the auxiliary library ---- */

void mcl51_setfuncs(lua_State *L, const luaL_Reg *functions, int upvalues) {
    for (; functions->name; functions++) {
        for (int i = 0; i < upvalues; i++) lua_pushvalue(L, -upvalues);
        lua_pushcclosure(L, functions->func, upvalues);
        lua_setfield(L, -(upvalues + 2), functions->name);
    }
    lua_pop(L, upvalues);
}

lua_Integer mcl51_checkinteger(lua_State *L, int arg) {
    lua_Number n = luaL_checknumber(L, arg);
    luaL_argcheck(L, floor(n) == n && fabs(n) <= (lua_Number)LUA_MAXINTEGER, arg,
                  "number has no integer representation");
    return (lua_Integer)n;
}

void mcl51_setmetatable(lua_State *L, const char *name) {
    luaL_getmetatable(L, name);
    lua_setmetatable(L, -2);
}

void *mcl51_testudata(lua_State *L, int index, const char *name) {
    void *data = lua_touserdata(L, index);
    if (!data || !lua_getmetatable(L, index)) return NULL;
    luaL_getmetatable(L, name);
    int same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return same ? data : NULL;
}

const char *mcl51_tostring(lua_State *L, int index) {
    if (luaL_callmeta(L, index, "__tostring")) {
        if (!lua_isstring(L, -1)) luaL_error(L, "'__tostring' must return a string");
        return lua_tostring(L, -1);
    }
    switch (lua_type(L, index)) {
        case LUA_TNUMBER:
        case LUA_TSTRING: lua_pushvalue(L, index); break;
        case LUA_TBOOLEAN: lua_pushstring(L, lua_toboolean(L, index) ? "true" : "false"); break;
        case LUA_TNIL: lua_pushliteral(L, "nil"); break;
        default: lua_pushfstring(L, "%s: %p", luaL_typename(L, index), lua_topointer(L, index));
    }
    return lua_tostring(L, -1);
}

static void push_function(lua_State *L, const lua_Debug *ar) {
    if (*ar->namewhat)
        lua_pushfstring(L, "function '%s'", ar->name);
    else if (*ar->what == 'm')
        lua_pushliteral(L, "main chunk");
    else if (*ar->what == 'C' || *ar->what == 't')
        lua_pushliteral(L, "?");
    else
        lua_pushfstring(L, "function <%s:%d>", ar->short_src, ar->linedefined);
}

/* The stack of another state than L: debug.traceback may have been replaced, and may be replaced by Lua. */
void mcl51_traceback(lua_State *L, lua_State *of, const char *message, int level) {
    enum { FIRST = 10, LAST = 11 };
    lua_Debug ar;
    int depth = 0;
    while (lua_getstack(of, depth, &ar)) depth++;
    int top = lua_gettop(L);
    lua_pushfstring(L, message ? "%s\nstack traceback:" : "stack traceback:", message);
    for (int n = 1; lua_getstack(of, level, &ar); n++, level++) {
        if (n == FIRST + 1 && depth - level > LAST) {
            lua_pushliteral(L, "\n\t...");
            level = depth - LAST - 1;
        } else {
            lua_getinfo(of, "Snl", &ar);
            lua_pushfstring(L, "\n\t%s:", ar.short_src);
            if (ar.currentline > 0) lua_pushfstring(L, "%d:", ar.currentline);
            lua_pushliteral(L, " in ");
            push_function(L, &ar);
        }
        lua_concat(L, lua_gettop(L) - top);
    }
}

void mcl51_requiref(lua_State *L, const char *name, lua_CFunction open, int global) {
    lua_pushcfunction(L, open);
    lua_pushstring(L, name);
    lua_call(L, 1, 1);
    luaL_findtable(L, LUA_REGISTRYINDEX, "_LOADED", 16);
    lua_pushvalue(L, -2);
    lua_setfield(L, -2, name);
    lua_pop(L, 1);
    if (!global) return;
    lua_pushvalue(L, -1);
    lua_setglobal(L, name);
}
