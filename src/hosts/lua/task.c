/* The life of a task: made, run, destroyed.
 * SPDX-License-Identifier: BSL-1.0
 */
#include "task.h"

#include <stdlib.h>
#include <string.h>

#include "deadline.h"
#include "host.h"
#include "preempt.h"
#include "raise.h"
#include "sigint.h"
#include "waiter.h"

/* ---- ownership ---- */

void mcl_task_unref(struct mcl_task *k) {
    if (--k->refs) return;
    if (k->task) mc_task_unref(k->task);
    struct mcl_host *h = k->host;
    free(k->traceback);
    free(k);
    mcl_host_unref(h);
}

static void link_task(struct mcl_task *k) {
    struct mcl_host *h = k->host;
    k->next = h->tasks;
    if (k->next) k->next->prev = k;
    h->tasks = k;
    h->alive++;
}

static void unlink_task(struct mcl_task *k) {
    struct mcl_host *h = k->host;
    if (k->prev)
        k->prev->next = k->next;
    else
        h->tasks = k->next;
    if (k->next) k->next->prev = k->prev;
    h->alive--;
}

static void set_anchor(lua_State *L, struct mcl_task *k) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, k->host->anchors);
    lua_insert(L, -2);
    lua_rawsetp(L, -2, k);
    lua_pop(L, 1);
}

/* Called by the runtime with the baton, once, however the task ended. */
static void on_destroy(void *data) {
    struct mcl_task *k = data;
    lua_State *S = k->host->service;
    k->ended = k->destroyed = 1;
    if (mcl_current() == k) mcl_set_current(NULL); /* abandoned, at the acquire of a section */
    mcl_line_forget(k);
    mcl_ship_forget(k);
    mcl_deadline_drop_all(k);
    if (k->interrupt_ref) luaL_unref(S, LUA_REGISTRYINDEX, k->interrupt_ref);
    if (k->main_joins) mc_task_unpark(k->host->main->task);
    lua_pushnil(S); /* assigning nil to a field allocates nothing */
    set_anchor(S, k);
    unlink_task(k);
    if (k->host->running == k) k->host->running = NULL;
    mcl_task_unref(k);
}

/* ---- running ---- */

/* Message handler: keeps the traceback beside the error, which stays what it was. */
static int keep_traceback(lua_State *L) {
    struct mcl_task *k = mcl_current();
    if (k && !k->traceback) {
        luaL_traceback(L, L, NULL, 1);
        const char *text = lua_tostring(L, -1);
        if (text) k->traceback = strdup(text);
        lua_pop(L, 1);
    }
    if (k) mcl_preempt_grace(k); /* no error while one is handled */
    return 1;
}

static void run_task(void *arg) {
    struct mcl_task *k = arg;
    lua_State *L = k->L;
    mcl_set_current(k);
    /* Asked for while no task was current here. seq_cst: see mcl_preempt_attention. */
    if (__atomic_load_n(&k->host->attention, __ATOMIC_SEQ_CST)) mcl_preempt_hook_now(k);
    int status = lua_pcall(L, k->nargs, LUA_MULTRET, 1);
    k->hook_busy = 1;
    k->failed = status != LUA_OK;
    k->top = lua_gettop(L);
    k->ended = 1;
    lua_sethook(L, NULL, 0, 0);
    mcl_forget_interrupt(k);
    if (k->failed && !k->handles && !k->cancelled) mcl_report(L, k);
    mcl_set_current(NULL);
}

struct mcl_task *mcl_spawn(lua_State *L, int nargs, const char *name, uint64_t stack, const char *what) {
    struct mcl_task *self = mcl_self(L);
    struct mcl_host *h = self->host;
    if (mcl_is_ending(self)) mcl_raise_end(L, self, what);
    if (mcl_wants_poll(self)) mcl_poll(L, self); /* a loop of spawns is in its grace all the time */
    luaL_checkstack(L, 6, what);
    if (h->alive == 0) mcl_sigint_arm(h);

    lua_State *L1 = lua_newthread(L);
    mcl_hook_disinherit(L1);
    lua_insert(L, -(nargs + 2)); /* thread, f, args... */
    if (!lua_checkstack(L1, nargs + LUA_MINSTACK)) luaL_error(L, "%s: too many arguments", what);
    lua_pushcfunction(L1, keep_traceback);
    lua_xmove(L, L1, nargs + 1);

