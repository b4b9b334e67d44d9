/* SPDX-License-Identifier: BSL-1.0 */
#include "host.h"

#include <stdlib.h>
#include <string.h>

#include "close.h"
#include "luajit.h"
#include "multicore/lua.h"
#include "preempt.h"
#include "sigint.h"

/* A name, not an address: the module and an embedder's copy of this code find each other's state. */
#define REGISTRY_KEY "multicore.host"

struct mcl_host *mcl_host_of(lua_State *L) {
    lua_getfield(L, LUA_REGISTRYINDEX, REGISTRY_KEY);
    struct mcl_host *h = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return h;
}

void mcl_host_forget(lua_State *L) {
    lua_pushboolean(L, 0);
    lua_setfield(L, LUA_REGISTRYINDEX, REGISTRY_KEY);
}

int mcl_in_finaliser(const struct mcl_host *h) {
    if (h->closing) return 0;
    lua_State *L = h->running ? mcl_jit_state(h->running) : NULL;
    return mcl_collector_stopped(L ? L : h->service);
}

/* ---- hooks of the runtime ---- */

static void on_taken(void *self, mc_task *task) {
    struct mcl_host *h = self;
    struct mcl_task *k = mcl_current();
    h->running = k && k->host == h ? k : NULL;
    mcl_preempt_taken(h);
    mcl_jit_runs(h, h->running);
    if (task && task != h->main->task) mcl_sigint_watch(h);
    /* The main task comes back from a section of its own, during which other tasks made objects. */
    if (task && task == h->main->task && k == h->main && h->alive && !h->closing) mcl_guard_quietly(h);
    if (h->running) mcl_jit_loaded(h->running);
}

static int on_may_lend(void *self) {
    struct mcl_host *h = self;
    return mcl_jit_may_lend(h) && !mcl_in_finaliser(h);
}

static void on_attention(void *self) { mcl_preempt_attention(self); }

/* ---- start and stop ---- */

mc_status mcl_host_start(struct mcl_host *h) {
    mc_host hooks = MC_HOST_INIT;
    hooks.way = h->ships ? MC_WAY_SHIP : MC_WAY_LEND;
    hooks.self = h;
    hooks.taken = on_taken;
    if (h->ships) hooks.switched = mcl_ship_switched;
    hooks.may_lend = on_may_lend;
    hooks.attention = on_attention;
    mc_runtime_options options = h->options;
    options.host = &hooks;
    __atomic_store_n(&h->holder, pthread_self(), __ATOMIC_SEQ_CST);

    if (mc_task_current()) return MC_EPERM; /* mc_attach would say so too late to undo the rest */
    mc_runtime *runtime;
    mc_status status = mc_runtime_create(&options, &runtime);
    if (status != MC_OK) return status;
    h->main_away = 1; /* it is in no section yet */
    mcl_sigint_prepare(h, runtime);
    mc_task_options main_options = MC_TASK_OPTIONS_INIT;
    main_options.name = "main";
    status = mc_attach(runtime, &main_options, 0, &h->main->task);
    if (status != MC_OK) {
        if (h->sigint_task) mc_task_unref(h->sigint_task);
        h->sigint_task = NULL;
        mc_runtime_shutdown(runtime, 0);
        mc_runtime_destroy(runtime);
        return status;
    }
    h->runtime = runtime;
    h->main_away = 0;
    mcl_set_current(h->main);
    mcl_sigint_arm(h);
    return MC_OK;
}

mc_status mcl_host_stop(struct mcl_host *h, uint64_t timeout) {
    mcl_sigint_stop(h);
    mcl_set_current(NULL);
    mc_status status = mc_runtime_shutdown(h->runtime, timeout);
    if (status != MC_OK && status != MC_ETIMEDOUT) {
        mcl_set_current(h->main);
        return status;
    }
    mc_runtime *runtime = h->runtime;
    h->runtime = NULL;
    mc_task_unref(h->main->task);
    h->main->task = NULL;
    mc_detach();
    mc_runtime_destroy(runtime);
    return status;
}

/* ---- the state's side ---- */

static int weak_table(lua_State *L, const char *mode) {
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushstring(L, mode);
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    return luaL_ref(L, LUA_REGISTRYINDEX);
}

struct mcl_host *mcl_host_new(lua_State *L, const mc_runtime_options *options, uint32_t flags) {
    const mc_runtime_options defaults = MC_RUNTIME_OPTIONS_INIT;
    /* In a finaliser (see mcl_in_finaliser), which may be one at the end: a guardian would not be called. */
    if (lua_getfield(L, LUA_REGISTRYINDEX, REGISTRY_KEY) != LUA_TNIL || mcl_collector_stopped(L))
        luaL_error(L, "multicore: cannot start inside a finaliser (__gc) or at the end of the state");
    lua_pop(L, 1);
    lua_State *main_L = mcl_main_state(L);
    struct mcl_host *h = calloc(1, sizeof *h);
    struct mcl_task *main_task = calloc(1, sizeof *main_task);
    if (!h || !main_task) {
        free(h);
        free(main_task);
        luaL_error(L, "multicore: out of memory");
    }
    h->refs = 2; /* the state's and the main task's */
    h->main = main_task;
    h->use_sigint = (flags & MC_LUA_SIGINT) != 0;
    h->ships = (flags & MC_LUA_SHIP) != 0;
    h->options = options ? *options : defaults;
    h->options.host = NULL;
    if (!h->options.name) h->options.name = "lua";
    if (h->options.stack_size < MCL_TASK_STACK) h->options.stack_size = MCL_TASK_STACK;
    h->on_error = LUA_NOREF;
    h->exit = LUA_NOREF;

    h->main_L = main_L;
    main_task->host = h;
    main_task->refs = 1;
    main_task->L = main_task->base.L = h->main_L;
    main_task->frame = &main_task->base;

    if (L != h->main_L) {
        h->birth.L = L;
        main_task->base.up = &h->birth;
        lua_pushthread(L);
        luaL_ref(L, LUA_REGISTRYINDEX); /* a signal handler may touch it as long as there is a runtime */
    }

    h->service = lua_newthread(L);
    lua_sethook(h->service, NULL, 0, 0);
    h->service_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_newtable(L);
    h->anchors = luaL_ref(L, LUA_REGISTRYINDEX);
    h->handles = weak_table(L, "v");
    h->hooks = weak_table(L, "k");

    mcl_preempt_install();
    mc_status status = mcl_host_start(h);
    if (status != MC_OK) {
        free(main_task);
        free(h);
        if (status == MC_EPERM)
            luaL_error(L,
                       "multicore: this thread already runs another Lua state that uses multicore; "
                       "give each state a thread of its own");
        luaL_error(L, "multicore: cannot start: %s", mc_status_message(status));
    }
    if (!mcl_jit_start(L, h)) {
        mcl_host_stop(h, 0);
        free(main_task);
        free(h);
        luaL_error(
            L,
            "multicore: cannot start in this build of LuaJIT, which does not unwind C functions when an "
            "error is raised; use one that does (LJ_UNWIND_EXT, the default on x64)");
    }
    lua_pushlightuserdata(L, h);
    lua_setfield(L, LUA_REGISTRYINDEX, REGISTRY_KEY);
    mcl_guard(L, h);
    return h;
}

void mcl_host_unref(struct mcl_host *h) {
    if (--h->refs == 0) free(h);
}
