/* Functions for the tests: jobs whose course a test controls with gates.
 * SPDX-License-Identifier: BSL-1.0
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <string.h>
#include <unistd.h>

#include "multicore/tcl.h"

#define GATES 16

/* By number; one that opens more often than it was passed stays open. */
static sem_t gates[GATES];
static int disposed; /* any thread */

static void down(sem_t *gate) {
    while (sem_wait(gate) != 0 && errno == EINTR) continue;
}

struct data {
    int entered, gate; /* -1: none */
    Tcl_WideInt a, b, product;
    pthread_t home, worker;
};

static int prepare(ClientData client_data, Tcl_Interp *interp, int words, Tcl_WideInt value[2], int objc,
                   Tcl_Obj *const objv[], void **out) {
    (void)client_data;
    if (objc != words) {
        Tcl_SetObjResult(interp, Tcl_ObjPrintf("wanted %d numbers, not %d", words, objc));
        return TCL_ERROR;
    }
    for (int i = 0; i < words; i++)
        if (Tcl_GetWideIntFromObj(interp, objv[i], &value[i]) != TCL_OK) return TCL_ERROR;
    struct data *data = (struct data *)ckalloc(sizeof *data);
    memset(data, 0, sizeof *data);
    data->home = pthread_self();
    *out = data;
    return TCL_OK;
}

static int prepare_product(ClientData client_data, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[],
                           void **out) {
    Tcl_WideInt value[2];
    if (prepare(client_data, interp, 2, value, objc, objv, out) != TCL_OK) return TCL_ERROR;
    struct data *data = *out;
    data->a = value[0];
    data->b = value[1];
    return TCL_OK;
}

static int prepare_gates(ClientData client_data, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[],
                         void **out) {
    Tcl_WideInt value[2];
    if (prepare(client_data, interp, 2, value, objc, objv, out) != TCL_OK) return TCL_ERROR;
    struct data *data = *out;
    data->entered = (int)value[0];
    data->gate = (int)value[1];
    return TCL_OK;
}

static void multiply(void *arg) {
    struct data *data = arg;
    data->worker = pthread_self();
    data->product = data->a * data->b;
}

static void pass(void *arg) {
    struct data *data = arg;
    data->worker = pthread_self();
    sem_post(&gates[data->entered]);
    down(&gates[data->gate]);
}

static void open_gate(void *arg) {
    struct data *data = arg;
    sem_post(&gates[data->gate]);
}

static int check_threads(const struct data *data, Tcl_Interp *interp) {
    if (pthread_equal(data->home, pthread_self()) && !pthread_equal(data->worker, data->home)) return TCL_OK;
    Tcl_SetObjResult(interp, Tcl_NewStringObj("on the wrong thread", -1));
    return TCL_ERROR;
}

static int give_product(void *arg, Tcl_Interp *interp) {
    struct data *data = arg;
    if (check_threads(data, interp) != TCL_OK) return TCL_ERROR;
    Tcl_SetObjResult(interp, Tcl_NewWideIntObj(data->product));
    return TCL_OK;
}

static int give_gate(void *arg, Tcl_Interp *interp) {
    struct data *data = arg;
    if (check_threads(data, interp) != TCL_OK) return TCL_ERROR;
    Tcl_SetObjResult(interp, Tcl_NewIntObj(data->gate));
    return TCL_OK;
}

static int fail(void *arg, Tcl_Interp *interp) {
    (void)arg;
    Tcl_SetObjResult(interp, Tcl_NewStringObj("failed in finish", -1));
    Tcl_SetErrorCode(interp, "NATIVE", "FAILED", (char *)NULL);
    return TCL_ERROR;
}

static void dispose(void *data) {
    __atomic_add_fetch(&disposed, 1, __ATOMIC_SEQ_CST);
    ckfree(data);
}

/* native::open gate, native::pass gate (blocks this thread), native::disposed (since the last call) */
static int open_command(ClientData data, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[]) {
    int gate;
    if (objc != 2 || Tcl_GetIntFromObj(interp, objv[1], &gate) != TCL_OK) return TCL_ERROR;
    (void)data;
    sem_post(&gates[gate]);
    return TCL_OK;
}

static int pass_command(ClientData data, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[]) {
    int gate;
    if (objc != 2 || Tcl_GetIntFromObj(interp, objv[1], &gate) != TCL_OK) return TCL_ERROR;
    (void)data;
    down(&gates[gate]);
    return TCL_OK;
}

static int disposed_command(ClientData data, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[]) {
    (void)data, (void)objc, (void)objv;
    Tcl_SetObjResult(interp, Tcl_NewIntObj(__atomic_exchange_n(&disposed, 0, __ATOMIC_SEQ_CST)));
    return TCL_OK;
}

static void make_gates(void) {
    for (int i = 0; i < GATES; i++) sem_init(&gates[i], 0, 0);
}

__attribute__((visibility("default"))) int Native_Init(Tcl_Interp *interp);

int Native_Init(Tcl_Interp *interp) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (!Tcl_InitStubs(interp, "8.6", 0)) return TCL_ERROR;
    pthread_once(&once, make_gates);
    mc_tcl_function function = MC_TCL_FUNCTION_INIT;
    function.prepare = prepare_product;
    function.work = multiply;
    function.finish = give_product;
    function.dispose = dispose;
    if (mc_tcl_register(interp, "multiply", &function) != TCL_OK) return TCL_ERROR;
    function.finish = fail;
    if (mc_tcl_register(interp, "fail", &function) != TCL_OK) return TCL_ERROR;
    function.work_class = MC_TCL_IO;
    function.prepare = prepare_gates;
    function.work = pass;
    function.finish = give_gate;
    if (mc_tcl_register(interp, "pass", &function) != TCL_OK) return TCL_ERROR;
    function.unblock = open_gate;
    if (mc_tcl_register(interp, "pass_or_unblock", &function) != TCL_OK) return TCL_ERROR;
    Tcl_CreateObjCommand(interp, "::native::open", open_command, NULL, NULL);
    Tcl_CreateObjCommand(interp, "::native::pass", pass_command, NULL, NULL);
    Tcl_CreateObjCommand(interp, "::native::disposed", disposed_command, NULL, NULL);
    return Tcl_PkgProvide(interp, "native", "1.0");
}
