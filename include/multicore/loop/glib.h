/* multicore/loop/glib.h - GLib's main loop (GTK, GIO) beside tasks.
 *
 *     mc_attach(runtime, NULL, MC_FOREVER, NULL);
 *     source = mc_loop_glib_start(NULL, quit, loop);
 *     g_main_loop_run(loop);             tasks run while the loop waits
 *     mc_loop_glib_stop(source);
 *     mc_detach();
 *
 * While the context waits for events it is in a section. Its callbacks run with the baton, on the thread
 * and in the task that runs the context; one that opens sections keeps the loop where it is: nobody else
 * runs the context meanwhile. An interrupt or the cancellation of that task ends the wait and calls
 * `quit`; it stays pending for whoever runs the loop to take.
 *
 * A context belongs to a thread while it runs, so run it in a thread that is attached, not in a spawned
 * task, which may change thread when it suspends.
 *
 * Any task may call GLib while it holds the baton; GLib itself wakes a context whose sources change.
 *
 * Nothing to link but GLib; the source that dispatches, at the end, needs libmulticore. Needs GLib 2.58 or
 * later. All functions are called with the baton.
 *
 * SPDX-License-Identifier: BSL-1.0
 */
#ifndef MULTICORE_LOOP_GLIB_H
#define MULTICORE_LOOP_GLIB_H

#include <glib-unix.h>
#include <glib.h>

#include "../multicore.h"

#if !GLIB_CHECK_VERSION(2, 58, 0)
#error "multicore/loop/glib.h: needs GLib 2.58 or later"
#endif

/* ---- a context whose wait is a section ---- */

typedef struct mc_loop_glib_source_ {
    GSource source;
    GPollFunc poll; /* what the context polled with before */
    mc_status pending;
    void (*quit)(gpointer);
    gpointer data;
} mc_loop_glib_source_;

/* The source of the context that this thread is about to poll: the poll function is not told. */
MC_EXT_INLINE_ GPrivate *mc_loop_glib_polling_(void) {
    static GPrivate polling = G_PRIVATE_INIT(NULL);
    return &polling;
}

/* Before each poll: the source has the highest priority there is. */
MC_EXT_INLINE_ gboolean mc_loop_glib_prepare_(GSource *source, gint *timeout) {
    g_private_set(mc_loop_glib_polling_(), source);
    *timeout = -1;
    return FALSE;
}

MC_EXT_INLINE_ void mc_loop_glib_unblock_(void *context) { g_main_context_wakeup((GMainContext *)context); }

MC_EXT_INLINE_ gint mc_loop_glib_poll_(GPollFD *fds, guint count, gint timeout) {
    mc_loop_glib_source_ *source = (mc_loop_glib_source_ *)g_private_get(mc_loop_glib_polling_());
    mc_section_options options = MC_SECTION_OPTIONS_INIT;
    gint ready;
    options.unblock = mc_loop_glib_unblock_;
    options.unblock_arg = g_source_get_context(&source->source);
    source->pending = mc_release_with(&options);
    if (source->pending == MC_EINTR || source->pending == MC_ECANCELED) timeout = 0;
    ready = source->poll(fds, count, timeout);
    source->pending = mc_acquire_status();
    return ready;
}

/* After each poll. */
MC_EXT_INLINE_ gboolean mc_loop_glib_check_(GSource *source) {
    return ((mc_loop_glib_source_ *)source)->pending != MC_OK;
}

MC_EXT_INLINE_ gboolean mc_loop_glib_dispatch_(GSource *base, GSourceFunc callback, gpointer data) {
    mc_loop_glib_source_ *source = (mc_loop_glib_source_ *)base;
    (void)callback;
    (void)data;
    source->quit(source->data);
    return G_SOURCE_CONTINUE;
}

/* Makes the wait of a context (NULL: the default one) a section. `quit` is called with the baton when an
 * interrupt or a cancellation is pending, before every other source, again and again until the loop ends or
 * the interrupt is taken: let it end the loop. The returned source stays the library's until
 * mc_loop_glib_stop. A poll function that the context has is called within the section. */
MC_EXT_INLINE_ GSource *mc_loop_glib_start(GMainContext *context, void (*quit)(gpointer), gpointer data) {
    static GSourceFuncs funcs = {
        mc_loop_glib_prepare_, mc_loop_glib_check_, mc_loop_glib_dispatch_, NULL, NULL, NULL};
    mc_loop_glib_source_ *source = (mc_loop_glib_source_ *)g_source_new(&funcs, sizeof *source);
    source->poll = g_main_context_get_poll_func(context);
    source->quit = quit;
    source->data = data;
    g_source_set_priority(&source->source, G_MININT);
    g_source_attach(&source->source, context);
    g_main_context_set_poll_func(context, mc_loop_glib_poll_);
    return &source->source;
}

/* The opposite, when nobody runs the context. */
MC_EXT_INLINE_ void mc_loop_glib_stop(GSource *source) {
    g_main_context_set_poll_func(g_source_get_context(source), ((mc_loop_glib_source_ *)source)->poll);
    g_source_destroy(source);
    g_source_unref(source);
}

/* ---- a context that runs what the runtime has to do: for hosts that cannot lend ---- */

/* At most so many events of the runtime before the context's own get their turn. */
#define MC_LOOP_GLIB_DISPATCH_MAX 64

MC_EXT_INLINE_ gboolean mc_loop_glib_dispatch_ready_(gint fd, GIOCondition condition, gpointer runtime) {
    const int done = mc_runtime_dispatch((mc_runtime *)runtime, MC_LOOP_GLIB_DISPATCH_MAX);
    (void)fd;
    (void)condition;
    if (done >= 0) return G_SOURCE_CONTINUE;
    g_critical("mc_runtime_dispatch: %s: %s; the source is removed", mc_status_name(done),
               mc_status_message(done));
    return G_SOURCE_REMOVE;
}

/* A source that calls mc_runtime_dispatch whenever the runtime has something to do, on the thread that runs
 * the context to which the caller attaches it: the home thread, for a host that cannot lend. The caller owns
 * it; it must be destroyed before the runtime. NULL: `status` (or NULL) is that of mc_runtime_event_fd. */
MC_EXT_INLINE_ GSource *mc_loop_glib_dispatch_source_new(mc_runtime *runtime, mc_status *status) {
    const int fd = mc_runtime_event_fd(runtime);
    GSource *source;
    if (fd < 0) {
        if (status) *status = fd;
        return NULL;
    }
    source = g_unix_fd_source_new(fd, G_IO_IN);
    g_source_set_callback(source, G_SOURCE_FUNC(mc_loop_glib_dispatch_ready_), runtime, NULL);
    return source;
}

#endif /* MULTICORE_LOOP_GLIB_H */
