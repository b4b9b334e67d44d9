/* coroutine.resume, wrap and close that tell the task which lua_State it runs.
 *
 * They behave as the standard ones do. A coroutine that is resumed by C code, or by a resume that a
 * script kept from before, is preempted only when it returns to a state known here.
 * SPDX-License-Identifier: BSL-1.0
 */
#include "lib.h"
#include "preempt.h"

/* Moves nargs arguments over, resumes, and leaves the results, or one error object, on L. Returns the
 * number of results, or -1. */
static int resume(lua_State *L, lua_State *co, int nargs) {
    struct mcl_task *k = mcl_current();
    struct mcl_frame frame;
    if (k && mcl_wants_poll(k)) mcl_poll(L, k); /* others may use co meanwhile, so this comes first */
    if (!lua_checkstack(co, nargs)) {
        lua_pushliteral(L, "too many arguments to resume");
        return -1;
    }
    lua_xmove(L, co, nargs);
    int nresults;
    if (k) mcl_frame_push(k, &frame, co);
    int status = lua_resume(co, L, nargs, &nresults);
    if (k) mcl_frame_pop(k, &frame);
    if (status != LUA_OK && status != LUA_YIELD) {
        lua_xmove(co, L, 1);
        nresults = -1;
    } else if (!lua_checkstack(L, nresults + 8)) {
        lua_pop(co, nresults);
        lua_pushliteral(L, "too many results to resume");
        nresults = -1;
    } else {
        lua_xmove(co, L, nresults);
    }
    if (k && mcl_wants_poll(k)) mcl_poll(L, k); /* the hook of co may never have had its chance */
    return nresults;
}

static int coroutine_resume(lua_State *L) {
    lua_State *co = lua_tothread(L, 1);
    if (!co) return luaL_typeerror(L, 1, "coroutine");
    int n = resume(L, co, lua_gettop(L) - 1);
    lua_pushboolean(L, n >= 0);
    if (n < 0) n = 1;
    lua_insert(L, -(n + 1));
    return n + 1;
}

static int wrapped(lua_State *L) {
    lua_State *co = lua_tothread(L, lua_upvalueindex(1));
    int n = resume(L, co, lua_gettop(L));
    if (n >= 0) return n;
    int status = lua_status(co);
    if (MCL_CLOSES && status != LUA_OK && status != LUA_YIELD) { /* it died: close its variables */
        struct mcl_task *k = mcl_current();
        struct mcl_frame frame;
        if (k) mcl_frame_push(k, &frame, co);
        status = lua_resetthread(co);
        if (k) mcl_frame_pop(k, &frame);
        lua_xmove(co, L, 1);
    }
    if (status != LUA_ERRMEM && lua_type(L, -1) == LUA_TSTRING) {
        luaL_where(L, 1);
        lua_insert(L, -2);
        lua_concat(L, 2);
    }
    return lua_error(L);
}

/* `create` is the standard one, in the upvalue. */
static int coroutine_wrap(lua_State *L) {
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushvalue(L, 1);
    lua_call(L, 1, 1);
    lua_pushcclosure(L, wrapped, 1);
    return 1;
}

/* `close` is the standard one, in the upvalue. */
static int coroutine_close(lua_State *L) {
    lua_State *co = lua_tothread(L, 1);
    if (!co) return luaL_typeerror(L, 1, "coroutine");
    lua_settop(L, 1);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    struct mcl_task *k = mcl_current();
    struct mcl_frame frame;
    lua_Debug ar;
    if (!k || (lua_status(co) == LUA_OK && lua_getstack(co, 0, &ar))) { /* it runs: an error */
        lua_call(L, 1, LUA_MULTRET);
        return lua_gettop(L);
    }
    mcl_frame_push(k, &frame, co);
    int status = lua_pcall(L, 1, LUA_MULTRET, 0);
    mcl_frame_pop(k, &frame);
    if (status != LUA_OK) return lua_error(L);
    if (mcl_wants_poll(k)) mcl_poll(L, k);
    return lua_gettop(L);
}

void mcl_replace_coroutine(lua_State *L) {
    if (lua_getglobal(L, "coroutine") == LUA_TTABLE) {
        lua_getfield(L, -1, "create");
        lua_pushcclosure(L, coroutine_wrap, 1);
        lua_setfield(L, -2, "wrap");
        if (lua_getfield(L, -1, "close") == LUA_TFUNCTION) {
            lua_pushcclosure(L, coroutine_close, 1);
            lua_setfield(L, -2, "close");
        } else {
            lua_pop(L, 1); /* Lua 5.1 has none */
        }
        lua_pushcfunction(L, coroutine_resume);
        lua_setfield(L, -2, "resume");
    }
    lua_pop(L, 1);
}
