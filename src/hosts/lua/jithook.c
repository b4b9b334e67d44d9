/* LuaJIT: tells a task to end again where it goes on, outside the pcall that caught the last error.
 *
 * By a count hook. LuaJIT has one for all states, so it is set only while that task runs; and compiled code
 * calls none, so what has been compiled is dropped whenever it is set. SPDX-License-Identifier: BSL-1.0
 */
#include "compat.h"
#undef lua_sethook

#include "deadline.h"
#include "host.h"
#include "luajit.h"

enum { MODE_ENGINE = 0, MODE_FLUSH = 0x200 }; /* from luajit.h, which is not needed to build for both */

static void restore(struct mcl_host *h) {
    lua_sethook(h->service, h->jit_hook, h->jit_mask, h->jit_count);
    h->jit_hooked = NULL;
}

static void on_count(lua_State *L, lua_Debug *ar) {
    struct mcl_task *k = mcl_current();
    struct mcl_host *h = k ? k->host : mcl_host_of(L);
    (void)ar;
    if (!h) return;
    if (!k || h->jit_hooked != k || !mcl_is_ending(k)) {
        restore(h);
        return;
    }
    k->in_jit_hook = 1;
    luaL_checkstack(L, 4, "checkpoint");
    mcl_raise_end(L, k, "checkpoint");
}

static void set(struct mcl_host *h, struct mcl_task *k) {
    if (!h->jit_hooked) {
        h->jit_hook = lua_gethook(h->service);
        h->jit_mask = lua_gethookmask(h->service);
        h->jit_count = lua_gethookcount(h->service);
    }
    h->jit_hooked = k;
    luaJIT_setmode(h->service, 0, MODE_ENGINE | MODE_FLUSH);
    lua_sethook(h->service, on_count, LUA_MASKCOUNT, k->jit_room);
}

/* In a finaliser no hook is called, and LuaJIT refuses to drop anything. k runs a C function. */
static int in_finaliser(const struct mcl_task *k) {
    lua_State *L = mcl_jit_state(k);
    return mcl_collector_stopped(L ? L : k->L);
}

void mcl_jit_hook(struct mcl_task *k, int room) {
    k->jit_room = room;
    if (k->in_jit_hook || !in_finaliser(k)) set(k->host, k);
    k->in_jit_hook = 0;
}

void mcl_jit_runs(struct mcl_host *h, struct mcl_task *k) {
    if (!MCL_LUAJIT || h->jit_hooked == k) return;
    if (k && k->jit_room && mcl_is_ending(k) && !in_finaliser(k))
        set(h, k);
    else if (h->jit_hooked)
        restore(h);
}
