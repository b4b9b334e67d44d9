/* mc.scope: whether sections of this task let others run, until the scope is closed.
 * SPDX-License-Identifier: BSL-1.0
 */
#include "lib.h"
#include "preempt.h"
#include "raise.h"

#define CLASS "multicore.scope"

struct scope {
    struct mcl_task *task; /* only compared */
    int token, open;
};

static int scope_close(lua_State *L) {
    struct scope *s = luaL_checkudata(L, 1, CLASS);
    if (!s->open) return 0;
    struct mcl_task *k = mcl_self(L);
    if (s->task != k) return luaL_error(L, "scope: it belongs to another task; close it where it was opened");
    s->open = 0;
    mc_scope_leave(s->token); /* one that an outer scope has closed already is no error */
    return 0;
}

static int scope_tostring(lua_State *L) {
    struct scope *s = luaL_checkudata(L, 1, CLASS);
    lua_pushfstring(L, "scope (%s): %p", s->open ? "open" : "closed", (void *)s);
    return 1;
}

void mcl_open_scopes(lua_State *L) {
    static const luaL_Reg methods[] = {{"close", scope_close}, {NULL, NULL}};
    static const luaL_Reg metamethods[] = {
        {"__close", scope_close}, {"__tostring", scope_tostring}, {NULL, NULL}};
    mcl_new_class(L, CLASS, methods, metamethods);
}

/* scope("enable"|"disable"|"atomic") */
int mcl_l_scope(lua_State *L) {
    static const char *const names[] = {"enable", "disable", "atomic", NULL};
    static const uint32_t kinds[] = {MC_SCOPE_ENABLE, MC_SCOPE_DISABLE, MC_SCOPE_ATOMIC};
    int kind = luaL_checkoption(L, 1, NULL, names);
    struct mcl_task *k = mcl_self(L);
    if (mcl_wants_poll(k)) mcl_poll(L, k); /* a loop of scopes is in its grace all the time */
    struct scope *s = lua_newuserdatauv(L, sizeof *s, 0);
    *s = (struct scope){k, 0, 0};
    luaL_setmetatable(L, CLASS);
    int token = mc_scope_enter(kinds[kind]);
    if (token < 0) return mcl_raise(L, k, token, "scope");
    s->token = token;
    s->open = 1;
    mcl_preempt_grace(k);
    return 1;
}
