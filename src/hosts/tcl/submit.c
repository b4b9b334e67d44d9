/* multicore::submit: as a call with a callback, or in a coroutine as if it returned when the work is done.
 * SPDX-License-Identifier: BSL-1.0
 */
#include <math.h>

#include "commands.h"
#include "host.h"

struct request {
    Tcl_Obj *command, *token_variable; /* NULL: not given */
    uint64_t timeout;
    int at; /* index of the function's name */
};

static int parse_timeout(Tcl_Interp *interp, Tcl_Obj *word, uint64_t *out) {
    Tcl_WideInt ms;
    if (Tcl_GetWideIntFromObj(interp, word, &ms) != TCL_OK) return TCL_ERROR;
    if (ms <= 0 || ms > INT64_MAX / 1000000) {
        Tcl_SetObjResult(interp, Tcl_ObjPrintf("submit: -timeout must be a positive number of milliseconds, "
                                               "not \"%s\"",
                                               Tcl_GetString(word)));
        return TCL_ERROR;
    }
    *out = (uint64_t)ms * 1000000u;
    return TCL_OK;
}

static int parse(Tcl_Interp *interp, int objc, Tcl_Obj *const objv[], struct request *request) {
    static const char *const names[] = {"-command", "-timeout", "-token", "--", NULL};
    enum { COMMAND, TIMEOUT, TOKEN, LAST };
    int i = 1;
    while (i < objc && Tcl_GetString(objv[i])[0] == '-') {
        int option, length;
        if (Tcl_GetIndexFromObj(interp, objv[i++], names, "option", 0, &option) != TCL_OK) return TCL_ERROR;
        if (option == LAST) break;
        if (i == objc) {
            Tcl_SetObjResult(interp, Tcl_ObjPrintf("submit: %s needs a value", names[option]));
            return TCL_ERROR;
        }
        Tcl_Obj *value = objv[i++];
        if (option == COMMAND) {
            if (Tcl_ListObjLength(interp, value, &length) != TCL_OK) return TCL_ERROR;
            request->command = value;
        } else if (option == TOKEN) {
            request->token_variable = value;
        } else if (parse_timeout(interp, value, &request->timeout) != TCL_OK) {
            return TCL_ERROR;
        }
    }
    request->at = i;
    if (i < objc) return TCL_OK;
    Tcl_WrongNumArgs(interp, 1, objv,
                     "?-command prefix? ?-timeout ms? ?-token varName? ?--? function ?arg ...?");
    return TCL_ERROR;
}

/* ---- in a coroutine ---- */

static int yield(Tcl_Interp *interp, struct mct_job *job);

/* Somebody resumed the coroutine, or it is being deleted. */
static int resumed(ClientData data[], Tcl_Interp *interp, int code) {
    struct mct_job *job = data[0];
    if (code == TCL_OK && !job->owner) code = TCL_ERROR;         /* the interpreter is being deleted */
    if (code == TCL_OK && !job->over) return yield(interp, job); /* somebody else did */
    if (code == TCL_OK)
        code = mct_job_finish(job);
    else
        mct_job_disown(job);
    mct_job_unref(job);
    return code;
}

static int yield(Tcl_Interp *interp, struct mct_job *job) {
    Tcl_NRAddCallback(interp, resumed, job, NULL, NULL, NULL);
    return Tcl_NREvalObj(interp, Tcl_NewStringObj("::yield", -1), TCL_EVAL_GLOBAL);
}

/* The coroutine that calls, or NULL with an error. */
static Tcl_Command this_coroutine(Tcl_Interp *interp) {
    if (Tcl_EvalEx(interp, "::info coroutine", -1, TCL_EVAL_GLOBAL) != TCL_OK) return NULL;
    Tcl_Obj *name = Tcl_GetObjResult(interp);
    Tcl_Command command = Tcl_GetCommandFromObj(interp, name);
    if (command) return command;
    Tcl_SetObjResult(interp, Tcl_NewStringObj("submit: only a coroutine can wait for the result; "
                                              "give -command prefix, or call it in a coroutine",
                                              -1));
    Tcl_SetErrorCode(interp, "MULTICORE", "MC_EPERM", mc_status_message(MC_EPERM), (char *)NULL);
    return NULL;
}

/* ---- the command ---- */

static const mc_tcl_function *find(struct mct_interp *owner, Tcl_Obj *name) {
    Tcl_HashEntry *entry = Tcl_FindHashEntry(&owner->functions, Tcl_GetString(name));
    if (entry) return Tcl_GetHashValue(entry);
    Tcl_SetObjResult(owner->interp, Tcl_ObjPrintf("submit: no function \"%s\"; `multicore::functions` lists "
                                                  "those that extensions have registered",
                                                  Tcl_GetString(name)));
    Tcl_SetErrorCode(owner->interp, "TCL", "LOOKUP", "MULTICORE_FUNCTION", Tcl_GetString(name), (char *)NULL);
    return NULL;
}

int mct_submit(ClientData data, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[]) {
    struct mct_interp *owner = data;
    struct request request = {NULL, NULL, MC_FOREVER, 0};
    if (parse(interp, objc, objv, &request) != TCL_OK) return TCL_ERROR;
    Tcl_Command waiter = NULL;
    if (!request.command && !(waiter = this_coroutine(interp))) return TCL_ERROR;
    const mc_tcl_function *function = find(owner, objv[request.at]);
    if (!function) return TCL_ERROR;

    void *parsed = NULL;
    const mc_tcl_function copy = *function; /* prepare may register others */
    const int first = request.at + 1;
    if (copy.prepare && copy.prepare(copy.client_data, interp, objc - first, objv + first, &parsed) != TCL_OK)
        return TCL_ERROR;
    struct mct_job *job = mct_job_start(owner, &copy, parsed, request.timeout);
    if (!job) return TCL_ERROR;
    job->waiter = waiter;
    job->command = request.command;
    if (job->command) Tcl_IncrRefCount(job->command);
    if (request.token_variable &&
        !Tcl_ObjSetVar2(interp, request.token_variable, NULL, mct_job_token(job), TCL_LEAVE_ERR_MSG)) {
        mct_job_disown(job);
        return TCL_ERROR;
    }
    if (job->command) {
        Tcl_SetObjResult(interp, mct_job_token(job));
        return TCL_OK;
    }
    job->refs++;
    return yield(interp, job);
}

/* Where no coroutine calls, or the command is called from C. */
int mct_submit_direct(ClientData data, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[]) {
    return Tcl_NRCallObjProc(interp, mct_submit, data, objc, objv);
}
