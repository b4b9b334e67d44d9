/* A timer of libev fires while a task computes: one thread would do one after the other. */
#include <stdio.h>

#include <multicore/loop/ev.h>

#define TICKS 5

struct program {
    ev_timer timer;
    mc_loop_ev hook;
    int ticks, computed;
};

static unsigned compute(void) {
    unsigned sum = 0, i;
    for (i = 0; i < 100000000; ++i) sum = sum * 31 + i;
    return sum;
}

static void tick(struct ev_loop *loop, ev_timer *timer,
                 int events) { /* on the loop's thread, with the baton */
    struct program *program = (struct program *)timer->data;
    (void)events;
    if (++program->ticks >= TICKS && program->computed) ev_break(loop, EVBREAK_ALL);
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
    struct ev_loop *loop = ev_default_loop(0);
    struct program program = {0};
    mc_runtime *runtime = NULL;
    if (!loop || mc_runtime_create(NULL, &runtime) != MC_OK) return 1;
    mc_attach(runtime, NULL, MC_FOREVER, NULL);
    mc_loop_ev_start(&program.hook, loop);

    mc_task_spawn(runtime, work, &program, NULL, NULL);
    ev_timer_init(&program.timer, tick, 0.001, 0.001);
    program.timer.data = &program;
    ev_timer_start(loop, &program.timer);
    ev_run(loop, 0); /* tasks run while it waits */
    printf("%d ticks or more\n", TICKS);

    ev_timer_stop(loop, &program.timer);
    mc_loop_ev_stop(&program.hook);
    mc_detach();
    return mc_runtime_destroy(runtime) == MC_OK ? 0 : 1;
}
