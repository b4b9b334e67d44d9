/* Ctrl-C: turns SIGINT into an interrupt of the main task.
 * SPDX-License-Identifier: BSL-1.0
 */
#ifndef MULTICORE_HOSTS_LUA_SIGINT_H
#define MULTICORE_HOSTS_LUA_SIGINT_H

#include "host.h"

/* Before this thread attaches to the runtime: a task that is made ready later starts a thread at once. */
void mcl_sigint_prepare(struct mcl_host *h, mc_runtime *runtime);

void mcl_sigint_arm(struct mcl_host *h);  /* takes the signal over if the interpreter has a handler for it */
void mcl_sigint_stop(struct mcl_host *h); /* gives it back */

/* Any thread: turns a typed Ctrl-C into an interrupt of the main task. False: there was none. */
int mcl_sigint_deliver(struct mcl_host *h);

/* With the baton, not from a signal handler: if the main task may be in a section, sees to it that a thread
 * exists which can tell it. */
void mcl_sigint_watch(struct mcl_host *h);

#endif
