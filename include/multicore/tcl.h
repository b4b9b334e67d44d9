/* multicore/tcl.h - for extensions of Tcl whose functions scripts run on other cores.
 *
 * A function comes in parts: `prepare` turns the words of the script into plain data, `work` computes on a
 * thread of the pool, `finish` makes the result of it. Once it is registered, `multicore::submit NAME ?arg
 * ...?` runs it. Nothing is to be linked: mc_tcl_register finds the package through the interpreter.
 *
 * SPDX-License-Identifier: BSL-1.0
 */
#ifndef MULTICORE_TCL_H
#define MULTICORE_TCL_H

#include <stdint.h>
#include <tcl.h>

#ifdef __cplusplus
extern "C" {
#endif

/* mc_tcl_function.work_class */
enum {
    MC_TCL_CPU = 0, /* work that computes: at most as many at once as there are CPUs */
    MC_TCL_IO = 1   /* work that waits: as many at once as threads can be had */
};

/* `work` and `unblock` must not use Tcl, but for what Tcl allows on any thread without an interpreter
 * (ckalloc). The others are called on the interpreter's thread. */
typedef struct mc_tcl_function {
    uint32_t size, work_class;
    /* The words after the name. TCL_OK with *data set, or TCL_ERROR with a message in the interpreter; then
     * nothing else is called. */
    int (*prepare)(ClientData client_data, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[], void **data);
    void (*work)(void *data);
    /* Sets the interpreter's result. A Tcl code: TCL_OK, TCL_ERROR. Not called for a job that was cancelled,
     * ran out of time, or whose interpreter was deleted. */
    int (*finish)(void *data, Tcl_Interp *interp);
    /* Frees the data; once, after all others, whether or not `work` and `finish` were called. May be NULL. */
    void (*dispose)(void *data);
    /* Any thread, while `work` runs: makes it return early. NULL: that cannot be done. */
    void (*unblock)(void *data);
    ClientData client_data; /* for prepare */
} mc_tcl_function;

#define MC_TCL_FUNCTION_INIT \
    { sizeof(mc_tcl_function), MC_TCL_CPU, NULL, NULL, NULL, NULL, NULL, NULL }

/* What the package provides; use mc_tcl_register. */
typedef struct mc_tcl_package {
    uint32_t size;
    int (*add)(Tcl_Interp *interp, const char *name, const mc_tcl_function *function);
} mc_tcl_package;

/* Registers a function, copied, in this interpreter; one of the same name is replaced. Requires the package
 * `multicore`. On the interpreter's thread. TCL_OK, or TCL_ERROR with a message in the interpreter. */
static inline int mc_tcl_register(Tcl_Interp *interp, const char *name, const mc_tcl_function *function) {
    ClientData found = NULL;
    if (!Tcl_PkgRequireEx(interp, "multicore", "1.0", 0, &found)) return TCL_ERROR;
    return ((const mc_tcl_package *)found)->add(interp, name, function);
}

#ifdef __cplusplus
}
#endif
#endif /* MULTICORE_TCL_H */
