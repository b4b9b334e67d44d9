/* SPDX-License-Identifier: BSL-1.0 */
#include "luajit.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "host.h"
#include "preempt.h"

/* From luajit.h, which is not needed to build for both. */
enum { MODE_NONE = 1, MODE_WRAPCFUNC = 0x10, MODE_ON = 0x100 };

/* A C function of Lua that has not returned. */
struct mcl_native {
    struct mcl_native *up;
    lua_State *L;
    int base;
    char *bottom; /* of the C stack, about */
    char *here;
};

#define NOWHERE (-2)

/* LuaJIT does not limit nested C calls, though 8 MiB happen to be enough for small ones. */
#define DEEP (MCL_TASK_STACK - 512 * 1024)
#define TOO_DEEP (DEEP + 128 * 1024) /* for those that handle the error */

/* Where the innermost function of L begins, as an offset; -1: nothing runs there. Reads no frame, which in
 * compiled code need not be one. */
__attribute__((noinline)) static int base_of(lua_State *L) {
    lua_Debug ar;
    return lua_getstack(L, 0, &ar) ? ar.i_ci : -1;
}

/* ---- around each C function ---- */

/* A script that computes is told of others and of interrupts here and in the functions of the module only:
 * LuaJIT's hooks are no use. Not right after mc.scope or mc.spawn: their value is on its way. */
static void poll(lua_State *L, struct mcl_task *k) {
    static const unsigned room[] = {1000, 100, 10, 1};
    if (k->grace) {
        k->grace = 0;
    } else if (k->cancelled) {
        /* Some calls to clean up with, ever less, so that it gets through loops around pcall. */
        if (++k->calls_left_behind < room[k->cancel_count < 4 ? k->cancel_count : 3]) return;
        k->calls_left_behind = 0;
        luaL_checkstack(L, 4, "checkpoint");
        mcl_poll(L, k);
    } else if (k->way_due || mcl_wants_poll(k)) {
        luaL_checkstack(L, 4, "checkpoint");
        mcl_poll(L, k);
    }
}

static void leave(struct mcl_native *native) {
    /* The same task as at the start, if there still is one: this is its C stack. */
    struct mcl_task *k = mcl_current();
    if (k) k->native = native->up;
}

static int call(lua_State *L, lua_CFunction f, struct mcl_task *k) {
    char *here = __builtin_frame_address(0);
    __attribute__((cleanup(leave))) struct mcl_native native = {k->native, L, base_of(L), here, here};
    k->native = &native;
    /* Opened by mc_release through the FFI, so Lua runs within it. */
    if (mc_task_state(k->task) == MC_TASK_SECTION) native.base = NOWHERE;
    if (native.up) {
        native.bottom = native.up->bottom;
        ptrdiff_t limit = native.bottom - native.up->here > (ptrdiff_t)DEEP ? TOO_DEEP : DEEP;
        if (native.bottom - here > limit) luaL_error(L, "C stack overflow");
    }
    return f(L);
}

static int wrapper(lua_State *L, lua_CFunction f) {
    struct mcl_task *k = mcl_current();
    if (!k) return f(L);
    int n = call(L, f, k);
    if (n >= 0 && !k->native && k == mcl_current() && L != k->host->service) poll(L, k);
    return n;
}

/* ---- start ---- */

static int raise_error(lua_State *L) { return lua_error(L); }
static int nothing(lua_State *L) { return (void)L, 0; }

void mcl_jit_start(lua_State *L, struct mcl_host *h) {
    if (!MCL_LUAJIT) return;
    int (*function)(lua_State *, lua_CFunction) = wrapper;
    void *pointer; /* ISO C knows no conversion */
    memcpy(&pointer, &function, sizeof pointer);
    lua_pushlightuserdata(L, pointer);
    luaJIT_setmode(L, -1, MODE_WRAPCFUNC | MODE_ON);
    lua_pop(L, 1);
    lua_cpcall(L, raise_error, NULL);
    lua_pop(L, 1);
    h->unwinds = !h->main->native;
    h->main->native = NULL;
    lua_pushcfunction(L, nothing);
    h->nothing = luaL_ref(L, LUA_REGISTRYINDEX);
}

/* ---- sections ---- */

static int is_in_c_function(const struct mcl_host *h, const struct mcl_task *k) {
    if (!k->native) return base_of(k->L) < 0; /* C code of the program that owns the state */
    return h->unwinds && base_of(k->native->L) == k->native->base;
}

static void report(struct mcl_host *h, const struct mcl_task *k) {
    h->refused = 1;
    mc_misuse misuse = {sizeof misuse, MC_ENOTSUP, NULL, NULL, NULL, 0, k->task ? mc_task_name(k->task) : NULL};
    misuse.message =
        h->unwinds ? "a section of C code that Lua did not call as a C function (but through the FFI, or as a "
                     "debug hook) keeps the interpreter; call it from a lua_CFunction (said once)"
                   : "this LuaJIT does not unwind C functions when it raises an error, so that FFI calls cannot "
                     "be told from C functions: sections keep the interpreter (said once)";
    if (h->options.misuse)
        h->options.misuse(h->options.arg, &misuse);
    else
        fprintf(stderr, "multicore: %s (task '%s')\n", misuse.message, misuse.task ? misuse.task : "?");
}

int mcl_jit_may_lend(struct mcl_host *h) {
    struct mcl_task *k = h->running;
    if (!MCL_LUAJIT || !k || is_in_c_function(h, k)) return 1;
    if (!h->refused) report(h, k);
    return 0;
}

void mcl_jit_loaded(struct mcl_task *k) {
    if (!MCL_LUAJIT || !k->native) return;
    lua_State *L = k->native->L;
    lua_rawgeti(L, LUA_REGISTRYINDEX, k->host->nothing);
    if (lua_pcall(L, 0, 0, 0) != LUA_OK) lua_pop(L, 1); /* no memory for its stack; the global is set */
}

lua_State *mcl_jit_state(const struct mcl_task *k) { return k->native ? k->native->L : NULL; }

/* ---- finalisers ---- */

static int probe(lua_State *L) { return luaJIT_setmode(L, 0, MODE_NONE), 0; }

int mcl_collector_stopped(lua_State *L) {
    /* Setting a mode, even none, is refused in a finaliser, and nowhere else. */
    if (!MCL_LUAJIT || lua_cpcall(L, probe, NULL) == LUA_OK) return 0;
    lua_pop(L, 1);
    return 1;
}
