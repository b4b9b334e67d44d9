/* task:cancel and task:abandon.
 *
 * A cancelled task gets an error from whatever it calls here and from its checkpoints, again and again until
 * it has ended. An abandoned one never runs on: its C stack is dropped, and what it had on it here (a place
 * in a line, deadlines) goes in on_destroy. SPDX-License-Identifier: BSL-1.0
 */
#include "deadline.h"
#include "lib.h"
#include "raise.h"
#include "waiter.h"

void mcl_tell_to_end(lua_State *L, struct mcl_task *k) {
    if (mc_task_cancel(k->task, MC_CANCEL_SAFE) != MC_EBUSY) return;
    lua_pushliteral(L, "interrupted"); /* for when its section is over */
    mcl_interrupt(L, k);
}

/* cancel() -> true | false, message */
int mcl_l_cancel(lua_State *L) {
    struct mcl_task *other = mcl_check_task(L, 1);
    mcl_self(L);
    if (other->destroyed || !other->task || mc_task_cancel(other->task, MC_CANCEL_SAFE) != MC_EBUSY) {
        lua_pushboolean(L, 1);
        return 1;
    }
    lua_pushboolean(L, 0);
    lua_pushliteral(L, "in a section that cannot be ended");
    return 2;
}

/* abandon() */
int mcl_l_abandon(lua_State *L) {
    struct mcl_task *other = mcl_check_task(L, 1), *k = mcl_self(L);
    if (other->destroyed || !other->task) return 0;
    if (other == k && mcl_in_finaliser(k->host))
        return luaL_error(L, "abandon: not inside a finaliser (__gc); collection would stop for ever");
    if (mc_task_cancel(other->task, MC_CANCEL_ABANDON) == MC_ENOTSUP)
        return luaL_error(L, "abandon: '%s' is bound to its thread; cancel it", mc_task_name(other->task));
    mcl_line_forget(other);
    if (other->main_joins) mc_task_unpark(k->host->main->task);
    /* Returns only in the callback of a native function, which has yet to end. */
    return other == k ? mcl_raise(L, k, mcl_checkpoint(k), "abandon") : 0;
}
