/* Makes a computing script reach a checkpoint, without a permanent hook.
 *
 * When the runtime asks for attention, a signal goes to the thread that holds the baton; its handler
 * installs a count hook on the lua_State that the thread runs; the hook removes itself, restores what
 * was there and calls mc_checkpoint. lua_sethook from another thread is unsound: it walks call records
 * in use.
 * SPDX-License-Identifier: BSL-1.0
 */
#ifndef MULTICORE_HOSTS_LUA_PREEMPT_H
#define MULTICORE_HOSTS_LUA_PREEMPT_H

#include "host.h"

/* Picks a real-time signal that nobody uses, once per process. */
void mcl_preempt_install(void);

/* Hooks for the runtime: any thread; and the thread that took the baton. */
void mcl_preempt_attention(struct mcl_host *h);
void mcl_preempt_taken(struct mcl_host *h);

/* Async-signal-safe, on the thread of k: its innermost state reaches a checkpoint soon. */
void mcl_preempt_hook_now(struct mcl_task *k);

/* The running script has made a task, and there is no thread yet that could watch how long it waits: the
 * script gives way by itself after some thousand instructions. */
void mcl_preempt_unwatched(struct mcl_task *k);

/* The running script gets a value that has to be closed: no error is raised in the few instructions until it
 * is in its variable. */
void mcl_preempt_grace(struct mcl_task *k);
#define MCL_GRACE 3

/* A checkpoint in a native frame; raises interrupts. */
void mcl_poll(lua_State *L, struct mcl_task *k);
int mcl_wants_poll(struct mcl_task *k);

/* After an error that tells the task to end: the next one follows soon, so that it gets through
 * loops around pcall. */
void mcl_preempt_insist(struct mcl_task *k);

/* Brackets lua_resume of a coroutine inside task k. */
void mcl_frame_push(struct mcl_task *k, struct mcl_frame *f, lua_State *co);
void mcl_frame_pop(struct mcl_task *k, struct mcl_frame *f);

/* The frame that runs L, in any task, or NULL. */
struct mcl_frame *mcl_frame_of(struct mcl_host *h, lua_State *L);

/* The hook as the script sees it, and its replacement, whether or not a preemption is under way. */
void mcl_hook_get(struct mcl_host *h, lua_State *L, lua_Hook *hook, int *mask, int *count);
void mcl_hook_set(struct mcl_host *h, lua_State *L, lua_Hook hook, int mask, int count);

/* For a lua_State that was just made: drops a hook that it inherited from us. */
void mcl_hook_disinherit(lua_State *L);

/* The C hook behind debug.sethook; see debughook.c. With a count it polls by itself. */
void mcl_script_hook(lua_State *L, lua_Debug *ar);

#endif
