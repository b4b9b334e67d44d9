/* Erlang: sections are dirty NIFs; what holds the interpreter is a plain one.
 * SPDX-License-Identifier: BSL-1.0 */
#include <erl_nif.h>

#include "../../suite/threads.h"

static ERL_NIF_TERM done(ErlNifEnv *env) { return enif_make_atom(env, "ok"); }

static ERL_NIF_TERM spin(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[]) {
    ErlNifUInt64 steps = 0;
    if (argc != 1 || !enif_get_uint64(env, argv[0], &steps)) return enif_make_badarg(env);
    bench_steps(steps);
    return done(env);
}

static ERL_NIF_TERM calibrate(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[]) {
    (void)argc;
    (void)argv;
    return enif_make_double(env, bench_calibrate());
}

static ERL_NIF_TERM speed_up(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[]) {
    (void)argc;
    (void)argv;
    return enif_make_double(env, bench_two_thread_speed_up());
}

static ERL_NIF_TERM busy_start(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[]) {
    (void)argc;
    (void)argv;
    bench_busy_start();
    return done(env);
}

static ERL_NIF_TERM busy_stop(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[]) {
    (void)argc;
    (void)argv;
    bench_busy_stop();
    return done(env);
}

static ErlNifFunc functions[] = {{"section", 1, spin, ERL_NIF_DIRTY_JOB_IO_BOUND},
                                 {"held", 1, spin, 0},
                                 {"calibrate", 0, calibrate, ERL_NIF_DIRTY_JOB_IO_BOUND},
                                 {"speed_up", 0, speed_up, ERL_NIF_DIRTY_JOB_IO_BOUND},
                                 {"busy_start", 0, busy_start, 0},
                                 {"busy_stop", 0, busy_stop, 0}};

ERL_NIF_INIT(bench_peer, functions, NULL, NULL, NULL, NULL)
