/* Channels: values from task to task, in order, with or without a buffer.
 *
 * A value goes straight to the stack of the receiver that waits longest; otherwise into the buffer
 * (the userdata's table); otherwise its sender waits, with the value on top of its own stack.
 * Invariant: receivers wait only while the buffer is empty and no sender waits.
 * SPDX-License-Identifier: BSL-1.0
 */
#include <limits.h>

#include "lib.h"
#include "raise.h"
#include "waiter.h"

#define CLASS "multicore.channel"

struct channel {
    struct mcl_line senders, receivers;
    lua_Integer capacity, first, count; /* the buffer holds first .. first + count - 1 */
    int closed;
};

static struct channel *check_channel(lua_State *L) { return luaL_checkudata(L, 1, CLASS); }

static void buffer_push(lua_State *L, struct channel *c, int index) {
    lua_getiuservalue(L, 1, 1);
    lua_pushvalue(L, index);
    lua_rawseti(L, -2, c->first + c->count); /* may run out of memory: count only afterwards */
    c->count++;
    lua_pop(L, 1);
}

static void buffer_pop(lua_State *L, struct channel *c) {
    lua_getiuservalue(L, 1, 1);
    lua_rawgeti(L, -1, c->first);
    lua_pushnil(L);
    lua_rawseti(L, -3, c->first);
    c->count--;
    c->first = c->count ? c->first + 1 : 1;
    lua_remove(L, -2);
}

static int nothing(lua_State *L, const char *why) {
    lua_pushnil(L);
    lua_pushstring(L, why);
    return 2;
}

/* send(value [, timeout]) -> true | nil, "timeout" | nil, "closed" */
static int channel_send(lua_State *L) {
    struct channel *c = check_channel(L);
    luaL_argcheck(L, !lua_isnoneornil(L, 2), 2, "nil cannot be sent; it means the end of the channel");
    uint64_t timeout = mcl_opt_timeout(L, 3);
    struct mcl_task *k = mcl_self(L);
    lua_settop(L, 2);
    if (c->closed) return nothing(L, "closed");
    struct mcl_waiter *receiver = mcl_line_first(&c->receivers);
    if (receiver) {
        lua_xmove(L, receiver->L, 1);
        mcl_line_serve(&c->receivers, MCL_SERVED);
    } else if (c->count < c->capacity) {
        buffer_push(L, c, 2);
    } else {
        switch (mcl_line_wait(L, &c->senders, k, timeout, "send")) {
            case MCL_WAITING: return nothing(L, "timeout");
            case MCL_CLOSED: return nothing(L, "closed");
            case MCL_SERVED: break;
        }
    }
    lua_pushboolean(L, 1);
    return 1;
}

/* Pushes the value of the first sender in line, who goes on waiting. */
static void copy_from_sender(lua_State *L, struct channel *c) {
    lua_State *from = mcl_line_first(&c->senders)->L;
    lua_pushvalue(from, 2);
    lua_xmove(from, L, 1);
}

static int receive(lua_State *L, uint64_t timeout) {
    struct channel *c = check_channel(L);
    struct mcl_task *k = mcl_self(L);
    lua_settop(L, 1);
    luaL_checkstack(L, 6, "receive");
    if (mcl_line_first(&c->senders)) {
        copy_from_sender(L, c);
        if (c->count) {
            buffer_push(L, c, 2); /* one too many for a moment: this may fail, the pop cannot */
            buffer_pop(L, c);
        }
        mcl_line_serve(&c->senders, MCL_SERVED);
        return 1;
    }
    if (c->count) {
        buffer_pop(L, c);
        return 1;
    }
    if (c->closed) return nothing(L, "closed");
    switch (mcl_line_wait(L, &c->receivers, k, timeout, "receive")) {
        case MCL_SERVED: return 1;
        case MCL_CLOSED: return nothing(L, "closed");
        case MCL_WAITING: break;
    }
    return nothing(L, "timeout");
}

/* receive([timeout]) -> value | nil, "timeout" | nil, "closed" */
static int channel_receive(lua_State *L) {
    check_channel(L);
    return receive(L, mcl_opt_timeout(L, 2));
}

/* for value in channel do */
static int channel_call(lua_State *L) { return receive(L, MC_FOREVER); }

/* close(): nothing more can be sent; what is in the buffer can be received. */
static int channel_close(lua_State *L) {
    struct channel *c = check_channel(L);
    c->closed = 1;
    while (mcl_line_first(&c->senders)) mcl_line_serve(&c->senders, MCL_CLOSED);
    while (mcl_line_first(&c->receivers)) mcl_line_serve(&c->receivers, MCL_CLOSED);
    return 0;
}

static int channel_len(lua_State *L) {
    lua_pushinteger(L, check_channel(L)->count);
    return 1;
}

static int channel_tostring(lua_State *L) {
    struct channel *c = check_channel(L);
    lua_pushfstring(L, "channel (" MCL_COUNT " of " MCL_COUNT "%s): %p", MCL_COUNT_ARG(c->count),
                    MCL_COUNT_ARG(c->capacity), c->closed ? ", closed" : "", (void *)c);
    return 1;
}

void mcl_open_channels(lua_State *L) {
    static const luaL_Reg methods[] = {
        {"send", channel_send}, {"receive", channel_receive}, {"close", channel_close}, {NULL, NULL}};
    static const luaL_Reg metamethods[] = {{"__call", channel_call},
                                           {"__len", channel_len},
                                           {"__close", channel_close},
                                           {"__tostring", channel_tostring},
                                           {NULL, NULL}};
    mcl_new_class(L, CLASS, methods, metamethods);
}

/* channel([capacity]) */
int mcl_l_channel(lua_State *L) {
    lua_Integer capacity = lua_isnoneornil(L, 1) ? 0 : mcl_check_count(L, 1);
    luaL_argcheck(L, capacity >= 0, 1, "a capacity cannot be negative");
    struct channel *c = lua_newuserdatauv(L, sizeof *c, 1);
    *c = (struct channel){.capacity = capacity, .first = 1};
    lua_newtable(L);
    lua_setiuservalue(L, -2, 1);
    luaL_setmetatable(L, CLASS);
    return 1;
}
