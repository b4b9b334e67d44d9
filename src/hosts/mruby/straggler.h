/* Sections that outlive the state.
 *
 * Such a section still uses what its task's stack refers to. So the values there lose their finalisers, and
 * mrb_close gives no memory back.
 *
 * Rejected: waiting for the section (it may be a read that never returns), and ending the process (it is
 * the embedder's).
 * SPDX-License-Identifier: BSL-1.0
 */
#ifndef MULTICORE_HOSTS_MRUBY_STRAGGLER_H
#define MULTICORE_HOSTS_MRUBY_STRAGGLER_H

#include "host.h"

/* After the shutdown, in the main task. Raises nothing. */
void mcr_leave_to_stragglers(struct mcr_host *h);

#endif
