/* The end of a state: what happens when lua_close comes upon a runtime with tasks.
 * SPDX-License-Identifier: BSL-1.0
 */
#ifndef MULTICORE_HOSTS_LUA_CLOSE_H
#define MULTICORE_HOSTS_LUA_CLOSE_H

#include "host.h"

/* How long sections may go on when a state is closed: 100 ms. */
#define MCL_CLOSE_TIMEOUT 100000000u

/* Makes a new guardian: the object whose finaliser, at lua_close, ends the runtime. Finalisers run in
 * the reverse order of creation, so the guardian has to be younger than whatever a section uses. May
 * collect garbage; raises memory errors. */
void mcl_guard(lua_State *L, struct mcl_host *h);

/* The same from a hook of the runtime: raises nothing. */
void mcl_guard_quietly(struct mcl_host *h);

/* Ends the runtime. On the thread of the main task, or as well as can be on another. */
mc_status mcl_close(lua_State *L, struct mcl_host *h, uint64_t timeout);

#endif
