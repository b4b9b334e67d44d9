/* SPDX-License-Identifier: BSL-1.0 */
#include "preempt.h"

#include <errno.h>
#include <string.h>

#include "deadline.h"
#include "luajit.h"
#include "raise.h"
#include "sigint.h"

/* ---- the signal ---- */

static int preempt_signal; /* 0: none could be had; then only native calls are checkpoints */

static void on_signal(int number) {
    (void)number;
    int saved = errno;
    struct mcl_task *k = mcl_current();
    if (k && __atomic_load_n(&k->host->attention, __ATOMIC_RELAXED)) mcl_preempt_hook_now(k);
    errno = saved;
}

static void install_once(void) {
    for (int number = SIGRTMAX - 1; number > SIGRTMIN + 1; number--) {
        struct sigaction old;
        if (sigaction(number, NULL, &old) != 0 || old.sa_handler != SIG_DFL) continue;
        struct sigaction action;
        memset(&action, 0, sizeof action);
        action.sa_handler = on_signal;
        action.sa_flags = SA_RESTART;
        sigemptyset(&action.sa_mask);
        if (sigaction(number, &action, NULL) == 0) {
            preempt_signal = number;
            return;
        }
    }
}

void mcl_preempt_install(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, install_once);
}

/* `attention` and `holder` pair: either this sees the new holder, or the new holder sees `attention`.
 * Hence seq_cst on both sides. */
void mcl_preempt_attention(struct mcl_host *h) {
    __atomic_store_n(&h->attention, 1, __ATOMIC_SEQ_CST);
    if (preempt_signal) pthread_kill(__atomic_load_n(&h->holder, __ATOMIC_SEQ_CST), preempt_signal);
}

void mcl_preempt_taken(struct mcl_host *h) {
    struct mcl_task *k = mcl_current(); /* also makes the thread-local variable exist before a signal */
    __atomic_store_n(&h->holder, pthread_self(), __ATOMIC_SEQ_CST);
    if (k) k->grace = 0; /* what it comes from is neither mc.scope nor mc.spawn */
    if (k && k->host == h && __atomic_load_n(&h->attention, __ATOMIC_SEQ_CST)) mcl_preempt_hook_now(k);
}

/* ---- hooks ---- */

static void preempt_hook(lua_State *L, lua_Debug *ar);

static void replace_hook(struct mcl_frame *f, int count) {
    if (!f->hooked) {
        f->hook = lua_gethook(f->L);
        f->mask = lua_gethookmask(f->L);
        f->count = lua_gethookcount(f->L);
        /* This one polls by itself, and a replacement would lose what it has counted. */
        if (f->hook == mcl_script_hook && (f->mask & LUA_MASKCOUNT)) return;
        if (f->hook == preempt_hook) { /* inherited */
            f->hook = NULL;
            f->mask = f->count = 0;
        }
        f->hooked = 1;
    }
    lua_sethook(f->L, preempt_hook, f->mask | LUA_MASKCOUNT, count);
}

/* After f, what else k may be running: the coroutine that loaded the module, which was resumed before
 * anybody watched. In a section it may be anybody's. */
static struct mcl_frame *beside(struct mcl_task *k, struct mcl_frame *f) {
    return f == &k->base && f->up && mc_task_state(k->task) == MC_TASK_RUNNING ? f->up : NULL;
}

void mcl_preempt_hook_now(struct mcl_task *k) {
    if (k->hook_busy || mcl_is_ending(k)) return; /* whoever is busy polls afterwards */
    for (struct mcl_frame *f = k->frame; f; f = beside(k, f))
        if (!f->hooked || k->grace < 2) replace_hook(f, 1);
}

static void restore_hook(struct mcl_frame *f) {
    if (!f->hooked) return;
    lua_sethook(f->L, f->hook, f->mask, f->count);
    f->hooked = 0;
}

static struct mcl_frame *find_frame(struct mcl_task *k, lua_State *L) {
    for (struct mcl_frame *f = k->frame; f; f = f->up)
        if (f->L == L) return f;
    return NULL;
}

static int wants_event(int mask, int event) {
    switch (event) {
        case LUA_HOOKCALL: return mask & LUA_MASKCALL;
        case LUA_HOOKTAILCALL: return mask & MCL_TAIL_MASK;
        case LUA_HOOKRET: return mask & LUA_MASKRET;
        case LUA_HOOKLINE: return mask & LUA_MASKLINE;
        default: return 0; /* a count of its own goes on from the start */
    }
}

static void preempt_hook(lua_State *L, lua_Debug *ar) {
    struct mcl_task *k = mcl_current();
    lua_Hook original = NULL;
    int mask = 0;
    struct mcl_frame *f = k ? find_frame(k, L) : NULL;
    int grace = k && k->grace && k->grace < 5 && !(k->grace > 1 && ar->event == LUA_HOOKCOUNT);
    /* Not at a call, either: an error there would keep a __close from being run. */
    if (grace || (k && (ar->event == LUA_HOOKCALL || ar->event == LUA_HOOKTAILCALL))) {
        if (f && f->hooked) {
            original = f->hook;
            mask = f->mask;
        }
        if (grace) k->grace++; /* first: then the signal handler does nothing */
        if (original && wants_event(mask, ar->event)) original(L, ar);
        /* A return, the assignment, the next. The script's hook counts as well, so start again after it. */
        if (lua_gethook(L) == preempt_hook)
            lua_sethook(L, preempt_hook, lua_gethookmask(L), grace ? MCL_GRACE : 1);
        return;
    }
    if (!f || !f->hooked) { /* a coroutine that inherited it, or was resumed behind our back */
        lua_sethook(L, NULL, 0, 0);
        if (!k) return;
    } else {
        original = f->hook;
        mask = f->mask;
        k->hook_busy = 1;
        restore_hook(f);
        k->hook_busy = 0;
    }
    mcl_poll(L, k);
    if (original && wants_event(mask, ar->event)) original(L, ar);
}

