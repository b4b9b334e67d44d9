/* Uses every function of loop/glib.h: compiled by every supported compiler and dialect. With USE_ALONE a
 * program without the library: a wait where no runtime is, and the dispatch of a fake one.
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

/* Until the runtime is not dispatched any more, which GLib's log says. */
mc_status use_dispatch(mc_runtime *runtime);
mc_status use_dispatch(mc_runtime *runtime) {
    mc_status status = MC_OK;
    GSource *source = mc_loop_glib_dispatch_source_new(runtime, &status);
    if (!source) return status;
    g_source_attach(source, NULL);
    while (!g_source_is_destroyed(source)) g_main_context_iteration(NULL, TRUE);
    g_source_unref(source);
    return MC_OK;
}

#ifdef USE_ALONE
#include "fake_runtime.h"

int main(void) {
    if (use_alone() != 0) return 1;
    return use_dispatch(NULL) != MC_OK || dispatches != 4;
}
#endif
