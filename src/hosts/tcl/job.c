/* The life of a job, and how its end reaches the script.
 * SPDX-License-Identifier: BSL-1.0
 */
#include "job.h"

#include <stdio.h>
#include <string.h>

#include "host.h"

/* ---- ownership ---- */

void mct_job_unref(struct mct_job *job) {
    if (--job->refs) return;
    if (job->function.dispose) job->function.dispose(job->data);
    if (job->command) Tcl_DecrRefCount(job->command);
    if (job->handle) mc_job_unref(job->handle);
    ckfree((char *)job);
}

static void adopt(struct mct_interp *owner, struct mct_job *job) {
    job->owner = owner;
    job->number = ++owner->submitted;
    job->next = owner->jobs;
    if (job->next) job->next->prev = job;
    owner->jobs = job;
}

static void leave_owner(struct mct_job *job) {
    if (job->prev)
        job->prev->next = job->next;
    else
        job->owner->jobs = job->next;
    if (job->next) job->next->prev = job->prev;
    job->prev = job->next = NULL;
    job->owner = NULL;
}

void mct_job_disown(struct mct_job *job) {
    if (!job->owner) return;
    leave_owner(job);
    if (!job->over) mc_job_cancel(job->handle);
}

Tcl_Obj *mct_job_token(const struct mct_job *job) { return Tcl_ObjPrintf("job%lu", job->number); }

struct mct_job *mct_job_find(struct mct_interp *owner, Tcl_Obj *token) {
    unsigned long number;
    char rest;
    if (sscanf(Tcl_GetString(token), "job%lu%c", &number, &rest) != 1) return NULL;
    struct mct_job *job = owner->jobs;
    while (job && job->number != number) job = job->next;
    return job;
}

/* ---- the end ---- */

struct end_event {
    Tcl_Event header;
    struct mct_job *job;
};

int mct_job_finish(struct mct_job *job) {
    Tcl_Interp *interp = job->owner->interp;
    leave_owner(job);
    Tcl_ResetResult(interp);
    if (job->status == MC_OK) return job->function.finish(job->data, interp);
    const int late = job->status == MC_ECANCELED && !job->cancelled; /* nobody else cancels */
    return mct_fail(interp, late ? MC_ETIMEDOUT : job->status, "the job has no result");
}

/* command result options */
static int call_back(struct mct_job *job, Tcl_Interp *interp) {
    Tcl_Obj *call = Tcl_DuplicateObj(job->command);
    Tcl_IncrRefCount(call);
    const int code = mct_job_finish(job);
    Tcl_Obj *options = Tcl_GetReturnOptions(interp, code);
    Tcl_IncrRefCount(options);
    int status = Tcl_ListObjAppendElement(interp, call, Tcl_GetObjResult(interp));
    if (status == TCL_OK) status = Tcl_ListObjAppendElement(interp, call, options);
    Tcl_DecrRefCount(options);
    if (status == TCL_OK) status = Tcl_EvalObjEx(interp, call, TCL_EVAL_GLOBAL | TCL_EVAL_DIRECT);
    Tcl_DecrRefCount(call);
    if (status == TCL_ERROR) Tcl_AddErrorInfo(interp, "\n    (callback of a multicore job)");
    return status;
}

/* The coroutine takes the result itself. */
static int resume(struct mct_job *job, Tcl_Interp *interp) {
    Tcl_Obj *name = Tcl_NewObj();
    Tcl_IncrRefCount(name);
    Tcl_GetCommandFullName(interp, job->waiter, name);
    const int status = Tcl_EvalObjv(interp, 1, &name, TCL_EVAL_GLOBAL);
    Tcl_DecrRefCount(name);
    return status;
}

static int end_job(Tcl_Event *header, int flags) {
    if (!(flags & TCL_FILE_EVENTS)) return 0; /* later */
    struct mct_job *job = ((struct end_event *)header)->job;
    if (job->owner) {
        Tcl_Interp *interp = job->owner->interp;
        Tcl_Preserve(interp);
        const int status = job->command ? call_back(job, interp) : resume(job, interp);
        if (status != TCL_OK && !Tcl_InterpDeleted(interp)) Tcl_BackgroundException(interp, status);
        Tcl_Release(interp);
    }
    mct_job_unref(job);
    return 1;
}

static void work(void *arg) {
    struct mct_job *job = arg;
    job->function.work(job->data);
}

static void unblock(void *arg) {
    struct mct_job *job = arg;
    job->function.unblock(job->data);
}

/* By dispatch or the shutdown, on a stack of the runtime's: no script may run here. */
static void done(void *arg, mc_status status) {
    struct mct_job *job = arg;
    job->status = status;
    job->over = 1;
    if (!job->owner) {
        mct_job_unref(job);
        return;
    }
    struct end_event *event = (struct end_event *)ckalloc(sizeof *event);
    event->header.proc = end_job;
    event->job = job;
    Tcl_QueueEvent(&event->header, TCL_QUEUE_TAIL);
}

static int drop_event(Tcl_Event *header, ClientData data) {
    (void)data;
    if (header->proc != end_job) return 0;
    struct mct_job *job = ((struct end_event *)header)->job;
    mct_job_disown(job);
    mct_job_unref(job);
    return 1;
}

void mct_job_drop_events(void) { Tcl_DeleteEvents(drop_event, NULL); }

/* ---- the beginning ---- */

struct mct_job *mct_job_start(struct mct_interp *owner, const mc_tcl_function *function, void *data,
                              uint64_t timeout) {
    struct mct_job *job = (struct mct_job *)ckalloc(sizeof *job);
    memset(job, 0, sizeof *job);
    job->function = *function;
    job->data = data;
    job->refs = 1;
    mc_job_options options = MC_JOB_OPTIONS_INIT;
    options.work_class = function->work_class == MC_TCL_IO ? MC_WORK_IO : MC_WORK_CPU;
    options.unblock = function->unblock ? unblock : NULL;
    options.unblock_arg = job;
    options.deadline = timeout == MC_FOREVER ? 0 : timeout;
    mc_runtime *runtime = mct_runtime(owner->interp);
    const mc_status status =
        runtime ? mc_job_submit(runtime, work, done, job, &options, &job->handle) : MC_OK;
    if (!runtime || status != MC_OK) {
        mct_job_unref(job);
        if (runtime)
            mct_fail(owner->interp, status, status == MC_EAGAIN ? "submit: too many jobs" : "submit");
        return NULL;
    }
    adopt(owner, job);
    return job;
}
