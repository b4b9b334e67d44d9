/* One job of a script, from `submit` to its result.
 *
 * I1  `done` queues the job as a Tcl event; the script sees its end from there, on the thread's own stack, in
 *     the order of the events. So callbacks may enter the event loop again.
 * I2  A job belongs to a script (`owner`) or to nobody: its interpreter is gone, or what waited for it is.
 *     Then no part of it but `work`, `unblock` and `dispose` is called.
 * SPDX-License-Identifier: BSL-1.0
 */
#ifndef MULTICORE_HOSTS_TCL_JOB_H
#define MULTICORE_HOSTS_TCL_JOB_H

#include <tcl.h>

#include "multicore/multicore.h"
#include "multicore/tcl.h"

/* An interpreter that has the package. */
struct mct_interp {
    Tcl_Interp *interp;
    Tcl_HashTable functions; /* name -> mc_tcl_function */
    struct mct_job *jobs;    /* that are its own */
    unsigned long submitted; /* jobs ever */
};

struct mct_job {
    struct mct_interp *owner; /* NULL: nobody */
    struct mct_job *prev, *next;
    mc_tcl_function function;
    void *data;
    mc_job *handle;
    unsigned long number;
    unsigned refs;      /* the runtime's or the event's, and that of a coroutine which waits */
    Tcl_Obj *command;   /* prefix of the callback; NULL: a coroutine waits */
    Tcl_Command waiter; /* that coroutine; valid while the job has an owner */
    mc_status status;   /* once over */
    unsigned char over, cancelled;
};

/* Takes over `data` in any case. Timeout in ns, MC_FOREVER: none. NULL with an error in the interpreter. */
struct mct_job *mct_job_start(struct mct_interp *owner, const mc_tcl_function *function, void *data,
                              uint64_t timeout);
void mct_job_unref(struct mct_job *job);

/* Its end is nobody's concern any more; what can be stopped is. */
void mct_job_disown(struct mct_job *job);

/* The result of one that is over, as a Tcl code; it is nobody's then. */
int mct_job_finish(struct mct_job *job);

Tcl_Obj *mct_job_token(const struct mct_job *job);
struct mct_job *mct_job_find(struct mct_interp *owner, Tcl_Obj *token); /* or NULL */

/* At the end of a thread: its jobs that are over and have not told the script never will. */
void mct_job_drop_events(void);

#endif
