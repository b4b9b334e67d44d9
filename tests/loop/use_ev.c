/* Uses every function of loop/ev.h: compiled by every supported compiler and dialect. With USE_ALONE a
 * program without the library: a wait where no runtime is, and the dispatch of a fake one.
 * SPDX-License-Identifier: BSL-1.0 */
#include <multicore/loop/ev.h>

static void stop(struct ev_loop *loop, ev_timer *timer, int events) {
    (void)events;
    ev_timer_stop(loop, timer);
    mc_loop_ev_break((mc_loop_ev *)timer->data, EVBREAK_ALL);
}

int use_alone(struct ev_loop *loop);
int use_alone(struct ev_loop *loop) {
    mc_loop_ev hook;
    ev_timer timer;
    mc_loop_ev_start(&hook, loop);
    ev_timer_init(&timer, stop, 0.001, 0.);
    timer.data = &hook;
    ev_timer_start(loop, &timer);
    mc_loop_ev_wakeup(&hook);
    if (ev_run(loop, 0)) return 1;
    mc_loop_ev_stop(&hook);
    return ev_userdata(loop) != NULL;
}

/* Returns why the runtime was not dispatched any more. */
mc_status use_dispatch(struct ev_loop *loop, mc_runtime *runtime);
mc_status use_dispatch(struct ev_loop *loop, mc_runtime *runtime) {
    mc_loop_ev_dispatch dispatch;
    const mc_status status = mc_loop_ev_dispatch_start(&dispatch, loop, runtime);
    if (status != MC_OK) return status;
    ev_run(loop, 0);
    ev_io_stop(loop, &dispatch.io);
    return dispatch.status;
}

#ifdef USE_ALONE
#include "fake_runtime.h"

int main(void) {
    struct ev_loop *loop = ev_default_loop(0);
    if (use_alone(loop) != 0) return 1;
    return use_dispatch(loop, NULL) != MC_ESHUTDOWN || dispatches != 4;
}
#endif
