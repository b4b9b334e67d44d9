/* multicore/loop/uv.h - libuv's event loop beside tasks.
 *
 *     mc_attach(runtime, NULL, MC_FOREVER, NULL);
 *     mc_loop_uv_start(&hook, loop);
 *     uv_run(loop, UV_RUN_DEFAULT);      tasks run while the loop waits
 *     mc_loop_uv_close(&hook, NULL);
 *     uv_run(loop, UV_RUN_DEFAULT);
 *     mc_detach();
 *
 * While the loop waits for events it is in a section. Its callbacks run with the baton, on the thread
 * and in the task that called uv_run; one that opens sections keeps the loop where it is: nobody else
 * runs the loop meanwhile. An interrupt or the cancellation of that task ends the wait and uv_run, as
 * uv_stop does, with every callback unharmed; it stays pending for the caller of uv_run to take.
 *
 * libuv calls back from within its poll, so the hook waits before that, in a prepare handle, for
 * uv_backend_fd and uv_backend_timeout, and an idle handle keeps the poll itself from blocking. None of
 * its handles keeps the loop alive. Prepare handles that were started before the hook run after the
 * wait, those started later before it. UV_METRICS_IDLE_TIME does not count the wait.
 *
 * Any task may call libuv while it holds the baton. As libuv does not notice until its wait ends, a task
 * that starts, stops or closes handles of a loop that another task runs calls mc_loop_uv_wakeup
 * afterwards; and uv_update_time before uv_timer_start, since the loop's clock stands still in a wait.
 *
 * Nothing to link but libuv; the functions of the dispatch watcher, at the end, need libmulticore. Needs
 * libuv 1.43 or later. All functions but mc_loop_uv_wakeup are called with the baton.
 *
 * SPDX-License-Identifier: BSL-1.0
 */
#ifndef MULTICORE_LOOP_UV_H
#define MULTICORE_LOOP_UV_H

#include <poll.h>
#include <uv.h>

#include "../multicore.h"

/* Earlier ones have a uv_backend_timeout that forgets handles which were just started. */
#if UV_VERSION_HEX < 0x012B00
#error "multicore/loop/uv.h: needs libuv 1.43 or later"
#endif

/* ---- a loop whose wait is a section ---- */

/* Owned by the caller; must stay where it is from mc_loop_uv_start until mc_loop_uv_close says so. */
typedef struct mc_loop_uv {
    void *data; /* the caller's */

    /* Private. */
    uv_prepare_t before_poll;
    uv_idle_t no_block;
    uv_async_t wake;
    int may_wait;
    int open; /* handles not yet closed */
    void (*closed)(struct mc_loop_uv *);
} mc_loop_uv;

/* Makes the loop notice what was done to it while it waited. Any thread, with the baton or without,
 * from start until close; async-signal-safe. */
MC_EXT_INLINE_ void mc_loop_uv_wakeup(mc_loop_uv *hook) { uv_async_send(&hook->wake); }

MC_EXT_INLINE_ void mc_loop_uv_unblock_(void *hook) { mc_loop_uv_wakeup((mc_loop_uv *)hook); }

MC_EXT_INLINE_ void mc_loop_uv_no_block_(uv_idle_t *idle) { (void)idle; }

/* How long the loop may wait, in ms; -1: without limit. */
MC_EXT_INLINE_ int mc_loop_uv_timeout_(mc_loop_uv *hook) {
    int timeout;
    uv_idle_stop(&hook->no_block); /* else the answer would be 0 */
    uv_update_time(hook->no_block.loop);
    timeout = uv_backend_timeout(hook->no_block.loop);
    uv_idle_start(&hook->no_block, mc_loop_uv_no_block_);
    return timeout;
}

MC_EXT_INLINE_ void mc_loop_uv_before_poll_(uv_prepare_t *prepare) {
    mc_loop_uv *hook = (mc_loop_uv *)prepare->data;
    const int timeout = hook->may_wait ? mc_loop_uv_timeout_(hook) : 0;
    mc_section_options options = MC_SECTION_OPTIONS_INIT;
    struct pollfd backend;
    mc_status pending;

    backend.fd = uv_backend_fd(prepare->loop);
    backend.events = POLLIN;
    options.unblock = mc_loop_uv_unblock_;
    options.unblock_arg = hook;
    /* Also when there is nothing to wait for: a busy loop lets others in. */
    pending = mc_release_with(&options);
    if (timeout != 0 && pending != MC_EINTR && pending != MC_ECANCELED) poll(&backend, 1, timeout);
    pending = mc_acquire_status();
    if (pending != MC_OK) uv_stop(prepare->loop);
}

