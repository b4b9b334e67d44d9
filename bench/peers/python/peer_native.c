/* CPython: sections between Py_BEGIN_ALLOW_THREADS and Py_END_ALLOW_THREADS.
 * SPDX-License-Identifier: BSL-1.0 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "../../suite/threads.h"

static PyObject *pairs(PyObject *self, PyObject *args) {
    unsigned long count, i;
    uint64_t start;
    (void)self;
    if (!PyArg_ParseTuple(args, "k", &count)) return NULL;
    start = bench_now();
    for (i = 0; i < count; ++i) {
        Py_BEGIN_ALLOW_THREADS Py_END_ALLOW_THREADS
    }
    return PyFloat_FromDouble((double)(bench_now() - start) / (double)count);
}

/* section(steps, held) */
static PyObject *section(PyObject *self, PyObject *args) {
    unsigned long long steps, held;
    (void)self;
    if (!PyArg_ParseTuple(args, "KK", &steps, &held)) return NULL;
    Py_BEGIN_ALLOW_THREADS bench_steps(steps);
    Py_END_ALLOW_THREADS bench_steps(held);
    Py_RETURN_NONE;
}

static PyObject *calibrate(PyObject *self, PyObject *args) {
    (void)self;
    (void)args;
    return PyFloat_FromDouble(bench_calibrate());
}

static PyObject *speed_up(PyObject *self, PyObject *args) {
    (void)self;
    (void)args;
    return PyFloat_FromDouble(bench_two_thread_speed_up());
}

static PyObject *busy(PyObject *self, PyObject *on) {
    (void)self;
    if (PyObject_IsTrue(on))
        bench_busy_start();
    else
        bench_busy_stop();
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {{"pairs", pairs, METH_VARARGS, NULL},
                                {"section", section, METH_VARARGS, NULL},
                                {"calibrate", calibrate, METH_NOARGS, NULL},
                                {"speed_up", speed_up, METH_NOARGS, NULL},
                                {"busy", busy, METH_O, NULL},
                                {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "peer_native", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_peer_native(void) { return PyModule_Create(&module); }
