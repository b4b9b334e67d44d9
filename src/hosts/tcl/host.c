/* The runtime of a thread, in Tcl's event loop.
 *
 * Rejected: a runtime for each interpreter. Its end would wait for work that nobody wants any more.
 * SPDX-License-Identifier: BSL-1.0
 */
#include "host.h"

#include "job.h"

struct thread {
    mc_runtime *runtime; /* NULL: none yet */
    int event_fd;
    int ended;
};

static Tcl_ThreadDataKey key;
static int process_ends; /* any thread */

static void dispatch(ClientData data, int mask) {
    struct thread *thread = data;
    (void)mask;
    /* A failure leaves the descriptor readable: the next round tries again. */
    (void)mc_runtime_dispatch(thread->runtime, 0);
}

static void note_process_end(ClientData data) {
    (void)data;
    /* Relaxed: read by this thread, which ends the process, and by others that end anyway. */
    __atomic_store_n(&process_ends, 1, __ATOMIC_RELAXED);
}

static void end_thread(ClientData data) {
    struct thread *thread = data;
    mc_runtime *runtime = thread->runtime;
    thread->runtime = NULL;
    thread->ended = 1;
    if (__atomic_load_n(&process_ends, __ATOMIC_RELAXED)) return;
    Tcl_DeleteExitHandler(note_process_end, NULL);
    Tcl_DeleteFileHandler(thread->event_fd);
    mc_runtime_shutdown(runtime, MC_FOREVER);
    mct_job_drop_events();
    mc_runtime_destroy(runtime);
}

mc_runtime *mct_runtime(Tcl_Interp *interp) {
    struct thread *thread = Tcl_GetThreadData(&key, sizeof *thread);
    if (thread->runtime) return thread->runtime;
    if (thread->ended) {
        mct_fail(interp, MC_ESHUTDOWN, "multicore: this thread ends");
        return NULL;
    }
    mc_host host = MC_HOST_INIT;
    host.way = MC_WAY_JOB;
    mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
    options.name = "tcl";
    options.host = &host;
    mc_runtime *runtime;
    mc_status status = mc_runtime_create(&options, &runtime);
    if (status != MC_OK) {
        mct_fail(interp, status, "multicore: cannot make a runtime");
        return NULL;
    }
    int fd = mc_runtime_event_fd(runtime);
    int home = fd < 0 ? fd : mc_runtime_dispatch(runtime, 0); /* this thread is its home from now on */
    if (home < 0) {
        mc_runtime_destroy(runtime);
        mct_fail(interp, home, "multicore: cannot join the event loop");
        return NULL;
    }
    thread->runtime = runtime;
    thread->event_fd = fd;
    Tcl_CreateFileHandler(fd, TCL_READABLE, dispatch, thread);
    Tcl_CreateExitHandler(note_process_end, NULL);
    Tcl_CreateThreadExitHandler(end_thread, thread);
    return runtime;
}

int mct_fail(Tcl_Interp *interp, mc_status status, const char *message) {
    Tcl_SetObjResult(interp, Tcl_ObjPrintf("%s: %s", message, mc_status_message(status)));
    Tcl_SetErrorCode(interp, "MULTICORE", mc_status_name(status), mc_status_message(status), (char *)NULL);
    return TCL_ERROR;
}
