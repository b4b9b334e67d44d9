/* Uses every function of loop/uv.h: compiled by every supported compiler and dialect. With USE_ALONE only
 * those that need no library of ours, and run on a thread without a runtime.
 * SPDX-License-Identifier: BSL-1.0 */
#include <multicore/loop/uv.h>

static void stop(uv_timer_t *timer) { uv_close((uv_handle_t *)timer, NULL); }

static void closed(mc_loop_uv *hook) { ++*(int *)hook->data; }

int use_alone(uv_loop_t *loop);
int use_alone(uv_loop_t *loop) {
    mc_loop_uv hook;
    uv_timer_t timer;
    int closes = 0;
    hook.data = &closes;
    if (mc_loop_uv_start(&hook, loop) != 0) return 1;
    uv_timer_init(loop, &timer);
    uv_timer_start(&timer, stop, 1, 0);
    mc_loop_uv_wakeup(&hook);
    if (mc_loop_uv_run(&hook, UV_RUN_DEFAULT) != 0) return 1;
    mc_loop_uv_close(&hook, closed);
    return uv_run(loop, UV_RUN_DEFAULT) != 0 || closes != 1;
}

#ifdef USE_ALONE
int main(void) { return use_alone(uv_default_loop()); }
#else
mc_status use_dispatch(uv_loop_t *loop, mc_runtime *runtime, mc_loop_uv_dispatch *dispatch);
mc_status use_dispatch(uv_loop_t *loop, mc_runtime *runtime, mc_loop_uv_dispatch *dispatch) {
    return mc_loop_uv_dispatch_start(dispatch, loop, runtime);
}
#endif
