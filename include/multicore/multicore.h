/* multicore/multicore.h - the interface for hosts: programs and modules that embed an interpreter.
 *
 * Vocabulary. A runtime is one interpreter instance and all that drives it. Its baton is the right
 * to touch the interpreter; at most one OS thread holds it. A task is one script-level thread of
 * execution, with a C stack of its own, or bound to the native stack of a thread that attached. A
 * section is the native code between mc_release and mc_acquire (multicore/extension.h). A carrier
 * is an OS thread of the runtime's pool.
 *
 * Conventions. Times are uint64_t nanoseconds; MC_FOREVER waits without limit, 0 never waits.
 * Out-parameters are untouched on failure. A returned handle is one reference, to be dropped with
 * its unref; a NULL `out` means that no handle is wanted. Structs begin with their size: start from
 * the MC_*_INIT initialiser. In options zero means the default and MC_NONE none or unlimited; a NULL
 * options pointer means all defaults. No call unwinds; an exception that leaves a task or hook
 * function ends the process with its name. NULL handles answer MC_EINVAL.
 *
 * "Any thread" below means: with the baton or without, also inside a section. "Needs the baton"
 * means: from a task that runs now, outside a section; otherwise MC_EPERM. Calls that suspend answer
 * MC_EPERM in an atomic scope and in a hook, and MC_EINTR or MC_ECANCELED when one is pending.
 *
 * fork(). If the forking thread has the baton, or no thread has it, the child has a working runtime, whose
 * pool is empty and grows on use. Tasks that are suspended or on that thread live on in both processes; those
 * whose C stack is on another thread end in the child with MC_EFORK when their turn comes. If another thread
 * has the baton, every call on the runtime answers MC_EFORK in the child, and an mc_acquire there ends the
 * process. fork() is not to be called in a signal handler.
 *
 * exit(), from any thread, waits for nobody. The library's exit handler, which the first mc_runtime_create
 * registers, takes each baton, or gives up after 100 ms, and keeps it: from then on no script runs. Handlers
 * registered after that, which run before it, may use the library and end runtimes; those registered earlier
 * are answered MC_ESHUTDOWN by what would wait for the baton, and MC_EPERM by what would give it away.
 *
 * SPDX-License-Identifier: BSL-1.0
 */
#ifndef MULTICORE_MULTICORE_H
#define MULTICORE_MULTICORE_H

#include <stddef.h>
#include <stdint.h>

#include "extension.h"

