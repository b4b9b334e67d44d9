/* The package: its commands, and the functions that extensions register.
 * SPDX-License-Identifier: BSL-1.0
 */
#include "commands.h"
#include "host.h"

#define PUBLIC __attribute__((visibility("default")))
#define ASSOC "multicore"
#define VERSION "1.0"

/* multicore::cancel token */
static int cancel(ClientData data, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[]) {
    struct mct_interp *owner = data;
    if (objc != 2) {
        Tcl_WrongNumArgs(interp, 1, objv, "token");
        return TCL_ERROR;
    }
    struct mct_job *job = mct_job_find(owner, objv[1]);
    int took = 0;
    if (job && !job->over && mc_job_cancel(job->handle) == MC_OK) took = job->cancelled = 1;
    Tcl_SetObjResult(interp, Tcl_NewBooleanObj(took));
    return TCL_OK;
}

/* multicore::jobs */
static int jobs(ClientData data, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[]) {
    struct mct_interp *owner = data;
    if (objc != 1) {
        Tcl_WrongNumArgs(interp, 1, objv, NULL);
        return TCL_ERROR;
    }
    Tcl_Obj *list = Tcl_NewListObj(0, NULL);
    for (struct mct_job *job = owner->jobs; job; job = job->next)
        Tcl_ListObjAppendElement(NULL, list, mct_job_token(job));
    Tcl_SetObjResult(interp, list);
    return TCL_OK;
}

/* multicore::functions */
static int functions(ClientData data, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[]) {
    struct mct_interp *owner = data;
    if (objc != 1) {
        Tcl_WrongNumArgs(interp, 1, objv, NULL);
        return TCL_ERROR;
    }
    Tcl_Obj *list = Tcl_NewListObj(0, NULL);
    Tcl_HashSearch search;
    for (Tcl_HashEntry *entry = Tcl_FirstHashEntry(&owner->functions, &search); entry;
         entry = Tcl_NextHashEntry(&search))
        Tcl_ListObjAppendElement(NULL, list, Tcl_NewStringObj(Tcl_GetHashKey(&owner->functions, entry), -1));
    Tcl_SetObjResult(interp, list);
    return TCL_OK;
}

static int add(Tcl_Interp *interp, const char *name, const mc_tcl_function *function) {
    struct mct_interp *owner = Tcl_GetAssocData(interp, ASSOC, NULL);
    const char *problem = !owner                                 ? "the interpreter is being deleted"
                          : function->size != sizeof *function   ? "start from MC_TCL_FUNCTION_INIT"
                          : !function->work || !function->finish ? "it needs `work` and `finish`"
                                                                 : NULL;
    if (problem) {
        Tcl_SetObjResult(interp, Tcl_ObjPrintf("mc_tcl_register: \"%s\": %s", name, problem));
        return TCL_ERROR;
    }
    int is_new;
    Tcl_HashEntry *entry = Tcl_CreateHashEntry(&owner->functions, name, &is_new);
    mc_tcl_function *copy =
        is_new ? (mc_tcl_function *)ckalloc(sizeof *copy) : (mc_tcl_function *)Tcl_GetHashValue(entry);
    *copy = *function;
    Tcl_SetHashValue(entry, copy);
    return TCL_OK;
}

/* The interpreter is being deleted; its coroutines are gone. */
static void leave(ClientData data, Tcl_Interp *interp) {
    struct mct_interp *owner = data;
    (void)interp;
    while (owner->jobs) mct_job_disown(owner->jobs);
    Tcl_HashSearch search;
    for (Tcl_HashEntry *entry = Tcl_FirstHashEntry(&owner->functions, &search); entry;
         entry = Tcl_NextHashEntry(&search))
        ckfree((char *)Tcl_GetHashValue(entry));
    Tcl_DeleteHashTable(&owner->functions);
    ckfree((char *)owner);
}

PUBLIC int Multicore_Init(Tcl_Interp *interp);
PUBLIC int Multicore_SafeInit(Tcl_Interp *interp);

int Multicore_Init(Tcl_Interp *interp) {
    static const mc_tcl_package package = {sizeof package, add};
    if (!Tcl_InitStubs(interp, "8.6", 0)) return TCL_ERROR;
    if (Tcl_GetAssocData(interp, ASSOC, NULL)) return TCL_OK;
    if (!mct_runtime(interp)) return TCL_ERROR;
    struct mct_interp *owner = (struct mct_interp *)ckalloc(sizeof *owner);
    owner->interp = interp;
    owner->jobs = NULL;
    owner->submitted = 0;
    Tcl_InitHashTable(&owner->functions, TCL_STRING_KEYS);
    Tcl_SetAssocData(interp, ASSOC, leave, owner);
    Tcl_NRCreateCommand(interp, "::multicore::submit", mct_submit_direct, mct_submit, owner, NULL);
    Tcl_CreateObjCommand(interp, "::multicore::cancel", cancel, owner, NULL);
    Tcl_CreateObjCommand(interp, "::multicore::jobs", jobs, owner, NULL);
    Tcl_CreateObjCommand(interp, "::multicore::functions", functions, owner, NULL);
    return Tcl_PkgProvideEx(interp, "multicore", VERSION, &package);
}

/* What a safe interpreter may run is what is registered in it. */
int Multicore_SafeInit(Tcl_Interp *interp) { return Multicore_Init(interp); }
