/* The Lua host's view of one Lua state: its runtime, its tasks, its registry entries.
 *
 * Responsible for: making the runtime of a state, attaching the main task, and the hooks the runtime
 * calls. Uses the public C API only.
 *
 * Everything here is guarded by the baton, except the fields marked (any thread).
 * SPDX-License-Identifier: BSL-1.0
 */
#ifndef MULTICORE_HOSTS_LUA_HOST_H
#define MULTICORE_HOSTS_LUA_HOST_H

#include <pthread.h>
#include <stdint.h>

#include "multicore/multicore.h"
#include "task.h"

struct mcl_host {
    unsigned refs;       /* the state, every guardian, every mcl_task */
    mc_runtime *runtime; /* NULL before the start and once closed */
    lua_State *main_L;
    lua_State *service; /* for calls of the Lua API from the runtime's hooks; anchored */
    struct mcl_task *main;
    struct mcl_frame birth;   /* below the frames of main: the coroutine that loaded the module, if one did */
    struct mcl_task *tasks;   /* all that have not been destroyed, the main task excluded */
    unsigned alive;           /* their number */
    struct mcl_task *shipped; /* those in a section on a carrier, which others have run beside */
    struct mcl_task *running; /* the one that runs Lua, or whose section may be taken; NULL: none of ours */

    /* References into the Lua registry. */
    int service_ref;
    int anchors; /* table: light userdata of an mcl_task -> its lua_State, until it is destroyed */
    int handles; /* weak table: light userdata of an mcl_task -> its userdata */
    int hooks;   /* weak table: lua_State -> record of the script's debug hook */
    int on_error;
    int exit; /* the os.exit found at the start */

    const void *guardian; /* the one whose __gc means that the state is being closed */

    mc_runtime_options options; /* with which the runtime was made; name is borrowed */

    unsigned char ships;      /* MC_LUA_SHIP */
    unsigned char closing;    /* the state is being closed: only cancelled tasks still run */
    unsigned char use_sigint; /* Ctrl-C is ours to handle */
    unsigned char exit_due;   /* a task called os.exit(code, true): for the main task to do */
    int exit_code;
    unsigned jobs;        /* that are not over */
    unsigned timers;      /* tasks of deadline.c that are alive */
    uint64_t timers_made; /* ever */

    mc_task *sigint_task;    /* parked until the signal handler unparks it; see sigint.c */
    unsigned char main_away; /* the main task is suspended, or lets others in */
    int sigint;              /* (any thread) Ctrl-C was typed and not yet turned into an interrupt */

    int attention;    /* (any thread) a checkpoint is wanted */
    pthread_t holder; /* (any thread) thread that last took the baton; see preempt.c */

    /* LuaJIT, see luajit.c. */
    size_t entry_at;             /* offset of a word in a lua_State */
    int nothing;                 /* reference to a C function that does nothing */
    unsigned char refused;       /* a section was, and that is told */
    struct mcl_task *jit_hooked; /* for whom the hook is ours, see jithook.c; then this was there: */
    lua_Hook jit_hook;
    int jit_mask, jit_count;
};

/* Finds the host of a state; NULL if it has none (any more). */
struct mcl_host *mcl_host_of(lua_State *L);

/* At the end of the state: it has no host any more, and never gets another. */
void mcl_host_forget(lua_State *L);

/* Makes the host of a state, pushes nothing. Raises Lua errors. flags: MC_LUA_* */
struct mcl_host *mcl_host_new(lua_State *L, const mc_runtime_options *options, uint32_t flags);
void mcl_host_unref(struct mcl_host *h);

/* Creates the runtime with h->options and attaches this thread as the main task; and the reverse. */
mc_status mcl_host_start(struct mcl_host *h);
mc_status mcl_host_stop(struct mcl_host *h, uint64_t timeout);

/* ship.c: a hook of the runtime; and k will not come back from its section. */
void mcl_ship_switched(void *self, mc_task *from, mc_task *to);
void mcl_ship_forget(struct mcl_task *k);

/* Whether a finaliser runs, in which nothing may suspend: collection stands still until it returns. */
int mcl_in_finaliser(const struct mcl_host *h);

#endif
