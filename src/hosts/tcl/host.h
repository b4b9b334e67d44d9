/* The Tcl host's view of one thread: its runtime, whose jobs end through Tcl's event loop.
 *
 * The interpreters of a thread share a runtime, so that the deletion of one of them waits for nothing. All of
 * this is used by that thread only.
 * SPDX-License-Identifier: BSL-1.0
 */
#ifndef MULTICORE_HOSTS_TCL_HOST_H
#define MULTICORE_HOSTS_TCL_HOST_H

#include <tcl.h>

#include "multicore/multicore.h"

/* This thread's runtime, which is made if there is none. NULL with a message in the interpreter. It ends
 * with the thread, after its jobs; at the end of the process nothing is waited for. */
mc_runtime *mct_runtime(Tcl_Interp *interp);

/* Leaves the message of a status as an error, with the errorCode {MULTICORE name text}. TCL_ERROR. */
int mct_fail(Tcl_Interp *interp, mc_status status, const char *message);

#endif
