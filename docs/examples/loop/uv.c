/* A timer of libuv fires while a task computes: one thread would do one after the other. */
#include <stdio.h>

#include <multicore/loop/uv.h>

#define TICKS 5

struct program {
    uv_timer_t timer;
    mc_loop_uv hook;
    int ticks, computed;
};

static unsigned compute(void) {
    unsigned sum = 0, i;
    for (i = 0; i < 100000000; ++i) sum = sum * 31 + i;
    return sum;
}

static void tick(uv_timer_t *timer) { /* on the loop's thread, with the baton */
    struct program *program = (struct program *)timer->data;
    if (++program->ticks >= TICKS && program->computed) uv_stop(timer->loop);
}

static void work(void *arg) { /* a task: stands for a script that calls an extension */
    struct program *program = (struct program *)arg;
    unsigned sum;
    mc_release();
    sum = compute(); /* beside the loop and its callbacks */
    mc_acquire();
    printf("computed %u\n", sum);
    program->computed = 1;
}

int main(void) {
    uv_loop_t *loop = uv_default_loop();
    struct program program = {0};
    mc_runtime *runtime = NULL;
    if (mc_runtime_create(NULL, &runtime) != MC_OK || mc_loop_uv_start(&program.hook, loop) != 0) return 1;
    mc_attach(runtime, NULL, MC_FOREVER, NULL);

    mc_task_spawn(runtime, work, &program, NULL, NULL);
    uv_timer_init(loop, &program.timer);
    program.timer.data = &program;
    uv_timer_start(&program.timer, tick, 1, 1);
    uv_run(loop, UV_RUN_DEFAULT); /* tasks run while it waits */
    printf("%d ticks or more\n", TICKS);

    uv_close((uv_handle_t *)&program.timer, NULL);
    mc_loop_uv_close(&program.hook, NULL);
    uv_run(loop, UV_RUN_DEFAULT);
    mc_detach();
    return mc_runtime_destroy(runtime) == MC_OK && uv_loop_close(loop) == 0 ? 0 : 1;
}
