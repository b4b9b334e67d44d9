/* SPDX-License-Identifier: BSL-1.0 */
#include "raise.h"

#include <math.h>

#include "deadline.h"
#include "host.h"
#include "lib.h"
#include "preempt.h"
#include "sigint.h"

char mcl_payload_wake[1];

/* ---- interrupts: the payload is a reference into the registry ---- */

mc_status mcl_interrupt(lua_State *L, struct mcl_task *k) {
    int ref = luaL_ref(L, LUA_REGISTRYINDEX);
    mc_status status = mc_task_interrupt(k->task, (void *)(intptr_t)ref);
    if (status != MC_OK)
        luaL_unref(L, LUA_REGISTRYINDEX, ref);
    else
        k->interrupt_ref = ref;
    return status;
}

void mcl_forget_interrupt(struct mcl_task *k) {
    void *payload;
    if (mc_task_take_interrupt(k->task, &payload) == MC_OK && payload != mcl_payload_wake)
        luaL_unref(k->L, LUA_REGISTRYINDEX, (int)(intptr_t)payload);
    k->interrupt_ref = 0;
}

static int raise_interrupt(lua_State *L, struct mcl_task *k, const char *what) {
    struct mcl_host *h = k->host;
    void *payload = NULL;
    /* While a deadline has passed it stays pending; see deadline.c. */
    mc_status status = k->expired ? MC_EAGAIN : mc_task_take_interrupt(k->task, &payload);
    if (status == MC_OK) k->interrupt_ref = 0;
    if (k == h->main && h->exit_due) mcl_exit_now(L, h);
    if (k == h->main && __atomic_exchange_n(&h->sigint, 0, __ATOMIC_ACQ_REL)) {
        if (status == MC_OK && payload != mcl_payload_wake)
            luaL_unref(L, LUA_REGISTRYINDEX, (int)(intptr_t)payload);
        payload = mcl_payload_wake; /* Ctrl-C outranks */
        mcl_deadline_outranked(k);
    }
    if (payload == mcl_payload_wake) return luaL_error(L, "interrupted!");
    if (k->expired) return mcl_raise_end(L, k, what);
    if (status != MC_OK) return luaL_error(L, "%s: %s", what, mc_status_message(MC_EINTR));
    int ref = (int)(intptr_t)payload;
    luaL_checkstack(L, 2, "interrupt");
    lua_rawgeti(L, LUA_REGISTRYINDEX, ref);
    luaL_unref(L, LUA_REGISTRYINDEX, ref);
    return lua_error(L);
}

/* ---- statuses ---- */

int mcl_raise(lua_State *L, struct mcl_task *k, mc_status status, const char *what) {
    switch (status) {
        case MC_EINTR: return raise_interrupt(L, k, what);
        case MC_ECANCELED:
        case MC_ESHUTDOWN:
            k->cancelled = 1;
            mcl_preempt_insist(k);
            return luaL_error(L, "%s: cancelled%s", what,
                              k->host->closing ? ", the Lua state is being closed" : "");
        case MC_EPERM: return luaL_error(L, "%s: cannot suspend here; leave the atomic scope first", what);
        default: return luaL_error(L, "%s: %s (%s)", what, mc_status_message(status), mc_status_name(status));
    }
}

void mcl_check_can_suspend(lua_State *L, struct mcl_task *k, const char *what) {
    if (mcl_is_ending(k)) mcl_raise_end(L, k, what);
    if (mcl_in_finaliser(k->host))
        luaL_error(L, "%s: cannot suspend inside a finaliser (__gc); spawn a task there instead", what);
}

/* ---- counts and times ---- */

lua_Integer mcl_check_count(lua_State *L, int arg) {
    int huge = lua_type(L, arg) == LUA_TNUMBER && lua_tonumber(L, arg) == HUGE_VAL;
    return huge ? LUA_MAXINTEGER : luaL_checkinteger(L, arg);
}

uint64_t mcl_check_seconds(lua_State *L, int arg) {
    lua_Number s = luaL_checknumber(L, arg);
    luaL_argcheck(L, !isnan(s), arg, "not a time (NaN)");
    if (s <= 0) return 0;
    if (s >= 9e9) return MC_FOREVER; /* 285 years */
    return (uint64_t)(s * 1e9);
}

uint64_t mcl_opt_timeout(lua_State *L, int arg) {
    return lua_isnoneornil(L, arg) ? MC_FOREVER : mcl_check_seconds(L, arg);
}

uint64_t mcl_time_left(uint64_t start, uint64_t timeout) {
    if (timeout == MC_FOREVER) return MC_FOREVER;
    uint64_t spent = mc_now() - start;
    return spent < timeout ? timeout - spent : 0;
}
