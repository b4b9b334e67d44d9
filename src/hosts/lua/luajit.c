/* SPDX-License-Identifier: BSL-1.0 */
#include "luajit.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "close.h"
#include "host.h"
#include "preempt.h"

/* From luajit.h, which is not needed to build for both. */
enum { MODE_NONE = 1, MODE_WRAPCFUNC = 0x10, MODE_ON = 0x100 };

/* A C function of Lua that has not returned. */
struct mcl_native {
    struct mcl_native *up;
    lua_State *L;
    uintptr_t entry; /* see entry_of */
    char *bottom;    /* of the C stack, about */
    char *here;
};

/* LuaJIT does not limit nested C calls, though 8 MiB happen to be enough for small ones. */
#define DEEP (MCL_TASK_STACK - 512 * 1024)
#define TOO_DEEP (DEEP + 128 * 1024) /* for those that handle the error */

/* Where on the C stack LuaJIT was entered last to run L; 0: it is not running. */
static uintptr_t entry_of(const struct mcl_host *h, lua_State *L) {
    uintptr_t word;
    memcpy(&word, (const char *)L + h->entry_at, sizeof word);
    return word;
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
    __attribute__((cleanup(leave))) struct mcl_native native = {k->native, L, entry_of(k->host, L), here,
                                                                here};
    k->native = &native;
    if (native.up) {
        native.bottom = native.up->bottom;
        ptrdiff_t limit = native.bottom - native.up->here > (ptrdiff_t)DEEP ? TOO_DEEP : DEEP;
        if (native.bottom - here > limit) luaL_error(L, "C stack overflow");
    }
    int n = f(L);
    if (n >= 0 && !native.up && k == mcl_current() && L != k->host->service) poll(L, k);
    return n;
}

static int wrapper(lua_State *L, lua_CFunction f) {
    struct mcl_task *k = mcl_current();
    /* In a section that a script opened by mc_release through the FFI, Lua runs on, and whoever wants to take
     * it reads what is changed here. To him this function is a part of that. */
    if (!k || mc_task_state(k->task) == MC_TASK_SECTION) return f(L);
    return call(L, f, k);
}

/* ---- start ---- */

static int raise_error(lua_State *L) { return lua_error(L); }
static int nothing(lua_State *L) { return (void)L, 0; }

static int push_entry(lua_State *L) {
    lua_pushnumber(L, (lua_Number)entry_of(mcl_current()->host, L));
    return 1;
}

/* Looks for the one word in L that points into the C stack, a little above here, and tries it out. */
static int find_entry(lua_State *L) {
    enum { WORDS = 12, NEAR = 16384 };
    struct mcl_host *h = lua_touserdata(L, 1);
    const uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    size_t found = 0, at = 0;
    for (size_t i = 1; i < WORDS; i++) {
        h->entry_at = i * sizeof(uintptr_t);
        if (entry_of(h, L) - here >= NEAR) continue;
        found++;
        at = h->entry_at;
    }
    h->entry_at = found == 1 ? at : 0;
    if (!h->entry_at) return 0;
    const uintptr_t mine = entry_of(h, L);
    lua_pushcfunction(L, push_entry);
    lua_call(L, 0, 1);
    if (lua_tonumber(L, -1) >= (lua_Number)mine || entry_of(h, L) != mine) h->entry_at = 0;
    return 0;
}

int mcl_jit_start(lua_State *L, struct mcl_host *h) {
    if (!MCL_LUAJIT) return 1;
    int (*function)(lua_State *, lua_CFunction) = wrapper;
    void *pointer; /* ISO C knows no conversion */
    memcpy(&pointer, &function, sizeof pointer);
    lua_pushlightuserdata(L, pointer);
    luaJIT_setmode(L, -1, MODE_WRAPCFUNC | MODE_ON);
    lua_pop(L, 1);
    lua_pushcfunction(L, nothing);
    h->nothing = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_cpcall(L, raise_error, NULL);
    lua_pop(L, 1);
    if (h->main->native) return 0; /* it does not unwind */
    if (lua_cpcall(L, find_entry, h) != LUA_OK) lua_pop(L, 1);
    return h->entry_at != 0;
}

/* ---- sections ---- */

static int is_in_c_function(const struct mcl_host *h, const struct mcl_task *k) {
    if (!k->native) return entry_of(h, k->L) == 0; /* C code of the program that owns the state */
    return entry_of(h, k->native->L) == k->native->entry;
}

static void report(struct mcl_host *h, const struct mcl_task *k) {
    h->refused = 1;
    mc_misuse misuse = {
        sizeof misuse, MC_ENOTSUP, NULL, NULL, NULL, 0, k->task ? mc_task_name(k->task) : NULL};
    misuse.message =
        "a section of C code that Lua did not call as a C function (but through the FFI, or as a debug hook) "
        "keeps the interpreter; call it from a lua_CFunction (said once)";
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

int mcl_jit_insist(struct mcl_task *k, unsigned n, int room) {
    enum { PATIENCE = 100 };
    if (!MCL_LUAJIT) return 0;
    if (n >= PATIENCE && !k->in_jit_hook) {
        /* Longer than a state that is closed waits for sections: then this one does not come back. */
        const struct timespec pause = {0, 2 * MCL_CLOSE_TIMEOUT};
        mc_release();
        nanosleep(&pause, NULL);
        mc_acquire();
    }
    mcl_jit_hook(k, room);
    return 1;
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
