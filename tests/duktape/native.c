/* SPDX-License-Identifier: BSL-1.0 */
#include "native.h"

#include <errno.h>
#include <multicore/duktape.h>
#include <multicore/extension.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/syscall.h>
#include <unistd.h>

/* As a section that may move in every way has to be declared. */
static void open_section(void) {
    mc_section_options options = MC_SECTION_OPTIONS_INIT;
    options.flags = MC_SECTION_MIGRATABLE;
    mc_release_with(&options);
}

static uint32_t mix(uint32_t seed, uint32_t rounds) {
    for (uint32_t i = 0; i < rounds; i++) seed = (seed * 1103u + 12345u) & 0xfffffu;
    return seed;
}

/* work(seed, rounds): computes in a section */
static duk_ret_t work(duk_context *ctx) {
    uint32_t seed = duk_require_uint(ctx, 0), rounds = duk_require_uint(ctx, 1);
    open_section();
    seed = mix(seed, rounds);
    mc_acquire();
    duk_push_uint(ctx, seed);
    return 1;
}

/* plainWork(seed, rounds): the same without options */
static duk_ret_t plain_work(duk_context *ctx) {
    uint32_t seed = duk_require_uint(ctx, 0), rounds = duk_require_uint(ctx, 1);
    mc_release();
    seed = mix(seed, rounds);
    mc_acquire();
    duk_push_uint(ctx, seed);
    return 1;
}

/* ---- barriers: passed only when n sections are open at once ---- */

static duk_ret_t barrier(duk_context *ctx) {
    pthread_barrier_t *made = duk_push_fixed_buffer(ctx, sizeof *made);
    pthread_barrier_init(made, NULL, duk_require_uint(ctx, 0));
    return 1;
}

/* meet(barrier) -> the thread that the section ran on */
static duk_ret_t meet(duk_context *ctx) {
    pthread_barrier_t *at = duk_require_buffer(ctx, 0, NULL);
    open_section();
    pthread_barrier_wait(at);
    long thread = syscall(SYS_gettid);
    mc_acquire();
    duk_push_number(ctx, (double)thread);
    return 1;
}

/* ---- gates ---- */

static duk_ret_t gate(duk_context *ctx) {
    sem_t *made = duk_push_fixed_buffer(ctx, sizeof *made);
    sem_init(made, 0, 0);
    return 1;
}

static duk_ret_t open_gate(duk_context *ctx) {
    sem_post(duk_require_buffer(ctx, 0, NULL));
    return 0;
}

static void down(sem_t *sem) {
    while (sem_wait(sem) != 0 && errno == EINTR) continue;
}

/* pass(gate [, toOpen]): waits in a section, in which it first opens the other */
static duk_ret_t pass(duk_context *ctx) {
    sem_t *at = duk_require_buffer(ctx, 0, NULL);
    sem_t *other = duk_get_buffer(ctx, 1, NULL);
    open_section();
    if (other) sem_post(other);
    down(at);
    mc_acquire();
    return 0;
}

static void unblock(void *at) { sem_post(at); }

/* passOrUnblock(gate, toOpen): the same, but an interrupt opens the gate -> status of the acquire */
static duk_ret_t pass_or_unblock(duk_context *ctx) {
    sem_t *at = duk_require_buffer(ctx, 0, NULL);
    sem_t *other = duk_get_buffer(ctx, 1, NULL);
    mc_section_options options = MC_SECTION_OPTIONS_INIT;
    options.flags = MC_SECTION_MIGRATABLE;
    options.unblock = unblock;
    options.unblock_arg = at;
    if (mc_release_with(&options) == MC_OK) {
        if (other) sem_post(other);
        down(at);
    }
    duk_push_string(ctx, mc_status_name(mc_acquire_status()));
    return 1;
}

/* ---- turns: whether the interpreter goes on during a section ---- */

static int turns; /* atomic */

static duk_ret_t turn(duk_context *ctx) {
    (void)ctx;
    __atomic_add_fetch(&turns, 1, __ATOMIC_SEQ_CST);
    return 0;
}

/* waitForTurn(seconds): whether another task had one during this section, which lasts so long at most */
static duk_ret_t wait_for_turn(duk_context *ctx) {
    const uint64_t end = mc_now() + (uint64_t)(duk_require_number(ctx, 0) * 1e9);
    const int before = __atomic_load_n(&turns, __ATOMIC_SEQ_CST);
    int after;
    open_section();
    do {
        usleep(100);
        after = __atomic_load_n(&turns, __ATOMIC_SEQ_CST);
    } while (after == before && mc_now() < end);
    mc_acquire();
    duk_push_boolean(ctx, after != before);
    return 1;
}

/* ---- callbacks ---- */

/* call(f, x): outside a section */
static duk_ret_t call(duk_context *ctx) {
    duk_call(ctx, 1);
    return 1;
}

/* callBack(f, x): from inside a section */
static duk_ret_t call_back(duk_context *ctx) {
    open_section();
    mc_status entered = mc_enter();
    duk_int_t failed = duk_pcall(ctx, 1);
    mc_status left = mc_leave();
    mc_acquire();
    if (entered != MC_OK || left != MC_OK) return DUK_RET_ERROR;
    return failed ? duk_throw(ctx) : 1;
}

/* ---- what the runtime counts ---- */

static mc_stats stats_of(duk_context *ctx) {
    mc_stats stats = MC_STATS_INIT;
    mc_runtime_stats(mc_duktape_runtime(ctx), &stats);
    return stats;
}

static duk_ret_t handoffs(duk_context *ctx) {
    duk_push_number(ctx, (double)stats_of(ctx).handoffs);
    return 1;
}

static duk_ret_t inline_sections(duk_context *ctx) {
    duk_push_number(ctx, (double)stats_of(ctx).sections_inline);
    return 1;
}

static duk_ret_t thread(duk_context *ctx) {
    duk_push_number(ctx, (double)syscall(SYS_gettid));
    return 1;
}

void native_install(duk_context *ctx) {
    static const struct {
        const char *name;
        duk_c_function function;
        duk_idx_t nargs;
    } functions[] = {{"work", work, 2},
                     {"plainWork", plain_work, 2},
                     {"barrier", barrier, 1},
                     {"meet", meet, 1},
                     {"gate", gate, 0},
                     {"open", open_gate, 1},
                     {"pass", pass, 2},
                     {"passOrUnblock", pass_or_unblock, 2},
                     {"turn", turn, 0},
                     {"waitForTurn", wait_for_turn, 1},
                     {"call", call, 2},
                     {"callBack", call_back, 2},
                     {"handoffs", handoffs, 0},
                     {"thread", thread, 0},
                     {"inlineSections", inline_sections, 0}};
    duk_push_object(ctx);
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        mc_duktape_push_c_function(ctx, functions[i].function, functions[i].nargs);
        duk_put_prop_string(ctx, -2, functions[i].name);
    }
    /* One that multicore does not know of. */
    duk_push_c_function(ctx, plain_work, 2);
    duk_put_prop_string(ctx, -2, "strangersWork");
    duk_put_global_string(ctx, "native");
}
