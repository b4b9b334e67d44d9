/* The end of a state.
 *
 * lua_close runs on the C stack of whoever calls it and frees everything, however many tasks are
 * alive. So the finaliser of the guardian, which runs first, ends the runtime: suspended and computing
 * tasks get an error and unwind, sections get MCL_CLOSE_TIMEOUT. A section that goes on after that
 * still uses what its task's stack refers to: its userdata then lose their finalisers, and the state's
 * memory is not given back.
 *
 * Rejected: waiting for such a section (it may be a read that never returns), and ending the process
 * (an embedder's process is not ours).
 * SPDX-License-Identifier: BSL-1.0
 */
#include "close.h"

#include <stdlib.h>
#include <string.h>

#include "lib.h"
#include "luajit.h"
#include "preempt.h"
#include "sigint.h"

#define CLASS "multicore.guardian"

static char guardian_key;

/* ---- sections that outlive the state ---- */

struct keeper {
    lua_Alloc alloc;
    void *ud;
};

static void *keeping_alloc(void *ud, void *block, size_t old_size, size_t new_size) {
    struct keeper *keeper = ud;
    if (new_size == 0) return NULL;
    void *fresh = keeper->alloc(keeper->ud, NULL, block ? 0 : old_size, new_size);
    if (fresh && block) memcpy(fresh, block, old_size < new_size ? old_size : new_size);
    return fresh;
}

static void keep_memory(lua_State *L) {
    struct keeper *keeper = malloc(sizeof *keeper); /* as immortal as the memory it keeps */
    if (!keeper) return;
    keeper->alloc = lua_getallocf(L, &keeper->ud);
    lua_setallocf(L, keeping_alloc, keeper);
}

static void drop_finaliser(lua_State *L) {
    if (lua_type(L, -1) == LUA_TUSERDATA) {
        lua_pushnil(L);
        lua_setmetatable(L, -2);
    }
    lua_pop(L, 1);
}

/* Every value in the call records of one lua_State. */
static void drop_finalisers_of(lua_State *L) {
    lua_Debug ar;
    if (!lua_checkstack(L, 4)) return;
    for (int level = 0; lua_getstack(L, level, &ar); level++) {
        for (int n = 1; lua_getlocal(L, &ar, n); n++) drop_finaliser(L);
        for (int n = -1; lua_getlocal(L, &ar, n); n--) drop_finaliser(L);
    }
}

static void leave_to_sections(lua_State *L, struct mcl_host *h) {
    keep_memory(L);
    for (struct mcl_task *k = h->tasks; k; k = k->next) {
        if (k->ended || k == mcl_current()) continue;
        for (struct mcl_frame *f = k->frame; f; f = f->up) drop_finalisers_of(f->L);
        lua_State *innermost = mcl_jit_state(k);
        if (innermost) drop_finalisers_of(innermost);
    }
}

/* ---- closing ---- */

mc_status mcl_close(lua_State *L, struct mcl_host *h, uint64_t timeout) {
    if (!h->runtime) return MC_OK;
    h->closing = 1;
    if (mcl_current() != h->main) {
        /* os.exit(code, true) by another way than ours, on the stack of a task. Nobody else may run
         * Lua from here on, and the runtime cannot be freed from inside. */
        mcl_sigint_stop(h);
        leave_to_sections(L, h);
        h->runtime = NULL;
        return MC_EDEADLK;
    }
    mc_status status = mcl_host_stop(h, timeout);
    if (status == MC_ETIMEDOUT) leave_to_sections(L, h);
    return status;
}

static int guardian_gc(lua_State *L) {
    struct mcl_host **box = luaL_checkudata(L, 1, CLASS);
    struct mcl_host *h = *box;
    if (!h) return 0; /* a script called this before */
    *box = NULL;
    if (h->guardian == box) { /* else an older one, collected in the course of things */
        h->guardian = NULL;
        mcl_close(L, h, MCL_CLOSE_TIMEOUT);
        mcl_host_forget(L);
        mcl_task_unref(h->main);
        mcl_host_unref(h); /* the state's reference */
    }
    mcl_host_unref(h); /* the guardian's */
    return 0;
}

void mcl_guard(lua_State *L, struct mcl_host *h) {
    luaL_checkstack(L, 4, "multicore");
    struct mcl_host **box = lua_newuserdatauv(L, sizeof *box, 0);
    *box = h;
    h->refs++;
    if (luaL_newmetatable(L, CLASS)) {
        lua_pushcfunction(L, guardian_gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &guardian_key);
    h->guardian = box; /* only now: until it is anchored it may be collected */
}

static int guard_protected(lua_State *L) {
    mcl_guard(L, lua_touserdata(L, 1));
    return 0;
}

void mcl_guard_quietly(struct mcl_host *h) {
    lua_State *S = h->service;
    if (h->closing || mcl_in_finaliser(h)) return;
    if (mcl_cpcall(S, guard_protected, h) != LUA_OK) lua_pop(S, 1); /* no memory: the older one stays */
}
