/* Which task this thread is on, and the calls that may change it.
 *
 * The runtime may run other tasks on this thread, and this task on another thread, while one of its
 * calls is under way. So the thread has no current task then, and a signal handler finds nothing to
 * touch.
 * SPDX-License-Identifier: BSL-1.0
 */
#include <stdlib.h>

#include "close.h"
#include "host.h"
#include "luajit.h"
#include "preempt.h"
#include "raise.h"
#include "sigint.h"

/* initial-exec: read in signal handlers, where the storage of a thread cannot be allocated yet. */
static __thread struct mcl_task *current __attribute__((tls_model("initial-exec")));

__attribute__((noinline)) struct mcl_task *mcl_current(void) {
    __asm__ volatile("" ::: "memory");
    return current;
}

__attribute__((noinline)) void mcl_set_current(struct mcl_task *k) {
    struct mcl_host *h = k ? k->host : current ? current->host : NULL;
    if (current) current->host->running = NULL;
    current = k;
    if (k) h->running = k;
    if (h) mcl_jit_runs(h, k);
    __asm__ volatile("" ::: "memory");
}

struct mcl_task *mcl_self(lua_State *L) {
    struct mcl_task *k = mcl_current();
    struct mcl_host *h = k ? k->host : mcl_host_of(L);
    if (!h || !h->runtime) luaL_error(L, "multicore: this Lua state's multicore has been closed");
    if (!k)
        luaL_error(L,
                   "multicore: this thread runs no task of this Lua state; call from the thread that "
                   "required multicore, or from a task");
    return k;
}

static void go_away(struct mcl_task *k) {
    struct mcl_host *h = k->host;
    /* Relaxed: whatever was asked for until now, this call answers it. */
    __atomic_store_n(&h->attention, 0, __ATOMIC_RELAXED);
    k->way_due = 0;
    k->grace = 0;
    if (k == h->main) h->main_away = 1;
    mcl_set_current(NULL);
}

static void come_back(struct mcl_task *k) {
    struct mcl_host *h = k->host;
    mcl_set_current(k);
    if (k == h->main) {
        h->main_away = 0;
        if (h->alive) mcl_guard_quietly(h);
    }
    /* A signal that came before the first line found no task. seq_cst: see mcl_preempt_attention. */
    if (__atomic_load_n(&h->attention, __ATOMIC_SEQ_CST)) mcl_preempt_hook_now(k);
    mcl_jit_loaded(k);
}

mc_status mcl_yield(struct mcl_task *k) {
    go_away(k);
    mc_status status = mc_task_yield();
    come_back(k);
    return status;
}

mc_status mcl_checkpoint(struct mcl_task *k) {
    go_away(k);
    mc_status status = mc_checkpoint();
    come_back(k);
    return status;
}

/* ---- waiting ----
 *
 * The main task waits by parking only, whatever it waits for: of all that ends a wait, unparking alone
 * can be done by a signal handler. So Ctrl-C wakes it though no other thread is free to. */

mc_status mcl_park(struct mcl_task *k, uint64_t timeout) {
    struct mcl_host *h = k->host;
    if (k == h->main) mcl_sigint_arm(h);
    go_away(k);
    mc_status status = mc_task_park(timeout);
    come_back(k);
    if (k != h->main || status != MC_OK || !mcl_sigint_deliver(h)) return status;
    return MC_EINTR;
}

mc_status mcl_sleep(struct mcl_task *k, uint64_t ns) {
    if (ns == 0) return mcl_yield(k);
    if (k != k->host->main) {
        go_away(k);
        mc_status status = mc_task_sleep(ns);
        come_back(k);
        return status;
    }
    uint64_t start = mc_now();
    mc_status status = MC_OK;
    while (status == MC_OK) status = mcl_park(k, mcl_time_left(start, ns));
    return status == MC_ETIMEDOUT ? MC_OK : status;
}

/* An abandoned task has its result before it is destroyed. */
static int is_over(struct mcl_task *k) { return k->destroyed || mc_task_result(k->task) != MC_EAGAIN; }

mc_status mcl_join(struct mcl_task *k, struct mcl_task *other, uint64_t timeout) {
    if (k != k->host->main) {
        go_away(k);
        mc_status status = mc_task_join(other->task, timeout);
        come_back(k);
        return status;
    }
    if (other == k) return MC_EDEADLK;
    uint64_t start = mc_now();
    mc_status status = MC_OK;
    other->main_joins++;
    while (!is_over(other) && status == MC_OK) status = mcl_park(k, mcl_time_left(start, timeout));
    other->main_joins--;
    return is_over(other) ? MC_OK : status;
}

/* A wait for a file, by a task of our own on behalf of the main task. Belongs to both. */
struct fd_wait {
    mc_task *main; /* to be unparked at the end; NULL: it waits no longer */
    int fd;
    uint32_t events, ready;
    uint64_t timeout;
    mc_status status;
    unsigned refs;
    unsigned char done;
};

static void fd_wait_unref(struct fd_wait *w) {
    if (--w->refs == 0) free(w);
}

static void fd_wait_run(void *arg) {
    struct fd_wait *w = arg;
    if (w->main) w->status = mc_task_wait_fd(w->fd, w->events, w->timeout, &w->ready);
}

static void fd_wait_end(void *arg) { /* however it ended */
    struct fd_wait *w = arg;
    w->done = 1;
    if (w->main) mc_task_unpark(w->main);
    fd_wait_unref(w);
}

static mc_status main_wait_fd(struct mcl_task *k, struct fd_wait *w, uint32_t *ready) {
    mc_task_options options = MC_TASK_OPTIONS_INIT;
    options.name = "wait of main";
    options.stack_size = 64 * 1024;
    options.data = w;
    options.destroy = fd_wait_end;
    mc_task *helper;
    mc_status status = mc_task_spawn(k->host->runtime, fd_wait_run, w, &options, &helper);
    if (status != MC_OK) {
        free(w);
        return status;
    }
    while (!w->done && status == MC_OK) status = mcl_park(k, MC_FOREVER);
    if (w->done) {
        status = w->status;
        *ready = w->ready;
    } else {
        mc_task_interrupt(helper, NULL);
    }
    w->main = NULL;
    fd_wait_unref(w);
    mc_task_unref(helper);
    return status;
}

mc_status mcl_wait_fd(struct mcl_task *k, int fd, uint32_t events, uint64_t timeout, uint32_t *ready) {
    if (k == k->host->main && timeout > 0) {
        struct fd_wait *w = calloc(1, sizeof *w);
        if (!w) return MC_ENOMEM;
        *w = (struct fd_wait){k->task, fd, events, 0, timeout, MC_ECANCELED, 2, 0};
        return main_wait_fd(k, w, ready);
    }
    go_away(k);
    mc_status status = mc_task_wait_fd(fd, events, timeout, ready);
    come_back(k);
    return status;
}
