/* Ctrl-C.
 *
 * Stock lua5.4 hooks its main state from the handler, so a script that waits or whose tasks compute
 * notices nothing. Here the handler, which may do very little, leaves a note (`sigint`) and sees to it
 * that somebody reads it soon and turns it into an interrupt of the main task, which raises
 * "interrupted!" there; the rest follows from the end of the main chunk. Who that is:
 *
 * - This thread computes Lua: a hook.
 * - The main task waits: it is unparked, which is async-signal-safe and needs no other thread; it never
 *   waits but by parking.
 * - The main task is in a section: an interrupt makes mc_cancelled say so, but it can be sent by
 *   ordinary code only. That is done by a thread that waits for nothing else (`watcher`), started when
 *   another thread takes the baton from a section of the main task, or by a task of ours that is ready
 *   from the start, so that the first section of the main task lends to it.
 *
 * The handler restores the default first, as the stock one does, so a second Ctrl-C kills. The signal is
 * taken over only from an interpreter that handles it: where it is ignored or kills, that stays.
 *
 * Rejected: the watcher from the start (no thread may start before it is needed).
 * SPDX-License-Identifier: BSL-1.0
 */
#include "sigint.h"

#include <errno.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>

#include "preempt.h"
#include "raise.h"

static struct mcl_host *owner; /* whose main task gets it */
static unsigned handling;      /* handlers under way, which may use the owner */
static pthread_mutex_t owner_mutex = PTHREAD_MUTEX_INITIALIZER; /* held by the watcher that uses it */
static sem_t typed;
static int watching; /* `typed` may be used: somebody waits for it */
static struct sigaction previous;

static void on_sigint(int number) {
    int saved = errno;
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = SIG_DFL;
    sigaction(number, &action, NULL);
    /* seq_cst, here and in mcl_sigint_stop: either that waits for us, or we see no owner. */
    __atomic_add_fetch(&handling, 1, __ATOMIC_SEQ_CST);
    struct mcl_host *h = __atomic_load_n(&owner, __ATOMIC_SEQ_CST);
    if (h) {
        __atomic_store_n(&h->sigint, 1, __ATOMIC_RELEASE);
        __atomic_store_n(&h->attention, 1, __ATOMIC_RELEASE);
        struct mcl_task *k = mcl_current();
        if (k && k->host == h) mcl_preempt_hook_now(k);
        mc_task_unpark(h->main->task);
        mc_task_unpark(h->sigint_task);
        if (__atomic_load_n(&watching, __ATOMIC_ACQUIRE)) sem_post(&typed);
    }
    __atomic_sub_fetch(&handling, 1, __ATOMIC_SEQ_CST);
    errno = saved;
}

int mcl_sigint_deliver(struct mcl_host *h) {
    if (!__atomic_load_n(&h->sigint, __ATOMIC_ACQUIRE)) return 0;
    /* The note stays until the main task raises it: it outlives an interrupt that came before. */
    mc_task_interrupt(h->main->task, mcl_payload_wake);
    return 1;
}

/* ---- for sections of the main task ---- */

static void *watcher(void *unused) {
    for (;;) {
        while (sem_wait(&typed) != 0) continue;
        pthread_mutex_lock(&owner_mutex);
        struct mcl_host *h = __atomic_load_n(&owner, __ATOMIC_RELAXED);
        if (h) mcl_sigint_deliver(h);
        pthread_mutex_unlock(&owner_mutex);
    }
    return unused;
}

static void start_watcher(void) {
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;
    sem_init(&typed, 0, 0);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, 64 * 1024);
    if (pthread_create(&thread, &attributes, watcher, NULL) == 0)
        __atomic_store_n(&watching, 1, __ATOMIC_RELEASE); /* publishes the semaphore to the handler */
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void mcl_sigint_watch(struct mcl_host *h) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (h->sigint_task && !h->main_away && !h->closing) pthread_once(&once, start_watcher);
}

static void wait_for_typing(void *arg) {
    struct mcl_host *h = arg;
    do {
        mcl_sigint_watch(h);
        mcl_sigint_deliver(h);
    } while (mc_task_park(MC_FOREVER) == MC_OK);
}

/* ---- taking the signal over ---- */

void mcl_sigint_arm(struct mcl_host *h) {
    if (!h->use_sigint || h->closing || !h->sigint_task) return;
    struct sigaction now;
    if (sigaction(SIGINT, NULL, &now) != 0 || (now.sa_flags & SA_SIGINFO)) return;
    if (now.sa_handler == SIG_DFL || now.sa_handler == SIG_IGN) return;
    if (now.sa_handler == on_sigint) return;
    previous = now;
    __atomic_store_n(&owner, h, __ATOMIC_SEQ_CST);
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_sigint;
    sigemptyset(&action.sa_mask); /* no SA_RESTART: io.read has to return, as in stock Lua */
    sigaction(SIGINT, &action, NULL);
}

void mcl_sigint_prepare(struct mcl_host *h, mc_runtime *runtime) {
    if (!h->use_sigint) return;
    mc_task_options options = MC_TASK_OPTIONS_INIT;
    options.name = "ctrl-c";
    options.stack_size = 64 * 1024;
    if (mc_task_spawn(runtime, wait_for_typing, h, &options, &h->sigint_task) != MC_OK) h->sigint_task = NULL;
}

void mcl_sigint_stop(struct mcl_host *h) {
    if (!h->sigint_task) return;
    if (__atomic_load_n(&owner, __ATOMIC_SEQ_CST) == h) {
        struct sigaction now;
        if (sigaction(SIGINT, NULL, &now) == 0 && now.sa_handler == on_sigint) {
            /* Closing for good: the interpreter's own handler would touch a dying state. */
            if (h->closing) {
                memset(&previous, 0, sizeof previous);
                previous.sa_handler = SIG_DFL;
            }
            sigaction(SIGINT, &previous, NULL);
        }
        pthread_mutex_lock(&owner_mutex);
        __atomic_store_n(&owner, NULL, __ATOMIC_SEQ_CST);
        pthread_mutex_unlock(&owner_mutex);
        while (__atomic_load_n(&handling, __ATOMIC_SEQ_CST)) sched_yield();
    }
    mc_task_unref(h->sigint_task);
    h->sigint_task = NULL;
}
