/* os.exit in a task.
 *
 * os.exit(code, true) closes the state, which ends the runtime, which no task can do to itself: it
 * asks the main task and waits. If the main task cannot answer, because it is in a section that goes
 * on, the process exits without closing the state.
 * SPDX-License-Identifier: BSL-1.0
 */
#include <stdlib.h>

#include "close.h"
#include "lib.h"
#include "raise.h"

/* The os.exit found at the start, on top of the stack. */
static int call_original(lua_State *L, int code, int close) {
    luaL_checkstack(L, 2, "exit");
    lua_pushinteger(L, code);
    lua_pushboolean(L, close);
    lua_call(L, 2, 0);
    return 0;
}

void mcl_exit_now(lua_State *L, struct mcl_host *h) {
    luaL_checkstack(L, 1, "exit");
    lua_rawgeti(L, LUA_REGISTRYINDEX, h->exit);
    call_original(L, h->exit_code, 1);
}

/* exit([code [, close]]) */
static int os_exit(lua_State *L) {
    int code = lua_isboolean(L, 1) ? (lua_toboolean(L, 1) ? EXIT_SUCCESS : EXIT_FAILURE)
                                   : (int)luaL_optinteger(L, 1, EXIT_SUCCESS);
    int close = lua_toboolean(L, 2);
    struct mcl_host *h = mcl_host_of(L);
    struct mcl_task *k = mcl_current();
    lua_pushvalue(L, lua_upvalueindex(1));
    if (!close || !h || !k || k == h->main || !h->runtime || k->cancelled || mcl_in_finaliser(h))
        return call_original(L, code, close && (!h || !k || k == h->main));
    if (!h->exit_due) {
        h->exit_due = 1;
        h->exit_code = code;
        mc_task_interrupt(h->main->task, mcl_payload_wake); /* busy: one is pending and will do */
    }
    uint64_t start = mc_now();
    mc_status status = MC_OK;
    uint64_t left = MCL_CLOSE_TIMEOUT;
    while ((status == MC_OK || status == MC_EINTR) && left) {
        status = mcl_park(k, left);
        if (status == MC_EINTR) mcl_forget_interrupt(k);
        left = mcl_time_left(start, MCL_CLOSE_TIMEOUT);
    }
    if (status == MC_ECANCELED || status == MC_ESHUTDOWN) return mcl_raise(L, k, status, "exit");
    return call_original(L, h->exit_code, 0);
}

void mcl_replace_exit(lua_State *L, struct mcl_host *h) {
    if (lua_getglobal(L, "os") == LUA_TTABLE && lua_getfield(L, -1, "exit") == LUA_TFUNCTION) {
        lua_pushvalue(L, -1);
        h->exit = luaL_ref(L, LUA_REGISTRYINDEX);
        lua_pushcclosure(L, os_exit, 1); /* has it for itself: a late finaliser finds no host */
        lua_setfield(L, -2, "exit");
        lua_pop(L, 1);
        return;
    }
    lua_settop(L, lua_gettop(L) - 1);
}
