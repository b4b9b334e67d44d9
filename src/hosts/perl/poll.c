/* An event loop's wait is a section: sections that end, and other coroutines, have the interpreter meanwhile,
 * without waking the loop's thread.
 *
 * The loop's coroutine is made ready as soon as others run in its place, as if it had given way. When its
 * turn comes its wait is ended by a kick, since what ran may have changed what the loop waits for. At most
 * one thread waits: libev's loops cannot be shared. SPDX-License-Identifier: BSL-1.0
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "host.h"

static struct mc_site site = {__FILE__, "wait of an event loop", 0, 0, {NULL, NULL}};
static bool libev_waits, fd_waits; /* touched by any thread */
static int scope;                  /* the poller's coroutine may have disabled sections */
static __thread bool waits_here;   /* reached by functions that do not switch */

/* Others first: they might change what the loop waits for. */
static bool give_way(pTHX) {
    bool gave = false;
    mcp_collect_due(aTHX);
    for (int limit = mcp.coro->nready; mcp.coro->nready > 0 && limit > 0; limit--) {
        mcp.coro->cede(aTHX);
        mcp_collect_due(aTHX);
        gave = true;
    }
    while (mcp.poller) { /* another coroutine is in the same loop: it has to leave it first */
        mcp_kick();
        mcp_ready_quietly(aTHX_ mcp.poller->hv);
        mcp.coro->cede(aTHX);
        mcp_collect_due(aTHX);
        gave = true;
    }
    return gave;
}

static __attribute__((noinline)) bool open_wait(pTHX_ enum mcp_wait kind) {
    struct mcp_coroutine *self = mcp_current(aTHX);
    scope = self ? mc_scope_enter(MC_SCOPE_ENABLE) : -1;
    if (scope < 0) return false;
    self->polls = true;
    mcp.poller = self;
    waits_here = true;
    __atomic_store_n(kind == MCP_WAIT_LIBEV ? &libev_waits : &fd_waits, true, __ATOMIC_SEQ_CST);
    mcp_release(&site);
    return true;
}

bool mcp_poll_begin(pTHX_ enum mcp_wait kind) {
    if (!mcp.runtime || mcp.dead) return false;
    if (mcp.forked) mcp_after_fork(aTHX);
    const bool gave = give_way(aTHX);
    open_wait(aTHX_ kind);
    return gave;
}

__attribute__((noinline)) void mcp_poll_end(void) {
    if (!waits_here) return;
    waits_here = false;
    mcp_acquire(&site);
    __atomic_store_n(&libev_waits, false, __ATOMIC_SEQ_CST);
    __atomic_store_n(&fd_waits, false, __ATOMIC_SEQ_CST);
    mcp.poller->polls = false;
    mcp.poller = NULL;
    mc_scope_leave(scope);
}

/* The thread that waited is the parent's. */
void mcp_poll_forked(void) {
    libev_waits = fd_waits = false;
    mcp.poller = NULL;
}

void mcp_kick(void) {
    if (__atomic_load_n(&libev_waits, __ATOMIC_SEQ_CST)) mcp_libev_kick();
    if (__atomic_load_n(&fd_waits, __ATOMIC_SEQ_CST) || __atomic_load_n(&mcp.idles, __ATOMIC_SEQ_CST) ||
        __atomic_load_n(&mcp.announce, __ATOMIC_RELAXED))
        mcp_ring();
}

/* ---- the descriptor ---- */

static int wake_fd = -1; /* written once, with the baton, before anybody waits for it */

int mcp_wake_fd(void) {
    if (wake_fd < 0) wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return wake_fd;
}

void mcp_renew_wake_fd(void) { /* a child shares its parent's */
    if (wake_fd < 0) return;
    const int fresh = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (fresh < 0) return;
    dup3(fresh, wake_fd, O_CLOEXEC);
    close(fresh);
}

void mcp_ring(void) {
    const int saved = errno;
    const eventfd_t one = 1;
    /* Full is as good as one. */
    if (wake_fd >= 0 && write(wake_fd, &one, sizeof one) < 0) errno = saved;
}

void mcp_drain_wake(void) {
    const int saved = errno;
    eventfd_t ignored;
    if (wake_fd >= 0 && read(wake_fd, &ignored, sizeof ignored) < 0) errno = saved;
}