#if defined(__GNUC__)
#pragma GCC visibility push(default) /* also in programs built with -fvisibility=hidden */
#endif
#ifdef __cplusplus
extern "C" {
#endif

#define MC_VERSION_MAJOR 1
#define MC_VERSION_MINOR 0
#define MC_VERSION_PATCH 0

#define MC_FOREVER UINT64_MAX

typedef struct mc_runtime mc_runtime;
typedef struct mc_task mc_task;
typedef struct mc_job mc_job;

/* ---- status, version, clock: any thread ---- */

const char *mc_status_name(mc_status status);    /* "MC_EBUSY"; "MC_UNKNOWN" for any other number */
const char *mc_status_message(mc_status status); /* "in use" */
uint32_t mc_version(void);                       /* of the library: major << 16 | minor << 8 | patch */
uint64_t mc_now(void);                           /* monotonic nanoseconds */

/* ---- the host ---- */

/* How sections run. */
enum { MC_WAY_LEND = 0, MC_WAY_SHIP = 1, MC_WAY_JOB = 2 };

/* mc_host.flags */
#define MC_HOST_OWN_SCHEDULER 1u

/* What the embedding tells the runtime about its interpreter. Any hook may be NULL. A release inside
 * a hook is inline; no hook may unwind. The struct is copied by mc_runtime_create. */
typedef struct mc_host {
    uint32_t size, way, flags; /* MC_WAY_*; MC_HOST_* */
    void *self;                /* passed to every hook */

    /* This thread took the baton over from another thread, for that task (or NULL). With the baton. */
    void (*taken)(void *self, mc_task *task);
    /* The task about to run is not the one whose registers are loaded: save `from` (NULL at first, or
     * when it has ended), load `to` (never NULL). With the baton. Not called for a lend that nobody
     * took. */
    void (*switched)(void *self, mc_task *from, mc_task *to);
    /* Asked, with the baton, before a lend is first given to or taken by another thread: nonzero if the
     * interpreter can go on with other tasks now. Zero: that section is inline. Must not fork. */
    int (*may_lend)(void *self);
    /* Any thread, at most once until the next checkpoint or until other code gets its turn: somebody
     * waits, or an interrupt is pending. Make the holder reach mc_checkpoint soon. The thread last
     * named by `taken` does not end meanwhile. Must not fork, nor call this library but for mc_now. */
    void (*attention)(void *self);
    /* Forked child whose runner does not exist, as a task on a carrier forked: after the last task, or a
     * stop. On that thread, without the baton; it may use the runtime. When it returns: exit(0), as without
     * it. */
    void (*orphan)(void *self);

    /* MC_HOST_OWN_SCHEDULER: the host has coroutines of its own, each with a task (mc_task_adopt). It needs
     * all four. In its runtime one thread attaches, and the host's code runs on that thread and on carriers;
     * spawn, run, jobs and dispatch are MC_ENOTSUP, calls that suspend MC_EPERM, `switched` is not called,
     * and a checkpoint only tells what is pending. docs/design/own-scheduler.md has an example. */

    /* With the baton: the task of the coroutine whose native code runs on this thread; NULL where there is
     * none: then a section is inline. Asked at each release and by each call that is about the current task:
     * it should be as cheap as reading a variable. */
    mc_task *(*current)(void *self);
    /* Any thread, may be racy: nonzero if `run` would have a coroutine to run. Exact when the thread that
     * asks has the baton. */
    int (*ready)(void *self);
    /* With the baton, on a C stack of the library: the interpreter is at the open section of `lender`, and to
     * the host this call is that coroutine. Runs others until mc_task_state(lender) is MC_TASK_DUE. May
     * return earlier if nothing is ready and nobody is due, with the lender the current one again. May
     * return on another OS thread than it was called on. Coroutines may open sections meanwhile, and this
     * be called for those. */
    void (*run)(void *self, mc_task *lender);
    /* The thread of the section, async-signal-safe: once per section that has ended and has to wait. Makes
     * the host's code come to where it schedules; from then on `ready` must say yes until each task that is
     * MC_TASK_DUE and that `run` was called for can be run. */
    void (*wake)(void *self);
} mc_host;

#define MC_HOST_INIT \
    { sizeof(mc_host), MC_WAY_LEND, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL }

/* ---- the runtime ---- */

/* One report of misuse: what was wrong and where. */
typedef struct mc_misuse {
    uint32_t size;
    mc_status status;
    const char *message; /* a sentence that names the thing and the remedy */
    const char *file;    /* the place of the call, or NULL where it is not known */
    const char *func;
    uint32_t line;
    const char *task; /* name of the task, or NULL */
} mc_misuse;

/* mc_runtime_options.flags */
#define MC_RUNTIME_CPU_TIME 1u /* keep mc_task_cpu_time; costs a clock read per switch */

typedef struct mc_runtime_options {
    uint32_t size;
    uint32_t flags;             /* MC_RUNTIME_* */
    uint32_t max_threads;       /* carriers at most; default 512 */
    uint32_t keep_idle_threads; /* carriers kept when idle; default: as many as CPUs */
    uint64_t idle_timeout;      /* ns until a carrier beyond those ends; default 5 s */
    uint64_t section_slice;     /* ns a returning section waits before it is handed the baton; 5 us */
    uint64_t slice;             /* ns a ready task waits before it is handed the baton; 1 ms */
    uint64_t stack_size;        /* bytes of a task's C stack; default 256 KiB */
    uint32_t job_queue_limit;   /* jobs that wait for a thread, at most; default 65,536 */
    const char *name;           /* for messages and thread names; copied */
    const mc_host *host;        /* copied; NULL: MC_HOST_INIT */
    void (*misuse)(void *arg, const mc_misuse *report); /* any thread; default: a line on stderr */
    /* The first and the last thing on every carrier; but not the last on one whose section outlived the
     * shutdown. */
    void (*thread_start)(void *arg);
    void (*thread_stop)(void *arg);
    void *arg; /* for the three above */
} mc_runtime_options;

#define MC_RUNTIME_OPTIONS_INIT \
    { sizeof(mc_runtime_options), 0, 0, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL }

typedef struct mc_stats {
    uint32_t size;
    uint32_t reserved;
    uint64_t tasks_alive;     /* spawned or attached and not ended */
    uint64_t tasks_spawned;   /* ever, attached ones included */
    uint64_t sections;        /* opened, inline ones included */
    uint64_t sections_inline; /* of these: ran with the baton kept */
    uint64_t handoffs;        /* times the baton went from one OS thread to another */
    uint64_t wakes;           /* sleeping threads woken by this runtime */
    uint64_t threads;         /* carriers now */
    uint64_t threads_peak;
    uint64_t longest_wait; /* ns a returning section has waited for the baton at most */
} mc_stats;

#define MC_STATS_INIT \
    { sizeof(mc_stats), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/* Creates a runtime. Starts no thread. Any thread. MC_EINVAL: bad options (the misuse handler says
 * which). MC_EBUSY: another copy of this library in the process got there first. MC_ENOMEM. */
mc_status mc_runtime_create(const mc_runtime_options *options, mc_runtime **out);

/* Drives the runtime on this thread. MC_OK when no unbound task and no job is left, MC_ECANCELED
 * when stopped, MC_EDEADLK from a task or a thread attached to it, MC_EBUSY while another thread runs
 * it, MC_EPERM with the baton of another runtime. May be called again. */
mc_status mc_runtime_run(mc_runtime *runtime);

/* Makes mc_runtime_run return soon; if it is not running, its next call returns at once. Any thread,
 * async-signal-safe. */
void mc_runtime_stop(mc_runtime *runtime);

/* Ends the runtime: no new tasks and attachments, the rest cancelled, or abandoned where that cannot be done
 * safely; waits for them, attached threads included, until `timeout`; then parks stragglers (tasks whose
 * section has not ended) for good, which stay what they were: their destroy function does not run. Their
 * number goes to the misuse handler. MC_OK: all ended. MC_ETIMEDOUT: some were parked; or a task computes
 * without a checkpoint, then nothing was parked, the handler says so, and the call may be made again.
 * MC_EDEADLK from an unbound task of it. MC_EPERM in a hook. MC_ESHUTDOWN: done before. Any other thread; one
 * without the baton waits up to 100 ms for it beyond the timeout. MC_HOST_OWN_SCHEDULER: MC_EPERM without
 * the baton; waits for open sections only, and ends all adopted tasks: the coroutines are the host's. */
mc_status mc_runtime_shutdown(mc_runtime *runtime, uint64_t timeout);

/* Frees all but stragglers. MC_EBUSY while anything else is alive: a task, a thread that runs it or
 * is attached to it. */
mc_status mc_runtime_destroy(mc_runtime *runtime);

/* A descriptor for an event loop: readable while mc_runtime_dispatch has something to do (now and then it is
 * so for nothing). The runtime's; do not read or close it. Any thread. MC_ENOMEM. */
int mc_runtime_event_fd(mc_runtime *runtime);
/* Runs `done` functions of jobs and ready tasks on this thread, each until it suspends, and lets sections
 * return; drives the runtime meanwhile. At most max_events turns; 0: those that are ready now. Returns how
 * many there were, or a status. Takes the baton if this thread has none, and waits for it. A host that cannot
 * lend: MC_ENOTSUP off the home thread. MC_EDEADLK in an unbound task, MC_EPERM in a hook, in an atomic scope
 * or with the baton of another runtime, MC_ESHUTDOWN. */
int mc_runtime_dispatch(mc_runtime *runtime, uint32_t max_events);

mc_status mc_runtime_stats(mc_runtime *runtime, mc_stats *stats); /* any thread */

/* Sets whether sections open where no scope says otherwise (1 at first); a negative number only
 * asks. Returns the previous value, or a status. Any thread. */
int mc_enable(mc_runtime *runtime, int enabled);

/* ---- tasks ---- */

typedef struct mc_task_options {
    uint32_t size;
    uint32_t flags;
    uint64_t stack_size; /* default: the runtime's */
    const char *name;    /* copied, at most 31 bytes kept; default "task N" */
    void *data;
    void (*destroy)(void *data); /* once, with the baton, when the task has ended, however it ended
                                    and whatever references remain; a hook like those of mc_host */
} mc_task_options;

#define MC_TASK_OPTIONS_INIT \
    { sizeof(mc_task_options), 0, 0, NULL, NULL, NULL }

enum {
    MC_TASK_NEW = 0,
    MC_TASK_READY = 1,
    MC_TASK_RUNNING = 2,
    MC_TASK_SECTION = 3,
    MC_TASK_DUE = 4, /* its section has ended, it waits for the baton */
    MC_TASK_SUSPENDED = 5,
    MC_TASK_ENDED = 6
};

enum { MC_CANCEL_SAFE = 0, MC_CANCEL_ABANDON = 1 };
enum { MC_SCOPE_ENABLE = 0, MC_SCOPE_DISABLE = 1, MC_SCOPE_ATOMIC = 2 };
enum { MC_READABLE = 1, MC_WRITABLE = 2 };

/* Makes this thread a bound task that holds the baton; waits for it up to `timeout` (MC_ETIMEDOUT).
 * Attaching again nests by count. MC_EPERM on a thread that holds the baton of another runtime, in a hook
 * that runs for no task, and in a section of this runtime (there mc_enter is the way back in); MC_ENOTSUP
 * for a host that cannot lend, off its home thread (the first that ran or attached); MC_ESHUTDOWN, also
 * when that begins while this waits. MC_HOST_OWN_SCHEDULER: MC_ENOTSUP while another thread is attached. */
mc_status mc_attach(mc_runtime *runtime, const mc_task_options *options, uint64_t timeout, mc_task **out);
/* Needs the baton; MC_EPERM in a hook too, but for what was attached there. With MC_HOST_OWN_SCHEDULER it
 * returns on the thread that attached, wherever it was called; MC_EBUSY while that thread is in a section;
 * MC_EFORK in a child that has no such thread. */
mc_status mc_detach(void);

/* MC_HOST_OWN_SCHEDULER: a task for a coroutine of the host's, which owns the stack. `out` is needed: the
 * task lives until its last handle is dropped, and must not be what `current` returns after that. It ends
 * then (MC_OK), or as soon as a thread has the baton and no section of it is open; only after that `destroy`
 * runs. While it is in no section its state is MC_TASK_RUNNING, whoever runs. mc_attach and mc_detach nest
 * per coroutine. Any thread, with the baton or without. MC_ENOTSUP: another host. MC_EINVAL: stack_size is
 * set. MC_ESHUTDOWN, MC_ENOMEM. */
mc_status mc_task_adopt(mc_runtime *runtime, const mc_task_options *options, mc_task **out);
/* MC_HOST_OWN_SCHEDULER: does this thread run the host's code, with the baton, outside sections and hooks,
 * and where nothing keeps it from lending? Then 1. */
int mc_can_release_as(void);
/* MC_HOST_OWN_SCHEDULER: mc_release by code of the host's own that knows who runs. `task` is what `current`
 * would return and `others_ready` what `ready` would; where nothing is special neither is called. mc_acquire
 * ends the section. With the baton. */
void mc_release_as(mc_task *task, int others_ready, struct mc_site *site);

/* A new task that calls fn(arg). Any thread. MC_ENOMEM, MC_EAGAIN: no stack to be had; MC_ESHUTDOWN;
 * MC_ENOTSUP for MC_WAY_JOB. */
mc_status mc_task_spawn(mc_runtime *runtime, void (*fn)(void *), void *arg, const mc_task_options *options,
                        mc_task **out);

mc_task *mc_task_current(void); /* borrowed; NULL on a thread that runs no task. Any thread */
mc_task *mc_task_ref(mc_task *task);
void mc_task_unref(mc_task *task);

/* These suspend: they need the baton, and let other tasks run meanwhile. */
mc_status mc_task_yield(void);
mc_status mc_task_sleep(uint64_t duration);
mc_status mc_task_park(uint64_t timeout); /* until unparked: MC_OK; MC_ETIMEDOUT. One permit */
mc_status mc_task_wait_fd(int fd, uint32_t events, uint64_t timeout, uint32_t *ready); /* MC_ETIMEDOUT */
mc_status mc_task_join(mc_task *task, uint64_t timeout); /* MC_OK: it ended; MC_ETIMEDOUT, MC_EDEADLK */

/* Any thread, async-signal-safe: it starts no thread. For that an idle carrier is kept while tasks are parked
 * and the interpreter is free to go on with them; where none can be had the task waits for a thread that
 * comes back from a section. */
mc_status mc_task_unpark(mc_task *task);
mc_status mc_task_result(mc_task *task); /* how it ended; MC_EAGAIN while alive. Any thread */

/* Makes the task notice: MC_EINTR from what suspends it and from its next checkpoint, until it takes
 * the payload. MC_EBUSY: one is pending. Ended: MC_EINVAL. Any thread. */
mc_status mc_task_interrupt(mc_task *task, void *payload);
mc_status mc_task_take_interrupt(mc_task *task, void **payload); /* needs the baton; MC_EAGAIN: none */

/* Any thread. The task's result is MC_ECANCELED if this answered MC_OK before its function had returned.
 *
 * MC_CANCEL_SAFE: a task that has not started ends unrun. Any other is told, by MC_ECANCELED from what
 * suspends it, now and ever after, and from its checkpoints; in a section, whose `unblock` is called, by the
 * checkpoint after it. MC_EBUSY, and nothing changes: it is in a section without `unblock` (one that is
 * inline counts as computing).
 *
 * MC_CANCEL_ABANDON: joiners see the end at once and the task never runs on: a suspended one is dropped, one
 * that computes leaves at its next checkpoint, suspension or acquire, one in a section (its `unblock` is
 * called) at the acquire. Its stack is dropped, not unwound; its destroy function runs then, not before.
 * Amid a callback (mc_enter) it is only told, until the C code that called back has reached its acquire.
 * MC_ENOTSUP for a bound or adopted task. Ended ones: MC_OK. */
mc_status mc_task_cancel(mc_task *task, uint32_t mode);

void *mc_task_data(mc_task *task);                /* any thread */
void mc_task_set_data(mc_task *task, void *data); /* needs the baton */
const char *mc_task_name(mc_task *task);          /* any thread; valid as long as the handle */
uint32_t mc_task_state(mc_task *task);            /* MC_TASK_*; any thread */
uint64_t mc_task_cpu_time(mc_task *task); /* ns used, sections included; 0 without MC_RUNTIME_CPU_TIME */

/* Opens a scope in this task; the token closes it and those inside it. Needs the baton. Among ENABLE
 * and DISABLE the innermost wins; ATOMIC: suspending calls answer MC_EPERM, sections are inline. */
int mc_scope_enter(uint32_t kind);
mc_status mc_scope_leave(int token);

/* Lets others in when a slice is due. MC_EINTR, MC_ECANCELED: pending, for the host to raise in a
 * frame of its own. Without the baton it does nothing. */
mc_status mc_checkpoint(void);

/* ---- jobs: any thread ----
 *
 * For hosts that cannot suspend a C stack, and for work that nobody waits for at once. work(arg) runs on a
 * carrier without the baton; then done(arg, status), once, with the baton, as a task of the runtime: it may
 * release, but what suspends answers MC_EPERM. The status: MC_OK; MC_ECANCELED when cancelled or past the
 * deadline; MC_ESHUTDOWN; MC_EFORK in a forked child. Without MC_OK, `work` may not have run.
 *
 * The classes share max_threads, so that one that is full does not delay the other. Of 1 both have the one
 * thread, and work of either may wait for that of the other. Where there is no thread and none can be
 * started, or (MC_WAY_LEND) all of max_threads are taken, the one in mc_runtime_run does the work itself when
 * no task is ready; until it has, it does nothing else. */

enum {
    MC_WORK_CPU = 0, /* at most as many at once as there are CPUs, and half of max_threads */
    MC_WORK_IO = 1   /* work that waits: as many at once as the other class leaves of max_threads */
};

typedef struct mc_job_options {
    uint32_t size;
    uint32_t work_class;
    void (*unblock)(void *); /* as in mc_section_options: makes `work` return early */
    void *unblock_arg;
    uint64_t deadline; /* ns from the submission; then it is cancelled. 0 or MC_NONE: none */
} mc_job_options;

#define MC_JOB_OPTIONS_INIT \
    { sizeof(mc_job_options), MC_WORK_CPU, NULL, NULL, 0 }

/* `done` may be NULL. MC_EAGAIN: job_queue_limit jobs wait already, or there is no thread and none can be
 * started. MC_ENOMEM, MC_ESHUTDOWN. */
mc_status mc_job_submit(mc_runtime *runtime, void (*work)(void *), void (*done)(void *, mc_status), void *arg,
                        const mc_job_options *options, mc_job **out);
/* Waits until the job is over, `done` included, and returns its status; MC_ETIMEDOUT. A task suspends (also
 * MC_EINTR, MC_ECANCELED: its own; MC_EPERM where it may not, as in a hook, and with the baton of another
 * runtime). A thread without a baton blocks; where nothing drives the runtime, which alone could call `done`,
 * it returns when the work is over. */
mc_status mc_job_wait(mc_job *job, uint64_t timeout);
/* One that waits is over, and its work not done. One at work has its `unblock` called; MC_EBUSY, and nothing
 * changes, if it has none. MC_OK when it is over. */
mc_status mc_job_cancel(mc_job *job);
mc_job *mc_job_ref(mc_job *job);
void mc_job_unref(mc_job *job);

#ifdef __cplusplus
}
#endif
#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#endif /* MULTICORE_MULTICORE_H */
