/* debug.sethook and debug.gethook that go together with preemption.
 *
 * They behave as the standard ones do. A count hook is served in steps, so that a computing script is
 * preempted and interrupted without losing what was counted.
 * SPDX-License-Identifier: BSL-1.0
 */
#include <string.h>

#include "lib.h"
#include "preempt.h"

#define STEP 1000 /* instructions between two looks at whether somebody waits */

/* One per hooked lua_State; its user value is the script's function. */
struct record {
    int mask, count;
    int step, counted;
    int next, rest; /* instructions to the next look, and to the end of the step after it */
};

static struct record *push_record(lua_State *L, struct mcl_host *h, lua_State *of) {
    luaL_checkstack(L, 4, "hook");
    lua_rawgeti(L, LUA_REGISTRYINDEX, h->hooks);
    if (!lua_checkstack(of, 1)) luaL_error(L, "hook: out of memory");
    lua_pushthread(of);
    lua_xmove(of, L, 1);
    lua_rawget(L, -2);
    lua_remove(L, -2);
    return lua_touserdata(L, -1);
}

void mcl_script_hook(lua_State *L, lua_Debug *ar) {
    static const char *const events[] = {"call", "return", "line", "count", MCL_TAIL_EVENT};
    struct mcl_task *k = mcl_current();
    struct mcl_host *h = k ? k->host : mcl_host_of(L);
    int due = ar->event == LUA_HOOKCOUNT && k && mcl_wants_poll(k);
    int grace = due && k->grace;
    if (grace) k->grace = 0;
    if (due && !grace) mcl_poll(L, k);
    struct record *r = h ? push_record(L, h, L) : NULL;
    if (!r) { /* inherited by a coroutine: the standard hook does nothing there either */
        lua_sethook(L, NULL, 0, 0);
        return;
    }
    if (ar->event == LUA_HOOKCOUNT) {
        r->counted += r->next;
        int left = r->rest ? r->rest : r->step, next = grace && left > MCL_GRACE ? MCL_GRACE : left;
        if (next != r->next) lua_sethook(L, mcl_script_hook, r->mask, next);
        r->next = next;
        r->rest = left - next;
        if (r->counted < r->count) return;
        r->counted = 0;
    }
    lua_getiuservalue(L, -1, 1);
    lua_pushstring(L, events[ar->event]);
    if (ar->event == LUA_HOOKLINE)
        lua_pushinteger(L, ar->currentline);
    else
        lua_pushnil(L);
    lua_call(L, 2, 0);
}

static int parse_mask(const char *text, int count) {
    int mask = count > 0 ? LUA_MASKCOUNT : 0;
    if (strchr(text, 'c')) mask |= LUA_MASKCALL;
    if (strchr(text, 'r')) mask |= LUA_MASKRET;
    if (strchr(text, 'l')) mask |= LUA_MASKLINE;
    return mask;
}

/* The state an optional first argument names, and where the others begin. */
static lua_State *check_state(lua_State *L, int *first) {
    *first = lua_isthread(L, 1) ? 1 : 0;
    return *first ? lua_tothread(L, 1) : L;
}

/* sethook([thread,] hook, mask [, count]) */
static int debug_sethook(lua_State *L) {
    int a;
    lua_State *of = check_state(L, &a);
    struct mcl_host *h = mcl_host_of(L);
    struct mcl_task *k = mcl_current();
    if (!h) return 0; /* a finaliser at the very end */
    int mask = 0, count = 0, step = 0;
    if (lua_isnoneornil(L, a + 1)) {
        lua_settop(L, a + 1);
    } else {
        const char *text = luaL_checkstring(L, a + 2);
        luaL_checktype(L, a + 1, LUA_TFUNCTION);
        count = (int)luaL_optinteger(L, a + 3, 0);
        mask = parse_mask(text, count);
    }
    luaL_checkstack(L, 5, "hook");
    lua_rawgeti(L, LUA_REGISTRYINDEX, h->hooks);
    if (!lua_checkstack(of, 1)) return luaL_error(L, "hook: out of memory");
    lua_pushthread(of);
    lua_xmove(of, L, 1);
    if (mask) {
        int steps = count > 0 ? (count - 1) / STEP + 1 : 1;
        step = count > 0 ? (count - 1) / steps + 1 : 0;
        struct record *r = lua_newuserdatauv(L, sizeof *r, 1);
        *r = (struct record){mask, count, step, 0, step, 0};
        lua_pushvalue(L, a + 1);
        lua_setiuservalue(L, -2, 1);
    } else {
        lua_pushnil(L);
    }
    lua_rawset(L, -3);
    if (k) k->hook_busy = 1;
    mcl_hook_set(h, of, mask ? mcl_script_hook : NULL, mask, step);
    if (k) {
        k->hook_busy = 0;
        if (mcl_wants_poll(k)) mcl_poll(L, k); /* a signal may have found us busy */
    }
    return 0;
}

/* gethook([thread]) -> hook, mask, count */
static int debug_gethook(lua_State *L) {
    int a;
    lua_State *of = check_state(L, &a);
    struct mcl_host *h = mcl_host_of(L);
    lua_Hook hook;
    int mask, count;
    struct mcl_task *k = mcl_current();
    if (!h) {
        luaL_pushfail(L);
        return 1;
    }
    if (k) k->hook_busy = 1;
    mcl_hook_get(h, of, &hook, &mask, &count);
    if (k) k->hook_busy = 0;
    if (k && mcl_wants_poll(k)) mcl_poll(L, k);
    if (!hook) {
        luaL_pushfail(L);
        return 1;
    }
    if (hook != mcl_script_hook) {
        lua_pushliteral(L, "external hook");
    } else {
        struct record *r = push_record(L, h, of);
        if (r) {
            count = r->count;
            lua_getiuservalue(L, -1, 1);
        }
    }
    char text[4];
    int n = 0;
    if (mask & LUA_MASKCALL) text[n++] = 'c';
    if (mask & LUA_MASKRET) text[n++] = 'r';
    if (mask & LUA_MASKLINE) text[n++] = 'l';
    lua_pushlstring(L, text, (size_t)n);
    lua_pushinteger(L, count);
    return 3;
}

void mcl_replace_debug(lua_State *L) {
    if (lua_getglobal(L, "debug") == LUA_TTABLE) {
        lua_pushcfunction(L, debug_sethook);
        lua_setfield(L, -2, "sethook");
        lua_pushcfunction(L, debug_gethook);
        lua_setfield(L, -2, "gethook");
    }
    lua_pop(L, 1);
}
