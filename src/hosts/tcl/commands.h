/* The commands of the package that have files of their own.
 * SPDX-License-Identifier: BSL-1.0
 */
#ifndef MULTICORE_HOSTS_TCL_COMMANDS_H
#define MULTICORE_HOSTS_TCL_COMMANDS_H

#include "job.h"

/* For Tcl_NRCreateCommand; the client data is the mct_interp. */
int mct_submit(ClientData data, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[]);
int mct_submit_direct(ClientData data, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[]);

#endif