/* Makes the loop's wait a section. 0, or an error of libuv (UV_ENOMEM, UV_EMFILE ...). */
MC_EXT_INLINE_ int mc_loop_uv_start(mc_loop_uv *hook, uv_loop_t *loop) {
    const int error = uv_async_init(loop, &hook->wake, NULL);
    if (error != 0) return error;
    uv_prepare_init(loop, &hook->before_poll);
    uv_idle_init(loop, &hook->no_block);
    hook->before_poll.data = hook->no_block.data = hook->wake.data = hook;
    hook->may_wait = 1;
    hook->open = 3;
    hook->closed = NULL;
    uv_prepare_start(&hook->before_poll, mc_loop_uv_before_poll_);
    uv_idle_start(&hook->no_block, mc_loop_uv_no_block_);
    uv_unref((uv_handle_t *)&hook->before_poll);
    uv_unref((uv_handle_t *)&hook->no_block);
    uv_unref((uv_handle_t *)&hook->wake);
    return 0;
}

/* uv_run in any mode. UV_RUN_DEFAULT needs it not: there uv_run does the same. A plain uv_run would wait
 * with UV_RUN_NOWAIT too. UV_RUN_ONCE returns, rarely, before a callback ran: after handles were started. */
MC_EXT_INLINE_ int mc_loop_uv_run(mc_loop_uv *hook, uv_run_mode mode) {
    int alive;
    /* What is pending runs before the hook, which cannot tell then that it must not wait any more. */
    hook->may_wait = mode == UV_RUN_DEFAULT || (mode == UV_RUN_ONCE && mc_loop_uv_timeout_(hook) != 0);
    alive = uv_run(hook->wake.loop, mode);
    hook->may_wait = 1;
    return alive;
}

MC_EXT_INLINE_ void mc_loop_uv_closed_(uv_handle_t *handle) {
    mc_loop_uv *hook = (mc_loop_uv *)handle->data;
    if (--hook->open == 0 && hook->closed) hook->closed(hook);
}

/* The opposite of start, when uv_run has returned: like uv_close, it ends in the loop's next run, which
 * then calls `closed` (NULL: nothing); from then on the hook's memory is free. */
MC_EXT_INLINE_ void mc_loop_uv_close(mc_loop_uv *hook, void (*closed)(mc_loop_uv *)) {
    hook->closed = closed;
    uv_close((uv_handle_t *)&hook->before_poll, mc_loop_uv_closed_);
    uv_close((uv_handle_t *)&hook->no_block, mc_loop_uv_closed_);
    uv_close((uv_handle_t *)&hook->wake, mc_loop_uv_closed_);
}

/* ---- a loop that runs what the runtime has to do: for hosts that cannot lend ---- */

/* At most so many events of the runtime before the loop's own get their turn. */
#define MC_LOOP_UV_DISPATCH_MAX 64

/* Owned by the caller, as a handle of libuv is. Keeps the loop alive, unless `poll` is given to uv_unref. */
typedef struct mc_loop_uv_dispatch {
    uv_poll_t poll;      /* its `data` is private */
    mc_runtime *runtime; /* private */
    mc_status status;    /* MC_OK, or why mc_runtime_dispatch failed: it is not called any more then */
} mc_loop_uv_dispatch;

MC_EXT_INLINE_ void mc_loop_uv_dispatch_ready_(uv_poll_t *poll, int error, int events) {
    mc_loop_uv_dispatch *dispatch = (mc_loop_uv_dispatch *)poll->data;
    const int done = mc_runtime_dispatch(dispatch->runtime, MC_LOOP_UV_DISPATCH_MAX);
    (void)error; /* of the descriptor: the runtime knows better */
    (void)events;
    if (done >= 0) return;
    dispatch->status = done;
    uv_poll_stop(poll);
}

/* Calls mc_runtime_dispatch whenever the runtime has something to do, on the thread that runs the loop: the
 * home thread, for a host that cannot lend. End it with uv_close on `poll`, before the runtime is destroyed.
 * MC_OK; a status of mc_runtime_event_fd; MC_ENOMEM: libuv cannot watch the descriptor. */
MC_EXT_INLINE_ mc_status mc_loop_uv_dispatch_start(mc_loop_uv_dispatch *dispatch, uv_loop_t *loop,
                                                   mc_runtime *runtime) {
    const int fd = mc_runtime_event_fd(runtime);
    if (fd < 0) return fd;
    if (uv_poll_init(loop, &dispatch->poll, fd) != 0) return MC_ENOMEM;
    dispatch->poll.data = dispatch;
    dispatch->runtime = runtime;
    dispatch->status = MC_OK;
    uv_poll_start(&dispatch->poll, UV_READABLE, mc_loop_uv_dispatch_ready_);
    return MC_OK;
}

#endif /* MULTICORE_LOOP_UV_H */
