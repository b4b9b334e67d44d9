/* mc.map: a function over a list, by a limited number of tasks.
 *
 * The tasks take the next index in turn. After the first error none takes another; the error is
 * raised once all have ended. An interrupt of the caller is passed on to them.
 * SPDX-License-Identifier: BSL-1.0
 */
#include <unistd.h>

#include "deadline.h"
#include "lib.h"
#include "raise.h"

struct map {
    lua_Integer next, count;
    int failed; /* the first error is the user value */
};

static int default_limit(void) {
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    return cpus > 4 ? (int)(2 * cpus) : 8;
}

static int add_traceback(lua_State *L) {
    if (lua_type(L, 1) == LUA_TSTRING) luaL_traceback(L, L, lua_tostring(L, 1), 1);
    return 1;
}

/* f, list, i: what may raise an error of the script's. */
static int map_item(lua_State *L) {
    lua_geti(L, 2, lua_tointeger(L, 3));
    lua_replace(L, 2);
    lua_call(L, 2, 1);
    return 1;
}

/* Upvalues: f, list, results, struct map. */
static int map_worker(lua_State *L) {
    struct map *m = lua_touserdata(L, lua_upvalueindex(4));
    lua_settop(L, 0);
    lua_pushcfunction(L, add_traceback);
    while (!m->failed && m->next <= m->count) {
        lua_Integer i = m->next++;
        lua_pushcfunction(L, map_item);
        lua_pushvalue(L, lua_upvalueindex(1));
        lua_pushvalue(L, lua_upvalueindex(2));
        lua_pushinteger(L, i);
        if (lua_pcall(L, 3, 1, 1) == LUA_OK) {
            lua_rawseti(L, lua_upvalueindex(3), i);
        } else {
            if (!m->failed) {
                lua_pushvalue(L, -1);
                lua_setiuservalue(L, lua_upvalueindex(4), 1);
                m->failed = 1;
            }
            lua_pop(L, 1);
        }
    }
    return 0;
}

enum { F = 1, LIST, LIMIT, RESULTS, MAP, WORKERS };

static struct mcl_task *worker(lua_State *L, lua_Integer i) {
    lua_rawgeti(L, WORKERS, i);
    struct mcl_task **box = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return box ? *box : NULL;
}

static int map_spawn(lua_State *L) {
    struct map *m = lua_touserdata(L, MAP);
    lua_Integer limit = lua_tointeger(L, LIMIT);
    for (lua_Integer i = 1; i <= limit && i <= m->count; i++) {
        lua_pushvalue(L, F);
        lua_pushvalue(L, LIST);
        lua_pushvalue(L, RESULTS);
        lua_pushvalue(L, MAP);
        lua_pushcclosure(L, map_worker, 4);
        lua_pushfstring(L, "map " MCL_COUNT, MCL_COUNT_ARG(i));
        lua_insert(L, -2);
        mcl_spawn(L, 0, lua_tostring(L, -2), 0, "map");
        lua_rawseti(L, WORKERS, i);
        lua_pop(L, 1);
    }
    return 0;
}

static int map_wait(lua_State *L) {
    struct mcl_task *w;
    for (lua_Integer i = 1; (w = worker(L, i)) != NULL; i++) {
        int top = lua_gettop(L);
        /* The worker itself fails for lack of memory only; but its function may cancel it. */
        if (mcl_join_results(L, mcl_self(L), w, MC_FOREVER) == MCL_JOIN_CANCELLED)
            return luaL_error(L, "map: '%s' was cancelled", mc_task_name(w->task));
        lua_settop(L, top);
    }
    return 0;
}

/* The same, whatever they ended with. */
static int map_settle(lua_State *L) {
    struct mcl_task *w, *k = mcl_self(L);
    for (lua_Integer i = 1; (w = worker(L, i)) != NULL; i++) {
        mc_status status = w->destroyed ? MC_OK : mcl_join(k, w, MC_FOREVER);
        if (status == MC_EPERM) return 0; /* a hook of the script's opened an atomic scope */
        if (status != MC_OK) return mcl_raise(L, k, status, "map");
        w->observed = 1;
    }
    return 0;
}

static int in_frame(lua_State *L, lua_CFunction fn) {
    lua_pushcfunction(L, fn);
    for (int i = F; i <= WORKERS; i++) lua_pushvalue(L, i);
    return lua_pcall(L, WORKERS, 0, 0);
}

/* The error on top of the stack ends the whole map. */
static int give_up(lua_State *L, struct mcl_task *k, struct map *m) {
    struct mcl_task *w;
    m->failed = 1;
    for (lua_Integer i = 1; (w = worker(L, i)) != NULL; i++) {
        if (w->ended) continue;
        if (mcl_is_ending(k)) {
            mcl_tell_to_end(L, w);
            continue;
        }
        lua_pushliteral(L, "interrupted");
        mcl_interrupt(L, w);
    }
    while (!mcl_is_ending(k) && in_frame(L, map_settle) != LUA_OK) lua_pop(L, 1);
    return lua_error(L);
}

/* map(f, list [, limit]) -> results */
int mcl_l_map(lua_State *L) {
    lua_settop(L, LIMIT);
    if (!lua_isfunction(L, F) && luaL_getmetafield(L, F, "__call") == LUA_TNIL)
        return luaL_typeerror(L, F, "function");
    if (!lua_istable(L, LIST) && luaL_getmetafield(L, LIST, "__index") == LUA_TNIL)
        return luaL_typeerror(L, LIST, "table");
    lua_Integer limit = lua_isnil(L, LIMIT) ? default_limit() : mcl_check_count(L, LIMIT);
    luaL_argcheck(L, limit >= 1, LIMIT, "at least one task is needed");
    lua_settop(L, LIST);
    lua_pushinteger(L, limit);
    lua_Integer count = luaL_len(L, LIST);
    lua_createtable(L, count > 0 && count < 1000000 ? (int)count : 0, 0);
    struct map *m = lua_newuserdatauv(L, sizeof *m, 1);
    *m = (struct map){1, count, 0};
    lua_newtable(L);
    struct mcl_task *k = mcl_self(L);
    mcl_check_can_suspend(L, k, "map");
    /* Joining oneself tells whether one may wait at all: in an atomic scope the tasks would never run. */
    if (mc_task_join(k->task, 0) == MC_EPERM) return mcl_raise(L, k, MC_EPERM, "map");

    if (in_frame(L, map_spawn) != LUA_OK || in_frame(L, map_wait) != LUA_OK) return give_up(L, k, m);
    if (m->failed) {
        lua_getiuservalue(L, MAP, 1);
        return lua_error(L);
    }
    lua_pushvalue(L, RESULTS);
    return 1;
}
