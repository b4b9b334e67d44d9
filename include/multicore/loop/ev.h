/* multicore/loop/ev.h - libev's event loop beside tasks.
 *
 *     mc_attach(runtime, NULL, MC_FOREVER, NULL);
 *     mc_loop_ev_start(&hook, loop);
 *     ev_run(loop, 0);                   tasks run while the loop waits
 *     mc_loop_ev_stop(&hook);
 *     mc_detach();
 *
 * While the loop waits for events it is in a section. Its callbacks run with the baton, on the thread
 * and in the task that called ev_run; one that opens sections keeps the loop where it is: nobody else
 * runs the loop meanwhile. An interrupt or the cancellation of that task ends the wait and ev_run, as
 * ev_break with EVBREAK_ALL does; it stays pending for the caller of ev_run to take.
 *
 * The hook takes the loop's release and acquire callbacks (ev_set_loop_release_cb) and its user data; the
 * program's own goes to `data` of the hook. It does not keep the loop alive. The sleep of
 * ev_set_io_collect_interval is not part of the wait that is a section.
 *
 * Any task may call libev while it holds the baton. As libev does not notice until its wait ends, a task
 * that starts or stops watchers of a loop that another task runs calls mc_loop_ev_wakeup afterwards; and
 * ev_now_update before ev_timer_start, since the loop's clock stands still in a wait. To end the loop it
 * calls mc_loop_ev_break: libev forgets an ev_break that is made during the wait.
 *
 * Nothing to link but libev; the functions of the dispatch watcher, at the end, need libmulticore. All
 * functions but mc_loop_ev_wakeup are called with the baton.
 *
 * SPDX-License-Identifier: BSL-1.0
 */
#ifndef MULTICORE_LOOP_EV_H
#define MULTICORE_LOOP_EV_H

#include <ev.h>

#include "../multicore.h"

#if !EV_MULTIPLICITY || !EV_ASYNC_ENABLE || !EV_FEATURE_API
#error "multicore/loop/ev.h: needs a libev with EV_MULTIPLICITY, EV_ASYNC_ENABLE and EV_FEATURE_API"
#endif

/* ---- a loop whose wait is a section ---- */

/* Owned by the caller; must stay where it is from mc_loop_ev_start until mc_loop_ev_stop. */
typedef struct mc_loop_ev {
    void *data; /* the caller's, in place of ev_userdata */

    /* Private. */
    struct ev_loop *loop;
    ev_async wake;
    int how; /* the break to make, EVBREAK_*: libev forgets one that is made while it waits */
} mc_loop_ev;

/* Makes the loop notice what was done to it while it waited. Any thread, with the baton or without,
 * between start and stop; async-signal-safe. */
MC_EXT_INLINE_ void mc_loop_ev_wakeup(mc_loop_ev *hook) { ev_async_send(hook->loop, &hook->wake); }

/* ev_break by another task than the one that runs the loop. */
MC_EXT_INLINE_ void mc_loop_ev_break(mc_loop_ev *hook, int how) {
    hook->how = how;
    mc_loop_ev_wakeup(hook);
}

MC_EXT_INLINE_ void mc_loop_ev_unblock_(void *hook) { mc_loop_ev_wakeup((mc_loop_ev *)hook); }

MC_EXT_INLINE_ void mc_loop_ev_woken_(struct ev_loop *loop, ev_async *wake, int events) {
    mc_loop_ev *hook = (mc_loop_ev *)wake->data;
    (void)events;
    if (hook->how != EVBREAK_CANCEL) ev_break(loop, hook->how);
    hook->how = EVBREAK_CANCEL;
}

MC_EXT_INLINE_ void mc_loop_ev_release_(struct ev_loop *loop) EV_NOEXCEPT {
    mc_loop_ev *hook = (mc_loop_ev *)ev_userdata(loop);
    mc_section_options options = MC_SECTION_OPTIONS_INIT;
    mc_status pending;
    options.unblock = mc_loop_ev_unblock_;
    options.unblock_arg = hook;
    pending = mc_release_with(&options);
    if (pending == MC_EINTR || pending == MC_ECANCELED) mc_loop_ev_wakeup(hook); /* nobody else will */
}

MC_EXT_INLINE_ void mc_loop_ev_acquire_(struct ev_loop *loop) EV_NOEXCEPT {
    mc_loop_ev *hook = (mc_loop_ev *)ev_userdata(loop);
    const mc_status pending = mc_acquire_status();
    if (pending == MC_OK) return;
    hook->how = EVBREAK_ALL;
    ev_feed_event(loop, &hook->wake, EV_ASYNC);
}

/* Makes the loop's wait a section. */
MC_EXT_INLINE_ void mc_loop_ev_start(mc_loop_ev *hook, struct ev_loop *loop) {
    hook->loop = loop;
    hook->how = EVBREAK_CANCEL;
    ev_async_init(&hook->wake, mc_loop_ev_woken_);
    hook->wake.data = hook;
    ev_async_start(loop, &hook->wake);
    ev_unref(loop);
    ev_set_userdata(loop, hook);
    ev_set_loop_release_cb(loop, mc_loop_ev_release_, mc_loop_ev_acquire_);
}

/* The opposite, when ev_run has returned. */
MC_EXT_INLINE_ void mc_loop_ev_stop(mc_loop_ev *hook) {
    ev_set_loop_release_cb(hook->loop, NULL, NULL);
    ev_set_userdata(hook->loop, NULL);
    ev_ref(hook->loop);
    ev_async_stop(hook->loop, &hook->wake);
}

/* ---- a loop that runs what the runtime has to do: for hosts that cannot lend ---- */

/* At most so many events of the runtime before the loop's own get their turn. */
#define MC_LOOP_EV_DISPATCH_MAX 64

/* Owned by the caller, as a watcher of libev is. Keeps the loop alive, unless ev_unref is called for it. */
typedef struct mc_loop_ev_dispatch {
    ev_io io;            /* its `data` is private */
    mc_runtime *runtime; /* private */
    mc_status status;    /* MC_OK, or why mc_runtime_dispatch failed: it is not called any more then */
} mc_loop_ev_dispatch;

MC_EXT_INLINE_ void mc_loop_ev_dispatch_ready_(struct ev_loop *loop, ev_io *io, int events) {
    mc_loop_ev_dispatch *dispatch = (mc_loop_ev_dispatch *)io->data;
    const int done = mc_runtime_dispatch(dispatch->runtime, MC_LOOP_EV_DISPATCH_MAX);
    (void)events;
    if (done >= 0) return;
    dispatch->status = done;
    ev_io_stop(loop, io);
}

/* Calls mc_runtime_dispatch whenever the runtime has something to do, on the thread that runs the loop: the
 * home thread, for a host that cannot lend. End it with ev_io_stop on `io`, before the runtime is destroyed.
 * MC_OK, or a status of mc_runtime_event_fd. */
MC_EXT_INLINE_ mc_status mc_loop_ev_dispatch_start(mc_loop_ev_dispatch *dispatch, struct ev_loop *loop,
                                                   mc_runtime *runtime) {
    const int fd = mc_runtime_event_fd(runtime);
    if (fd < 0) return fd;
    ev_io_init(&dispatch->io, mc_loop_ev_dispatch_ready_, fd, EV_READ);
    dispatch->io.data = dispatch;
    dispatch->runtime = runtime;
    dispatch->status = MC_OK;
    ev_io_start(loop, &dispatch->io);
    return MC_OK;
}

#endif /* MULTICORE_LOOP_EV_H */