int mcl_wants_poll(struct mcl_task *k) {
    return mcl_is_ending(k) || __atomic_load_n(&k->host->attention, __ATOMIC_RELAXED);
}

void mcl_preempt_grace(struct mcl_task *k) { k->grace = 1; }

void mcl_poll(lua_State *L, struct mcl_task *k) {
    k->grace = 0;
    if (mcl_is_ending(k)) mcl_raise_end(L, k, "checkpoint");
    if (mcl_in_finaliser(k->host)) {
        /* Not here; but as soon as the code below the finaliser runs again. The innermost state, where
         * this may have been called from the hook, would only call again at once. */
        k->hook_busy = 1;
        for (struct mcl_frame *f = k->frame; f; f = f->up)
            if (!f->hooked && (f != k->frame || f == &k->base)) replace_hook(f, 1);
        k->hook_busy = 0;
        return;
    }
    mcl_sigint_deliver(k->host);
    mc_status status = k->way_due ? mcl_yield(k) : MC_EPERM;
    if (status == MC_EPERM) status = mcl_checkpoint(k);
    if (status != MC_OK) mcl_raise(L, k, status, "checkpoint");
}

void mcl_preempt_unwatched(struct mcl_task *k) {
    mc_stats stats = MC_STATS_INIT;
    if (k->way_due || mc_runtime_stats(k->host->runtime, &stats) != MC_OK || stats.threads) return;
    k->way_due = 1;
    k->hook_busy = 1;
    for (struct mcl_frame *f = k->frame; f; f = beside(k, f)) {
        if (!f->hooked) replace_hook(f, 5000);
        if (!f->hooked) /* a count hook of the script's polls by itself */
            __atomic_store_n(&k->host->attention, 1, __ATOMIC_RELAXED);
    }
    k->hook_busy = 0;
}

/* After how many instructions the n-th error follows. Ever sooner: the first leave room for cleaning up. Then
 * one at once, which gets out of a loop around pcall, and room again; two, out of a loop in a loop; and so
 * on. */
static int patience(unsigned n) {
    static const int counts[] = {100000, 10000, 1000, 100, 10};
    if (n < 5) return counts[n];
    unsigned depth = 1;
    for (n -= 5; n > depth; depth++) n -= depth + 1;
    return n == depth ? counts[0] : 1;
}

void mcl_preempt_insist(struct mcl_task *k) {
    const unsigned n = k->cancel_count++;
    int count = patience(n);
    if (mcl_jit_insist(k, n, count)) return;
    k->hook_busy = 1;
    for (struct mcl_frame *f = k->frame; f; f = f->up) replace_hook(f, count);
    k->hook_busy = 0;
}

/* ---- frames ---- */

void mcl_frame_push(struct mcl_task *k, struct mcl_frame *f, lua_State *co) {
    struct mcl_host *h = k->host;
    if (co == h->birth.L) { /* from now on it is watched like any other */
        h->main->hook_busy = 1;
        restore_hook(&h->birth);
        h->main->base.up = NULL;
        h->birth.L = NULL;
        h->main->hook_busy = 0;
    }
    f->L = co;
    f->up = k->frame;
    f->hooked = 0;
    k->grace = 0;
    __atomic_signal_fence(__ATOMIC_SEQ_CST); /* the signal handler reads what `frame` points to */
    k->frame = f;
}

void mcl_frame_pop(struct mcl_task *k, struct mcl_frame *f) {
    k->frame = f->up;
    k->grace = 0;
    __atomic_signal_fence(__ATOMIC_SEQ_CST); /* from here on the handler leaves f alone */
    restore_hook(f);
}

struct mcl_frame *mcl_frame_of(struct mcl_host *h, lua_State *L) {
    struct mcl_frame *f = find_frame(h->main, L);
    for (struct mcl_task *k = h->tasks; k && !f; k = k->next) f = find_frame(k, L);
    return f;
}

void mcl_hook_get(struct mcl_host *h, lua_State *L, lua_Hook *hook, int *mask, int *count) {
    struct mcl_frame *f = mcl_frame_of(h, L);
    int hooked = f && f->hooked;
    *hook = hooked ? f->hook : lua_gethook(L);
    *mask = hooked ? f->mask : lua_gethookmask(L);
    *count = hooked ? f->count : lua_gethookcount(L);
    if (*hook != preempt_hook) return;
    *hook = NULL;
    *mask = *count = 0;
}

void mcl_hook_set(struct mcl_host *h, lua_State *L, lua_Hook hook, int mask, int count) {
    struct mcl_frame *f = mcl_frame_of(h, L);
    if (f && f->hooked) {
        if (!(hook == mcl_script_hook && (mask & LUA_MASKCOUNT))) {
            /* The preemption under way comes with the next instruction or event, and restores this one. */
            f->hook = hook;
            f->mask = mask;
            f->count = count;
            lua_sethook(L, preempt_hook, mask | LUA_MASKCOUNT, 1);
            return;
        }
        f->hooked = 0; /* this one polls by itself */
        __atomic_store_n(&h->attention, 1, __ATOMIC_RELAXED);
    }
    lua_sethook(L, hook, mask, count);
}

void mcl_hook_disinherit(lua_State *L) {
    lua_Hook hook = lua_gethook(L);
    if (hook == preempt_hook || hook == mcl_script_hook) lua_sethook(L, NULL, 0, 0);
}
