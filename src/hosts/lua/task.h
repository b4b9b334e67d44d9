/* One script task: a lua_State of its own on a C stack of its own.
 *
 * Invariants. I1: the lua_State is anchored in the registry until the runtime destroys the task, then
 * by the script's handles. I2: its body runs under lua_pcall, so no Lua error leaves the C stack it
 * was raised on. I3: mcl_current() is the task whose C stack this thread is on, and NULL while
 * the library may run another one there.
 * SPDX-License-Identifier: BSL-1.0
 */
#ifndef MULTICORE_HOSTS_LUA_TASK_H
#define MULTICORE_HOSTS_LUA_TASK_H

#include <signal.h>

#include "compat.h"
#include "multicore/multicore.h"

struct mcl_host;
struct mcl_deadline;
struct mcl_waiter;

/* One lua_State that is being run by a task: its own, or a coroutine resumed inside it. Lives on the C
 * stack of the resume. While `hooked`, the state's hook is replaced and the fields hold the original. */
struct mcl_frame {
    lua_State *L;
    struct mcl_frame *up;
    lua_Hook hook;
    int mask, count;
    volatile sig_atomic_t hooked;
};

struct mcl_task {
    struct mcl_host *host;
    mc_task *task; /* one reference */
    lua_State *L;
    struct mcl_frame base;
    struct mcl_frame *volatile frame; /* innermost; also read by the signal handler on this thread */
    volatile sig_atomic_t hook_busy;  /* the signal handler must leave the hooks alone */
    volatile sig_atomic_t grace;      /* see mcl_preempt_grace: 1, then a count of the hook's calls */
    struct mcl_task *prev, *next;
    struct mcl_task *next_shipped; /* see mcl_host.shipped */
    unsigned refs;                 /* the runtime's, and one per handle */
    unsigned handles;              /* userdata that name this task */
    int nargs;                     /* of its function, before it starts */
    int top;                       /* of L once it has ended: the message handler, then results or an error */
    unsigned cancel_count;         /* errors raised because it, or a function in it, is to end */
    int interrupt_ref;             /* the error of a pending interrupt, in the registry; 0: none */
    struct mcl_waiter *waiter;     /* its place in a line */
    struct mcl_deadline *deadline, *expired; /* the innermost; the outermost whose time is over */
    char *traceback;                         /* of the error it ended with; malloc */
    unsigned main_joins;                     /* the main task waits for this one, and is to be unparked */
    struct mcl_native *native;               /* LuaJIT: its innermost C function; see luajit.h */
    unsigned calls_left_behind;              /* LuaJIT: since it was last told that it is cancelled */
    int jit_room;              /* LuaJIT: after how many instructions it is told again; 0: it was not yet */
    unsigned char in_jit_hook; /* LuaJIT: just then */
    unsigned char ended, failed, cancelled;
    unsigned char destroyed; /* the runtime has done with it */
    unsigned char way_due;   /* at its next poll it lets the others run, not only if a slice is over */
    unsigned char observed;  /* its result was handed to somebody */
};

/* The task that runs on this thread, or NULL. Not inlined: a task may change its thread at every
 * suspension, so no caller may keep the address of the thread-local variable. */
struct mcl_task *mcl_current(void);
void mcl_set_current(struct mcl_task *k);

/* The same for a function that a script called; raises an error if there is none. */
struct mcl_task *mcl_self(lua_State *L);

/* Calls that let other tasks run. All need the baton. */
mc_status mcl_yield(struct mcl_task *k);
mc_status mcl_sleep(struct mcl_task *k, uint64_t ns);
mc_status mcl_park(struct mcl_task *k, uint64_t timeout);
mc_status mcl_join(struct mcl_task *k, struct mcl_task *other, uint64_t timeout);
mc_status mcl_wait_fd(struct mcl_task *k, int fd, uint32_t events, uint64_t timeout, uint32_t *ready);
mc_status mcl_checkpoint(struct mcl_task *k);

/* Pushes a task's handle. */
void mcl_push_handle(lua_State *L, struct mcl_task *k);

/* Creates a task of the function and `nargs` arguments on top of the stack, which are popped, and
 * pushes its handle. Raises errors that begin with `what`. */
struct mcl_task *mcl_spawn(lua_State *L, int nargs, const char *name, uint64_t stack, const char *what);

/* Makes the bound task of this thread, which others attached, a task of the state; and the reverse. */
struct mcl_task *mcl_adopt_thread(lua_State *L, struct mcl_host *h);
void mcl_drop_thread(struct mcl_task *k);

void mcl_task_unref(struct mcl_task *k);

/* Whether the results or the error are where the end left them: a script that has the lua_State, from
 * coroutine.running, can resume and close it. */
int mcl_result_is_there(struct mcl_task *k);

/* Waits for a task on behalf of `k` and leaves its results on the stack of L, or raises its error.
 * Returns the number of results, or one of these. */
#define MCL_JOIN_TIMEOUT (-1)
#define MCL_JOIN_CANCELLED (-2)
int mcl_join_results(lua_State *L, struct mcl_task *k, struct mcl_task *other, uint64_t timeout);

/* Reports the error of a task that nobody joined, on L, through the handler. Raises nothing. */
void mcl_report(lua_State *L, struct mcl_task *k);

#endif
