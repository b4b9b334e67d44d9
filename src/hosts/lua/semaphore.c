/* Counting semaphores, first come first served.
 * SPDX-License-Identifier: BSL-1.0
 */
#include "lib.h"
#include "raise.h"
#include "waiter.h"

#define CLASS "multicore.semaphore"

struct semaphore {
    struct mcl_line line;
    lua_Integer count; /* > 0 only while nobody waits */
};

static struct semaphore *check_semaphore(lua_State *L) { return luaL_checkudata(L, 1, CLASS); }

static int try_acquire(struct semaphore *s) {
    if (s->count <= 0) return 0;
    s->count--;
    return 1;
}

/* acquire([timeout]) -> true | nil, "timeout" */
static int semaphore_acquire(lua_State *L) {
    struct semaphore *s = check_semaphore(L);
    uint64_t timeout = mcl_opt_timeout(L, 2);
    struct mcl_task *k = mcl_self(L);
    if (!try_acquire(s) && mcl_line_wait(L, &s->line, k, timeout, "acquire") == MCL_WAITING) {
        lua_pushnil(L);
        lua_pushliteral(L, "timeout");
        return 2;
    }
    lua_pushboolean(L, 1);
    return 1;
}

/* try() -> whether it was acquired */
static int semaphore_try(lua_State *L) {
    lua_pushboolean(L, try_acquire(check_semaphore(L)));
    return 1;
}

/* release([n]) */
static int semaphore_release(lua_State *L) {
    struct semaphore *s = check_semaphore(L);
    lua_Integer n = luaL_optinteger(L, 2, 1);
    luaL_argcheck(L, n >= 0, 2, "cannot be negative");
    luaL_argcheck(L, n <= LUA_MAXINTEGER - s->count, 2, "the semaphore's count overflows");
    for (; n > 0 && mcl_line_first(&s->line); n--) mcl_line_serve(&s->line, MCL_SERVED);
    s->count += n;
    return 0;
}

static int semaphore_tostring(lua_State *L) {
    struct semaphore *s = check_semaphore(L);
    lua_pushfstring(L, "semaphore (" MCL_COUNT "): %p", MCL_COUNT_ARG(s->count), (void *)s);
    return 1;
}

void mcl_open_semaphores(lua_State *L) {
    static const luaL_Reg methods[] = {
        {"acquire", semaphore_acquire}, {"try", semaphore_try}, {"release", semaphore_release}, {NULL, NULL}};
    static const luaL_Reg metamethods[] = {{"__tostring", semaphore_tostring}, {NULL, NULL}};
    mcl_new_class(L, CLASS, methods, metamethods);
}

/* semaphore(n) */
int mcl_l_semaphore(lua_State *L) {
    lua_Integer n = mcl_check_count(L, 1);
    luaL_argcheck(L, n >= 0, 1, "cannot be negative");
    struct semaphore *s = lua_newuserdatauv(L, sizeof *s, 0);
    *s = (struct semaphore){.count = n};
    luaL_setmetatable(L, CLASS);
    return 1;
}
