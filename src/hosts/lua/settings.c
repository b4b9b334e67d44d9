/* What a script sets and asks of its runtime: enable, threads, stats.
 * SPDX-License-Identifier: BSL-1.0
 */
#include <string.h>

#include "lib.h"
#include "multicore/extension.h"
#include "raise.h"

/* enable([flag]) -> previous */
int mcl_l_enable(lua_State *L) {
    struct mcl_host *h = mcl_self(L)->host;
    int wanted = lua_isnone(L, 1) ? -1 : lua_toboolean(L, 1);
    if (!lua_isnone(L, 1)) luaL_checktype(L, 1, LUA_TBOOLEAN);
    int previous = mc_enable(h->runtime, wanted);
    lua_pushboolean(L, previous > 0);
    return 1;
}

static void set_count(lua_State *L, const char *name, uint64_t value) {
    lua_pushinteger(L, (lua_Integer)value);
    lua_setfield(L, -2, name);
}

/* stats() -> table */
int mcl_l_stats(lua_State *L) {
    struct mcl_host *h = mcl_self(L)->host;
    mc_stats stats = MC_STATS_INIT;
    mc_runtime_stats(h->runtime, &stats);
    uint64_t own =
        h->sigint_task ? 1 : 0; /* these are not the script's: the task that waits for Ctrl-C, timers */
    lua_createtable(L, 0, 9);
    set_count(L, "tasks_alive", stats.tasks_alive - own - h->timers);
    set_count(L, "tasks_spawned", stats.tasks_spawned - own - h->timers_made);
    set_count(L, "sections", stats.sections);
    set_count(L, "sections_inline", stats.sections_inline);
    set_count(L, "handoffs", stats.handoffs);
    set_count(L, "wakes", stats.wakes);
    set_count(L, "threads", stats.threads);
    set_count(L, "threads_peak", stats.threads_peak);
    lua_pushnumber(L, (lua_Number)stats.longest_wait / 1e9);
    lua_setfield(L, -2, "longest_wait");
    return 1;
}

static uint32_t check_threads(lua_State *L, const char *name, lua_Integer least) {
    if (lua_type(L, -1) == LUA_TNUMBER && lua_tonumber(L, -1) > 4e9) return (uint32_t)MC_NONE; /* math.huge */
    if (!lua_isinteger(L, -1) || lua_tointeger(L, -1) < least)
        luaL_argerror(L, 1, lua_pushfstring(L, "%s must be an integer, %d or more", name, (int)least));
    return lua_tointeger(L, -1) == 0 ? (uint32_t)MC_NONE : (uint32_t)lua_tointeger(L, -1);
}

static void read_threads(lua_State *L, mc_runtime_options *options) {
    lua_pushnil(L);
    while (lua_next(L, 1)) {
        const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
        if (strcmp(name, "max") == 0) {
            options->max_threads = check_threads(L, name, 1);
        } else if (strcmp(name, "keep_idle") == 0) {
            options->keep_idle_threads = check_threads(L, name, 0);
        } else if (strcmp(name, "idle_timeout") == 0) {
            lua_Number seconds = lua_tonumber(L, -1);
            if (!lua_isnumber(L, -1) || !(seconds >= 0))
                luaL_argerror(L, 1, "idle_timeout must be a number of seconds, 0 or more");
            options->idle_timeout = seconds > 9e9 ? MC_FOREVER : (uint64_t)(seconds * 1e9) + (seconds == 0);
        } else {
            luaL_argerror(
                L, 1,
                lua_pushfstring(L, "unknown setting '%s'; there are max, keep_idle, idle_timeout", name));
        }
        lua_pop(L, 1);
    }
}

/* threads{max=, keep_idle=, idle_timeout=}: a runtime cannot change, so it is replaced while idle. */
int mcl_l_threads(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    struct mcl_task *k = mcl_self(L);
    struct mcl_host *h = k->host;
    mc_runtime_options options = h->options;
    read_threads(L, &options);
    if (k != h->main || h->alive || h->jobs)
        return luaL_error(L,
                          "threads: %d tasks are alive, %d jobs are under way; set this in the main task "
                          "before the first of them",
                          (int)h->alive, (int)h->jobs);
    if (k->deadline) return luaL_error(L, "threads: not inside mc.with_deadline");
    /* The native function that called back would end its section in a runtime that is gone. */
    if ((mc_leave)() == MC_OK) {
        (mc_enter)();
        return luaL_error(L, "threads: not in the callback of a native function");
    }
    int enabled = mc_enable(h->runtime, -1);
    mc_status status = mcl_host_stop(h, MC_FOREVER);
    if (status != MC_OK) return luaL_error(L, "threads: %s", mc_status_message(status));
    mc_runtime_options previous = h->options;
    h->options = options;
    status = mcl_host_start(h);
    if (status != MC_OK) {
        h->options = previous;
        mc_status again = mcl_host_start(h);
        return luaL_error(L, "threads: %s%s", mc_status_message(status),
                          again == MC_OK ? "; nothing was changed" : "; multicore has stopped");
    }
    mc_enable(h->runtime, enabled);
    return 0;
}
