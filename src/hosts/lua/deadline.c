/* mc.with_deadline: a function that is ended when its time is over.
 *
 * A task of the library's own sleeps until then and interrupts the one that runs the function. The interrupt
 * stays pending until with_deadline is left, so that whatever waits or releases in between returns at once.
 * Rejected: one such task for all deadlines, with a sorted list: a spawn is cheap.
 * SPDX-License-Identifier: BSL-1.0
 */
#include "deadline.h"

#include <stdlib.h>

#include "lib.h"
#include "preempt.h"
#include "raise.h"

/* Belongs to with_deadline, which links it to its task, and to the timer. */
struct mcl_deadline {
    struct mcl_deadline *up;
    struct mcl_host *host;
    struct mcl_task *task; /* NULL: the function has ended */
    mc_task *timer;
    uint64_t at;
    unsigned refs;
    unsigned char expired;
    unsigned char raised; /* the function has been told */
};

int mcl_is_ending(const struct mcl_task *k) { return k->cancelled || k->expired; }

int mcl_raise_end(lua_State *L, struct mcl_task *k, const char *what) {
    if (k->cancelled) return mcl_raise(L, k, MC_ECANCELED, what);
    k->expired->raised = 1;
    mcl_preempt_insist(k);
    return luaL_error(L, "%s: the deadline has passed", what);
}

void mcl_deadline_outranked(struct mcl_task *k) {
    if (k->expired) k->expired->raised = 0;
}

static struct mcl_deadline *outermost_expired(const struct mcl_task *k) {
    struct mcl_deadline *found = NULL;
    for (struct mcl_deadline *d = k->deadline; d; d = d->up)
        if (d->expired) found = d;
    return found;
}

/* ---- the timer ---- */

static void deadline_unref(struct mcl_deadline *d) {
    if (--d->refs) return;
    mcl_host_unref(d->host);
    free(d);
}

static void timer_run(void *arg) {
    struct mcl_deadline *d = arg;
    uint64_t now = mc_now();
    if (now < d->at && mc_task_sleep(d->at - now) != MC_OK) return; /* the state is being closed */
    if (!d->task) return;
    d->expired = 1;
    d->task->expired = outermost_expired(d->task);
    mc_task_interrupt(d->task->task, mcl_payload_wake); /* busy: one is pending and will do */
}

static void timer_end(void *arg) {
    struct mcl_deadline *d = arg;
    d->host->timers--;
    deadline_unref(d);
}

static struct mcl_deadline *start(lua_State *L, struct mcl_task *k, uint64_t ns) {
    struct mcl_host *h = k->host;
    struct mcl_deadline *d = calloc(1, sizeof *d);
    if (!d) luaL_error(L, "with_deadline: out of memory");
    *d = (struct mcl_deadline){.up = k->deadline, .host = h, .task = k, .at = mc_now() + ns, .refs = 2};
    mc_task_options options = MC_TASK_OPTIONS_INIT;
    options.name = "deadline";
    options.stack_size = 64 * 1024;
    options.data = d;
    options.destroy = timer_end;
    h->refs++;
    h->timers++;
    h->timers_made++;
    mc_status status = mc_task_spawn(h->runtime, timer_run, d, &options, &d->timer);
    if (status != MC_OK) {
        h->timers--;
        h->timers_made--;
        h->refs--;
        free(d);
        mcl_raise(L, k, status, "with_deadline");
    }
    k->deadline = d;
    mcl_preempt_unwatched(k);
    return d;
}

static void stop(struct mcl_deadline *d) {
    d->task->deadline = d->up;
    d->task = NULL;
    mc_task_cancel(d->timer, MC_CANCEL_ABANDON);
    mc_task_unref(d->timer);
    deadline_unref(d);
}

void mcl_deadline_drop_all(struct mcl_task *k) {
    while (k->deadline) stop(k->deadline);
    k->expired = NULL;
}

/* ---- the function ---- */

/* The last deadline that had passed is left: the task goes on as before. */
static void go_on(struct mcl_task *k) {
    struct mcl_host *h = k->host;
    k->cancel_count = 0;
    if (k->interrupt_ref) return; /* a script's: to be raised */
    if (k == h->main && (h->exit_due || __atomic_load_n(&h->sigint, __ATOMIC_ACQUIRE))) return;
    mcl_forget_interrupt(k);
}

/* with_deadline(seconds, f, ...) -> f's results | nil, "deadline" [, err] */
int mcl_l_with_deadline(lua_State *L) {
    uint64_t ns = mcl_check_seconds(L, 1);
    luaL_checkany(L, 2);
    struct mcl_task *k = mcl_self(L);
    mcl_check_can_suspend(L, k, "with_deadline");
    lua_remove(L, 1);
    if (ns == MC_FOREVER) {
        lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
        return lua_gettop(L);
    }
    int status = LUA_OK, raised = 1;
    if (ns == 0) {
        lua_settop(L, 0);
    } else {
        struct mcl_deadline *d = start(L, k, ns);
        status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
        int expired = d->expired;
        raised = d->raised;
        stop(d);
        k->expired = outermost_expired(k);
        if (mcl_is_ending(k)) return mcl_raise_end(L, k, "with_deadline");
        if (expired) go_on(k);
        if (k->interrupt_ref) mcl_poll(L, k);
    }
    if (!raised) return status == LUA_OK ? lua_gettop(L) : lua_error(L);
    lua_settop(L, status == LUA_OK ? 0 : 1);
    luaL_checkstack(L, 2, "with_deadline");
    lua_pushnil(L);
    lua_pushliteral(L, "deadline");
    if (status == LUA_OK) return 2;
    lua_pushvalue(L, 1);
    return 3;
}
