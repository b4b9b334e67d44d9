/* EV's default loop: its wait is a section, and the baton is taken from it without a word to its thread.
 * SPDX-License-Identifier: BSL-1.0
 */
#include "host.h"

#include <EV/EVAPI.h>

static struct EVAPI *ev; /* NULL until EV is loaded */
static ev_async waker;
static bool holds;

static void before_wait(struct ev_loop *loop) {
    dTHXa(mcp.perl);
    if (mcp_poll_begin(aTHX_ MCP_WAIT_LIBEV)) ev->async_send(loop, &waker);
}

static void after_wait(struct ev_loop *loop) {
    (void)loop;
    mcp_poll_end();
}

static void woken(struct ev_loop *loop, ev_async *watcher, int events) {
    (void)loop, (void)watcher, (void)events;
}

void mcp_find_libev(pTHX) {
    if (ev) return;
    SV *sv = get_sv("EV::API", 0);
    struct EVAPI *found = sv && SvIOK(sv) ? INT2PTR(struct EVAPI *, SvIV(sv)) : NULL;
    if (!found || found->ver != EV_API_VERSION || found->rev < EV_API_REVISION || !found->default_loop)
        return;
    ev = found;
    ev_async_init(&waker, woken);
    ev_set_priority(&waker, EV_MAXPRI);
    ev->async_start(ev->default_loop, &waker);
    ev->unref(ev->default_loop); /* it keeps no loop going */
    ev->set_loop_release_cb(ev->default_loop, before_wait, after_wait);
}

void mcp_libev_kick(void) { ev->async_send(ev->default_loop, &waker); }

void mcp_libev_left(void) {
    if (ev) ev->now_update(ev->default_loop); /* timers count from the loop's time */
}

void mcp_libev_hold(bool wanted) {
    if (!ev || wanted == holds) return;
    holds = wanted;
    wanted ? ev->ref(ev->default_loop) : ev->unref(ev->default_loop);
}

void mcp_libev_forked(void) {
    if (ev) ev->loop_fork(ev->default_loop);
}
