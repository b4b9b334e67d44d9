/* Uses every function of loop/glib.h: compiled by every supported compiler and dialect. With USE_ALONE only
 * those that need no library of ours, and run on a thread without a runtime.
 * SPDX-License-Identifier: BSL-1.0 */
#include <multicore/loop/glib.h>

static void quit(gpointer loop) { g_main_loop_quit((GMainLoop *)loop); }

static gboolean stop(gpointer loop) {
    quit(loop);
    return G_SOURCE_REMOVE;
}

int use_alone(void);
int use_alone(void) {
    GMainLoop *loop = g_main_loop_new(NULL, FALSE);
    GSource *hook = mc_loop_glib_start(NULL, quit, loop);
    g_timeout_add(1, stop, loop);
    g_main_loop_run(loop);
    mc_loop_glib_stop(hook);
    g_main_loop_unref(loop);
    return 0;
}

#ifdef USE_ALONE
int main(void) { return use_alone(); }
#else
GSource *use_dispatch(mc_runtime *runtime, mc_status *status);
GSource *use_dispatch(mc_runtime *runtime, mc_status *status) {
    return mc_loop_glib_dispatch_source_new(runtime, status);
}
#endif
