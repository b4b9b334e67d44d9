/* Uses every function of loop/ev.h: compiled by every supported compiler and dialect. With USE_ALONE only
 * those that need no library of ours, and run on a thread without a runtime.
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

#ifdef USE_ALONE
int main(void) { return use_alone(ev_default_loop(0)); }
#else
mc_status use_dispatch(struct ev_loop *loop, mc_runtime *runtime, mc_loop_ev_dispatch *dispatch);
mc_status use_dispatch(struct ev_loop *loop, mc_runtime *runtime, mc_loop_ev_dispatch *dispatch) {
    return mc_loop_ev_dispatch_start(dispatch, loop, runtime);
}
#endif
