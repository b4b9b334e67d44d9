/* A timeout of GLib fires while a task computes: one thread would do one after the other. */
#include <stdio.h>

#include <multicore/loop/glib.h>

#define TICKS 5

struct program {
    GMainLoop *loop;
    int ticks, computed;
};

static unsigned compute(void) {
    unsigned sum = 0, i;
    for (i = 0; i < 100000000; ++i) sum = sum * 31 + i;
    return sum;
}

static gboolean tick(gpointer data) { /* on the loop's thread, with the baton */
    struct program *program = (struct program *)data;
    if (++program->ticks < TICKS || !program->computed) return G_SOURCE_CONTINUE;
    g_main_loop_quit(program->loop);
    return G_SOURCE_REMOVE;
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

static void quit(gpointer loop) { g_main_loop_quit((GMainLoop *)loop); }

int main(void) {
    struct program program = {0};
    mc_runtime *runtime = NULL;
    GSource *hook;
    if (mc_runtime_create(NULL, &runtime) != MC_OK) return 1;
    mc_attach(runtime, NULL, MC_FOREVER, NULL);
    program.loop = g_main_loop_new(NULL, FALSE);
    hook = mc_loop_glib_start(NULL, quit, program.loop);

    mc_task_spawn(runtime, work, &program, NULL, NULL);
    g_timeout_add(1, tick, &program);
    g_main_loop_run(program.loop); /* tasks run while it waits */
    printf("%d ticks or more\n", TICKS);

    mc_loop_glib_stop(hook);
    g_main_loop_unref(program.loop);
    mc_detach();
    return mc_runtime_destroy(runtime) == MC_OK ? 0 : 1;
}
