/* Uses every function of loop/uv.h: compiled by every supported compiler and dialect. With USE_ALONE a
 * program without the library: a wait where no runtime is, and the dispatch of a fake one.
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

/* Returns why the runtime was not dispatched any more. */
mc_status use_dispatch(uv_loop_t *loop, mc_runtime *runtime);
mc_status use_dispatch(uv_loop_t *loop, mc_runtime *runtime) {
    mc_loop_uv_dispatch dispatch;
    const mc_status status = mc_loop_uv_dispatch_start(&dispatch, loop, runtime);
    if (status != MC_OK) return status;
    uv_run(loop, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&dispatch.poll, NULL);
    uv_run(loop, UV_RUN_DEFAULT);
    return dispatch.status;
}

#ifdef USE_ALONE
#include "fake_runtime.h"

int main(void) {
    uv_loop_t *loop = uv_default_loop();
    if (use_alone(loop) != 0) return 1;
    return use_dispatch(loop, NULL) != MC_ESHUTDOWN || dispatches != 4;
}
#endif
