/* The task as a script sees it: a userdata with methods.
 *
 * The userdata anchors the lua_State, which holds the results on its stack.
 * SPDX-License-Identifier: BSL-1.0
 */
#include <string.h>

#include "deadline.h"
#include "lib.h"
#include "raise.h"

#define CLASS "multicore.task"

struct mcl_task *mcl_check_task(lua_State *L, int arg) {
    struct mcl_task **box = luaL_checkudata(L, arg, CLASS);
    luaL_argcheck(L, *box, arg, "the task has been collected");
    return *box;
}

void mcl_push_handle(lua_State *L, struct mcl_task *k) {
    luaL_checkstack(L, 6, "task");
    lua_rawgeti(L, LUA_REGISTRYINDEX, k->host->handles);
    struct mcl_task **known = lua_rawgetp(L, -1, k) == LUA_TNIL ? NULL : lua_touserdata(L, -1);
    if (!known || !*known) { /* a script may have called its __gc */
        lua_pop(L, 1);
        struct mcl_task **box = lua_newuserdatauv(L, sizeof *box, 1);
        *box = k;
        k->refs++;
        k->handles++;
        luaL_setmetatable(L, CLASS);
        lua_pushthread(k->L);
        if (k->L != L) lua_xmove(k->L, L, 1);
        lua_setiuservalue(L, -2, 1);
        lua_pushvalue(L, -1);
        lua_rawsetp(L, -3, k);
    }
    lua_remove(L, -2);
}

/* join([timeout]) -> results | nil, "timeout" | nil, "cancelled" */
static int task_join(lua_State *L) {
    struct mcl_task *other = mcl_check_task(L, 1);
    uint64_t timeout = mcl_opt_timeout(L, 2);
    int n = mcl_join_results(L, mcl_self(L), other, timeout);
    if (n >= 0) return n;
    lua_pushnil(L);
    lua_pushstring(L, n == MCL_JOIN_TIMEOUT ? "timeout" : "cancelled");
    return 2;
}

static const char *state_name(struct mcl_task *k) {
    static const char *const names[] = {"new", "ready", "running", "section", "due", "suspended", "ended"};
    if (!k->task) return "ended";
    if (k == mcl_current()) return "running";
    uint32_t state = mc_task_state(k->task);
    return state < sizeof names / sizeof *names ? names[state] : "?";
}

static int task_status(lua_State *L) {
    lua_pushstring(L, state_name(mcl_check_task(L, 1)));
    return 1;
}

/* interrupt([err]) -> whether the task will notice */
static int task_interrupt(lua_State *L) {
    struct mcl_task *other = mcl_check_task(L, 1);
    lua_settop(L, 2);
    if (lua_isnil(L, 2)) {
        lua_pushliteral(L, "interrupted");
        lua_replace(L, 2);
    }
    mcl_self(L);
    mc_status status = other->task && !other->ended ? mcl_interrupt(L, other) : MC_EINVAL;
    lua_pushboolean(L, status == MC_OK);
    if (status == MC_OK) return 1;
    lua_pushstring(L, status == MC_EBUSY ? "pending" : "ended");
    return 2;
}

static int task_name(lua_State *L) {
    struct mcl_task *k = mcl_check_task(L, 1);
    lua_pushstring(L, k->task ? mc_task_name(k->task) : "?");
    return 1;
}

static int task_tostring(lua_State *L) {
    struct mcl_task *k = mcl_check_task(L, 1);
    lua_pushfstring(L, "task '%s' (%s)", k->task ? mc_task_name(k->task) : "?", state_name(k));
    return 1;
}

/* At the end of its block a task is joined; if the block ends by an error, interrupted first. */
static int task_close(lua_State *L) {
    struct mcl_task *other = mcl_check_task(L, 1);
    struct mcl_task *k = mcl_self(L);
    if (lua_isnoneornil(L, 2)) {
        lua_settop(L, 1);
        mcl_join_results(L, k, other, MC_FOREVER);
        return 0;
    }
    if (other->destroyed || !other->task || other == k) return 0;
    if (mcl_is_ending(k)) { /* it cannot wait */
        mcl_tell_to_end(L, other);
        return 0;
    }
    lua_pushliteral(L, "interrupted");
    mcl_interrupt(L, other);
    mcl_check_can_suspend(L, k, "close of a task");
    mc_status status = mcl_join(k, other, MC_FOREVER);
    if (status != MC_OK && status != MC_EDEADLK) return mcl_raise(L, k, status, "close of a task");
    other->observed = 1;
    return 0;
}

static int task_gc(lua_State *L) {
    struct mcl_task **box = luaL_checkudata(L, 1, CLASS);
    struct mcl_task *k = *box;
    if (!k) return 0;
    *box = NULL;
    k->handles--;
    if (!k->handles && k->ended && k->failed && !k->observed && !k->cancelled) mcl_report(L, k);
    mcl_task_unref(k);
    return 0;
}

void mcl_open_handles(lua_State *L) {
    static const luaL_Reg methods[] = {{"join", task_join},
                                       {"status", task_status},
                                       {"interrupt", task_interrupt},
                                       {"cancel", mcl_l_cancel},
                                       {"abandon", mcl_l_abandon},
                                       {"name", task_name},
                                       {NULL, NULL}};
    static const luaL_Reg metamethods[] = {
        {"__tostring", task_tostring}, {"__close", task_close}, {"__gc", task_gc}, {NULL, NULL}};
    mcl_new_class(L, CLASS, methods, metamethods);
}

static int is_callable(lua_State *L, int index) {
    if (lua_isfunction(L, index)) return 1;
    if (luaL_getmetafield(L, index, "__call") == LUA_TNIL) return 0;
    lua_pop(L, 1);
    return 1;
}

/* spawn{f, args..., name=, stack=} */
static int spawn_from_table(lua_State *L) {
    lua_settop(L, 1);
    luaL_argcheck(L, lua_getfield(L, 1, "name") == LUA_TNIL || lua_isstring(L, 2), 1,
                  "name must be a string");
    luaL_argcheck(L, lua_getfield(L, 1, "stack") == LUA_TNIL || lua_isinteger(L, 3), 1,
                  "stack must be a number of bytes");
    lua_Integer stack = lua_tointeger(L, 3);
    if (stack < (lua_Integer)MCL_TASK_STACK) stack = 0; /* the default is the least */
    lua_geti(L, 1, 1);
    luaL_argcheck(L, is_callable(L, 4), 1, "its first element must be a function");
    lua_getfield(L, 1, "n");
    lua_Integer n = lua_isinteger(L, -1) ? lua_tointeger(L, -1) : luaL_len(L, 1);
    lua_pop(L, 1);
    luaL_argcheck(L, n >= 1 && n < 1000000, 1, "too many elements");
    luaL_checkstack(L, (int)n, "too many arguments");
    for (lua_Integer i = 2; i <= n; i++) lua_geti(L, 1, i);
    mcl_spawn(L, (int)n - 1, lua_tostring(L, 2), (uint64_t)stack, "spawn");
    return 1;
}

/* spawn(f, ...) -> task */
int mcl_l_spawn(lua_State *L) {
    if (lua_istable(L, 1) && !is_callable(L, 1)) return spawn_from_table(L);
    if (lua_isnone(L, 1) || !is_callable(L, 1)) return luaL_typeerror(L, 1, "function");
    mcl_spawn(L, lua_gettop(L) - 1, NULL, 0, "spawn");
    return 1;
}

/* self() -> the task that calls */
int mcl_l_self(lua_State *L) {
    mcl_push_handle(L, mcl_self(L));
    return 1;
}