    struct mcl_task *k = calloc(1, sizeof *k);
    if (!k) luaL_error(L, "%s: out of memory", what);
    k->host = h;
    h->refs++;
    k->refs = 1;
    k->L = k->base.L = L1;
    k->frame = &k->base;
    k->nargs = nargs;
    mcl_push_handle(L, k); /* thread, handle */
    lua_insert(L, -2);     /* handle, thread */
    set_anchor(L, k);

    mc_task_options options = MC_TASK_OPTIONS_INIT;
    options.name = name;
    options.stack_size = stack;
    options.data = k;
    options.destroy = on_destroy;
    link_task(k); /* our reference becomes the runtime's; the handle has its own */
    mc_status status = mc_task_spawn(h->runtime, run_task, k, &options, &k->task);
    if (status != MC_OK) {
        unlink_task(k);
        k->ended = k->observed = 1;
        lua_pushnil(L);
        set_anchor(L, k);
        mcl_task_unref(k);
        if ((status == MC_EAGAIN || status == MC_ENOMEM) && h->alive)
            luaL_error(L,
                       "%s: no memory for the C stack of another task; let some of the %d tasks end first, "
                       "or limit them with mc.map or mc.semaphore",
                       what, (int)h->alive);
        if (status == MC_EAGAIN || status == MC_ENOMEM)
            luaL_error(L, "%s: no memory for a C stack of that size", what);
        mcl_raise(L, self, status, what);
    }
    mcl_preempt_unwatched(self);
    mcl_preempt_grace(self);
    return k;
}

/* ---- threads that others attached ---- */

struct mcl_task *mcl_adopt_thread(lua_State *L, struct mcl_host *h) {
    lua_State *L1 = lua_newthread(L);
    mcl_hook_disinherit(L1);
    struct mcl_task *k = calloc(1, sizeof *k);
    if (!k) luaL_error(L, "multicore: out of memory");
    k->host = h;
    h->refs++;
    k->refs = 1;
    k->L = k->base.L = L1;
    k->frame = &k->base;
    k->task = mc_task_ref(mc_task_current());
    set_anchor(L, k);
    link_task(k);
    mcl_set_current(k);
    return k;
}

void mcl_drop_thread(struct mcl_task *k) {
    k->hook_busy = 1;
    mcl_set_current(NULL);
    lua_sethook(k->L, NULL, 0, 0);
    mcl_forget_interrupt(k);
    on_destroy(k);
}

/* ---- results ---- */

int mcl_result_is_there(struct mcl_task *k) {
    lua_Debug ar;
    return !lua_getstack(k->L, 0, &ar) && lua_gettop(k->L) == k->top;
}

static int raise_result(lua_State *L, struct mcl_task *other) {
    lua_State *L1 = other->L;
    if (!lua_checkstack(L1, 1)) return luaL_error(L, "join: out of memory");
    lua_pushvalue(L1, 2);
    lua_xmove(L1, L, 1);
    if (lua_type(L, -1) == LUA_TSTRING && other->traceback) {
        lua_pushfstring(L, "\n%s", other->traceback);
        lua_concat(L, 2);
    }
    return lua_error(L);
}

int mcl_join_results(lua_State *L, struct mcl_task *k, struct mcl_task *other, uint64_t timeout) {
    if (!other->task) return luaL_error(L, "join: the task is gone");
    if (!other->destroyed) {
        mcl_check_can_suspend(L, k, "join");
        mc_status status = mcl_join(k, other, timeout);
        if (status == MC_ETIMEDOUT) return MCL_JOIN_TIMEOUT;
        if (status == MC_EDEADLK)
            return luaL_error(L, "join: a task cannot wait for itself ('%s')", mc_task_name(other->task));
        if (status != MC_OK) return mcl_raise(L, k, status, "join");
    }
    other->observed = 1;
    /* An error of its own is one, but not that by which it was told to end. */
    if (mc_task_result(other->task) == MC_ECANCELED && (other->cancelled || !other->failed))
        return MCL_JOIN_CANCELLED;
    if (other->top && !mcl_result_is_there(other))
        return luaL_error(L, "join: what '%s' ended with is gone; its lua_State was resumed or closed",
                          mc_task_name(other->task));
    if (other->failed) return raise_result(L, other);
    lua_State *L1 = other->L;
    int n = other->top ? other->top - 1 : 0; /* 0: no function of ours ran, the thread was attached */
    if (!lua_checkstack(L, n) || !lua_checkstack(L1, n)) return luaL_error(L, "join: too many results");
    for (int i = 1; i <= n; i++) lua_pushvalue(L1, i + 1);
    lua_xmove(L1, L, n);
    return n;
}
