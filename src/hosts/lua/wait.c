/* Functions that let time pass: yield, sleep, wait.
 * SPDX-License-Identifier: BSL-1.0
 */
#include <stdio.h>
#include <string.h>

#include "lib.h"
#include "raise.h"

int mcl_l_now(lua_State *L) {
    lua_pushnumber(L, (lua_Number)mc_now() / 1e9);
    return 1;
}

int mcl_l_yield(lua_State *L) {
    struct mcl_task *k = mcl_self(L);
    mcl_check_can_suspend(L, k, "yield");
    mc_status status = mcl_yield(k);
    return status == MC_OK ? 0 : mcl_raise(L, k, status, "yield");
}

int mcl_l_sleep(lua_State *L) {
    uint64_t ns = mcl_check_seconds(L, 1);
    struct mcl_task *k = mcl_self(L);
    mcl_check_can_suspend(L, k, "sleep");
    mc_status status = mcl_sleep(k, ns);
    return status == MC_OK ? 0 : mcl_raise(L, k, status, "sleep");
}

static int has_fields(lua_State *L, int arg) {
    if (lua_istable(L, arg)) return 1;
    if (lua_type(L, arg) != LUA_TUSERDATA || luaL_getmetafield(L, arg, "__index") == LUA_TNIL) return 0;
    lua_pop(L, 1);
    return 1;
}

/* A number, a Lua file, or an object with a method getfd or fileno that returns one. */
static int check_fd(lua_State *L, int arg) {
    if (lua_isinteger(L, arg)) {
        lua_Integer n = lua_tointeger(L, arg);
        luaL_argcheck(L, n >= 0 && n <= INT32_MAX, arg, "not a file descriptor");
        return (int)n;
    }
    luaL_Stream *stream = luaL_testudata(L, arg, LUA_FILEHANDLE);
    if (stream) {
        luaL_argcheck(L, !mcl_stream_closed(stream), arg, "the file is closed");
        return fileno(stream->f);
    }
    static const char *const getters[] = {"getfd", "fileno"};
    for (int i = 0; i < 2 && has_fields(L, arg); i++) {
        if (lua_getfield(L, arg, getters[i]) != LUA_TFUNCTION) {
            lua_pop(L, 1);
            continue;
        }
        lua_pushvalue(L, arg);
        lua_call(L, 1, 1);
        lua_Integer n = lua_tointeger(L, -1);
        luaL_argcheck(L, lua_isinteger(L, -1) && n >= 0 && n <= INT32_MAX, arg,
                      "it has no file descriptor (closed?)");
        return (int)n;
    }
    return luaL_typeerror(L, arg, "file descriptor, file or socket");
}

static uint32_t check_events(lua_State *L, int arg) {
    static const char *const names[] = {"r", "w", "rw", "wr", NULL};
    static const uint32_t events[] = {MC_READABLE, MC_WRITABLE, MC_READABLE | MC_WRITABLE,
                                      MC_READABLE | MC_WRITABLE};
    return events[luaL_checkoption(L, arg, "r", names)];
}

/* wait(fd_or_file, "r"|"w"|"rw" [, timeout]) -> "r"|"w"|"rw" | nil, "timeout" */
int mcl_l_wait(lua_State *L) {
    uint32_t events = check_events(L, 2);
    uint64_t timeout = mcl_opt_timeout(L, 3);
    int fd = check_fd(L, 1);
    struct mcl_task *k = mcl_self(L);
    mcl_check_can_suspend(L, k, "wait");
    uint32_t ready = 0;
    mc_status status = mcl_wait_fd(k, fd, events, timeout, &ready);
    if (status == MC_ETIMEDOUT) {
        lua_pushnil(L);
        lua_pushliteral(L, "timeout");
        return 2;
    }
    if (status == MC_EINVAL) return luaL_argerror(L, 1, "not an open file descriptor that can be waited for");
    if (status == MC_EBUSY) return luaL_argerror(L, 1, "two tasks wait for this file descriptor already");
    if (status != MC_OK) return mcl_raise(L, k, status, "wait");
    static const char *const names[] = {"", "r", "w", "rw"};
    lua_pushstring(L, names[ready & 3]);
    return 1;
}
