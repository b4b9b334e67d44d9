/* The interface for programs that own the lua_State.
 * SPDX-License-Identifier: BSL-1.0
 */
#include "close.h"
#include "host.h"
#include "luajit.h"
#include "multicore/lua.h"

#define PUBLIC __attribute__((visibility("default")))

struct opening {
    const mc_runtime_options *options;
    uint32_t flags;
};

static int open_protected(lua_State *L) {
    const struct opening *o = lua_touserdata(L, 1);
    mcl_host_new(L, o->options, o->flags);
    luaL_requiref(L, "multicore", luaopen_multicore, 0);
    return 0;
}

PUBLIC mc_status mc_lua_open(lua_State *L, const mc_runtime_options *options, uint32_t flags) {
    const char *problem = NULL;
    mc_status status = MC_OK;
    if (flags & ~(MC_LUA_SIGINT | MC_LUA_SHIP)) {
        status = MC_EINVAL;
        problem = "mc_lua_open: unknown flags";
    } else if (options && options->size != sizeof *options) {
        status = MC_EINVAL;
        problem = "mc_lua_open: options of another size; start from MC_RUNTIME_OPTIONS_INIT";
    } else if (mcl_host_of(L)) {
        status = MC_EBUSY;
        problem = "mc_lua_open: this state has a runtime";
    } else if (mc_task_current()) {
        status = MC_EPERM;
        problem =
            "mc_lua_open: this thread runs a task of another state; give each state a thread of its own";
    }
    if (problem) {
        lua_pushstring(L, problem);
        return status;
    }
    struct opening o = {options, flags};
    switch (mcl_cpcall(L, open_protected, &o)) {
        case LUA_OK: return MC_OK;
        case LUA_ERRMEM: return MC_ENOMEM;
        default: return MC_EAGAIN;
    }
}

PUBLIC mc_runtime *mc_lua_runtime(lua_State *L) {
    struct mcl_host *h = mcl_host_of(L);
    return h ? h->runtime : NULL;
}

static int runs(struct mcl_task *k, lua_State *L) {
    if (k->ended) return 0;
    for (struct mcl_frame *f = k->frame; f; f = f->up)
        if (f->L == L) return 1;
    return mcl_jit_state(k) == L;
}

PUBLIC mc_task *mc_lua_task(lua_State *L) {
    struct mcl_host *h = mcl_host_of(L);
    if (!h || !h->runtime) return NULL;
    if (runs(h->main, L)) return h->main->task;
    for (struct mcl_task *k = h->tasks; k; k = k->next)
        if (runs(k, L)) return k->task;
    return NULL;
}

static int enter_protected(lua_State *L) {
    mcl_adopt_thread(L, lua_touserdata(L, 1));
    return 0;
}

PUBLIC mc_status mc_lua_enter(lua_State *L, lua_State **out) {
    if (!mc_task_current() || mcl_current()) return MC_EPERM;
    struct mcl_host *h = mcl_host_of(L);
    if (!h || !h->runtime) return MC_ESHUTDOWN;
    if (mcl_cpcall(h->service, enter_protected, h) != LUA_OK) {
        lua_pop(h->service, 1);
        return MC_ENOMEM;
    }
    *out = mcl_current()->L;
    return MC_OK;
}

PUBLIC mc_status mc_lua_leave(lua_State *thread) {
    struct mcl_task *k = mcl_current();
    if (!k || k->L != thread || k == k->host->main) return MC_EPERM;
    mcl_drop_thread(k);
    return MC_OK;
}

PUBLIC mc_status mc_lua_close(lua_State *L, uint64_t timeout) {
    struct mcl_host *h = mcl_host_of(L);
    if (!h || !h->runtime) return MC_OK;
    if (mcl_current() != h->main) return MC_EPERM;
    return mcl_close(L, h, timeout);
}
