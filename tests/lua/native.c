/* A native module for the tests: sections whose length a test controls with gates. Knows no host.
 * SPDX-License-Identifier: BSL-1.0
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <lua.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "multicore/extension.h"

#if LUA_VERSION_NUM == 501
#undef luaL_newlib
#define lua_newuserdatauv(L, size, values) lua_newuserdata(L, size)
#define luaL_setfuncs(L, functions, upvalues) luaL_register(L, NULL, functions)
#define luaL_setmetatable(L, name) (luaL_getmetatable(L, name), lua_setmetatable(L, -2))
#define luaL_newlib(L, functions) (lua_newtable(L), luaL_register(L, NULL, functions))
#define LUA_OK 0
#endif

/* ---- sections ---- */

static void busy(lua_Integer us) {
    struct timespec start, now;
    clock_gettime(CLOCK_MONOTONIC, &start);
    do clock_gettime(CLOCK_MONOTONIC, &now);
    while ((now.tv_sec - start.tv_sec) * 1000000 + (now.tv_nsec - start.tv_nsec) / 1000 < us);
}

/* As a section that may move in every way has to be declared. */
static void open_section(void) {
    mc_section_options options = MC_SECTION_OPTIONS_INIT;
    options.flags = MC_SECTION_MIGRATABLE;
    mc_release_with(&options);
}

/* section([us]) */
static int l_section(lua_State *L) {
    lua_Integer us = luaL_optinteger(L, 1, 0);
    open_section();
    if (us) busy(us);
    mc_acquire();
    return 0;
}

/* plain_section([us]): the same without options */
static int l_plain_section(lua_State *L) {
    lua_Integer us = luaL_optinteger(L, 1, 0);
    mc_release();
    if (us) busy(us);
    mc_acquire();
    return 0;
}

/* fail([us]): a section, then an error */
static int l_fail(lua_State *L) {
    l_section(L);
    return luaL_error(L, "failed after a section");
}

/* For the FFI: a section of C code that knows no Lua. */
__attribute__((visibility("default"))) int native_section(int us);
int native_section(int us) {
    mc_release();
    if (us) busy(us);
    mc_acquire();
    return us;
}

/* busy(us): computes with the baton. */
static int l_busy(lua_State *L) {
    busy(luaL_checkinteger(L, 1));
    return 0;
}

/* ---- gates: counting semaphores that a section waits for ---- */

#define GATE "native.gate"

struct gate {
    sem_t sem;
    int users; /* sections that wait in it */
};

static int l_gate(lua_State *L) {
    struct gate *gate = lua_newuserdatauv(L, sizeof *gate, 0);
    sem_init(&gate->sem, 0, 0);
    gate->users = 0;
    luaL_setmetatable(L, GATE);
    return 1;
}

static int gate_open(lua_State *L) {
    struct gate *gate = luaL_checkudata(L, 1, GATE);
    for (lua_Integer n = luaL_optinteger(L, 2, 1); n > 0; n--) sem_post(&gate->sem);
    return 0;
}

static void gate_down(struct gate *gate) {
    __atomic_add_fetch(&gate->users, 1, __ATOMIC_SEQ_CST);
    while (sem_wait(&gate->sem) != 0 && errno == EINTR) continue;
    __atomic_sub_fetch(&gate->users, 1, __ATOMIC_SEQ_CST);
}

/* gate:pass(): waits in a section */
static int gate_pass(lua_State *L) {
    struct gate *gate = luaL_checkudata(L, 1, GATE);
    open_section();
    gate_down(gate);
    mc_acquire();
    return 0;
}

/* gate:pass_through(other): opens the other from inside the section */
static int gate_pass_through(lua_State *L) {
    struct gate *gate = luaL_checkudata(L, 1, GATE);
    struct gate *other = luaL_checkudata(L, 2, GATE);
    open_section();
    sem_post(&other->sem);
    gate_down(gate);
    mc_acquire();
    return 0;
}

/* gate:pass_or_unblock(): a section that an interrupt unblocks; returns the status of the acquire */
static void unblock_gate(void *arg) {
    struct gate *gate = arg;
    sem_post(&gate->sem);
}
static int gate_pass_or_unblock(lua_State *L) {
    struct gate *gate = luaL_checkudata(L, 1, GATE);
    mc_section_options options = MC_SECTION_OPTIONS_INIT;
    options.flags = MC_SECTION_MIGRATABLE;
    options.unblock = unblock_gate;
    options.unblock_arg = gate;
    if (mc_release_with(&options) == MC_OK) gate_down(gate);
    lua_pushinteger(L, mc_acquire_status());
    return 1;
}

static int gate_gc(lua_State *L) {
    struct gate *gate = luaL_checkudata(L, 1, GATE);
    if (__atomic_load_n(&gate->users, __ATOMIC_SEQ_CST)) {
        fprintf(stderr, "error: a gate is finalised while a section waits in it\n");
        abort();
    }
    sem_destroy(&gate->sem);
    return 0;
}

/* ---- barriers: pass only when n sections run at once ---- */

#define BARRIER "native.barrier"

static int l_barrier(lua_State *L) {
    lua_Integer n = luaL_checkinteger(L, 1);
    pthread_barrier_t *barrier = lua_newuserdatauv(L, sizeof *barrier, 0);
    pthread_barrier_init(barrier, NULL, (unsigned)n);
    luaL_setmetatable(L, BARRIER);
    return 1;
}

static int barrier_wait(lua_State *L) {
    pthread_barrier_t *barrier = luaL_checkudata(L, 1, BARRIER);
    open_section();
    pthread_barrier_wait(barrier);
    mc_acquire();
    return 0;
}

/* ---- callbacks ---- */

/* call(f, ...): a C function that calls Lua, outside any section */
static int l_call(lua_State *L) {
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

/* call_back(f, ...): from inside a section, under mc_enter and lua_pcall */
static int l_call_back(lua_State *L) {
    int nargs = lua_gettop(L) - 1;
    open_section();
    mc_status entered = mc_enter(), left = entered;
    int status = LUA_OK;
    if (entered == MC_OK) { /* else no script may be called */
        status = lua_pcall(L, nargs, LUA_MULTRET, 0);
        left = mc_leave();
    }
    mc_acquire();
    if (entered != left) return luaL_error(L, "mc_enter gave %d, mc_leave %d", entered, left);
    return status == LUA_OK ? lua_gettop(L) : lua_error(L);
}

/* poll_cancelled([gate]): in a section until it is told to stop; opens the gate first */
static int l_poll_cancelled(lua_State *L) {
    struct gate *gate = lua_isnoneornil(L, 1) ? NULL : luaL_checkudata(L, 1, GATE);
    const struct timespec pause = {0, 1000000};
    mc_release();
    if (gate) sem_post(&gate->sem);
    while (mc_cancelled() == MC_OK) nanosleep(&pause, NULL);
    mc_acquire();
    return 0;
}

/* ---- files ---- */

static int push_pair(lua_State *L, int status, const int fds[2]) {
    if (status != 0) return luaL_error(L, "%s", strerror(errno));
    lua_pushinteger(L, fds[0]);
    lua_pushinteger(L, fds[1]);
    return 2;
}

static int l_pipe(lua_State *L) {
    int fds[2] = {-1, -1};
    return push_pair(L, pipe2(fds, O_CLOEXEC), fds);
}

static int l_socketpair(lua_State *L) {
    int fds[2] = {-1, -1};
    return push_pair(L, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), fds);
}

/* read(fd, n [, gate]): blocks in a section, after opening the gate */
static int l_read(lua_State *L) {
    int fd = (int)luaL_checkinteger(L, 1);
    char buffer[4096];
    size_t wanted = (size_t)luaL_checkinteger(L, 2);
    struct gate *gate = lua_isnoneornil(L, 3) ? NULL : luaL_checkudata(L, 3, GATE);
    if (wanted > sizeof buffer) wanted = sizeof buffer;
    open_section();
    if (gate) sem_post(&gate->sem);
    ssize_t n;
    do n = read(fd, buffer, wanted);
    while (n < 0 && errno == EINTR);
    mc_acquire();
    if (n < 0) return luaL_error(L, "%s", strerror(errno));
    lua_pushlstring(L, buffer, (size_t)n);
    return 1;
}

static int l_write(lua_State *L) {
    size_t size;
    int fd = (int)luaL_checkinteger(L, 1);
    const char *data = luaL_checklstring(L, 2, &size);
    lua_pushinteger(L, write(fd, data, size));
    return 1;
}

static int l_close(lua_State *L) {
    lua_pushboolean(L, close((int)luaL_checkinteger(L, 1)) == 0);
    return 1;
}

/* ---- the process ---- */

static int l_getpid(lua_State *L) {
    lua_pushinteger(L, getpid());
    return 1;
}

static int l_gettid(lua_State *L) {
    lua_pushinteger(L, syscall(SYS_gettid));
    return 1;
}

static int l_kill(lua_State *L) {
    static const char *const names[] = {"INT", "TERM", "KILL", NULL};
    static const int signals[] = {SIGINT, SIGTERM, SIGKILL};
    lua_pushboolean(L,
                    kill((pid_t)luaL_checkinteger(L, 1), signals[luaL_checkoption(L, 2, NULL, names)]) == 0);
    return 1;
}

static int l_threads(lua_State *L) {
    DIR *dir = opendir("/proc/self/task");
    int n = 0;
    for (struct dirent *e; dir && (e = readdir(dir)) != NULL;) n += e->d_name[0] != '.';
    if (dir) closedir(dir);
    lua_pushinteger(L, n);
    return 1;
}

static int l_has_runtime(lua_State *L) {
    lua_pushboolean(L, mc_ext_slot_1 != NULL);
    return 1;
}

void open_jobs(lua_State *L); /* native_jobs.c */

int luaopen_native(lua_State *L);
__attribute__((visibility("default"))) int luaopen_native(lua_State *L) {
    static const luaL_Reg functions[] = {{"section", l_section},
                                         {"plain_section", l_plain_section},
                                         {"busy", l_busy},
                                         {"fail", l_fail},
                                         {"gate", l_gate},
                                         {"barrier", l_barrier},
                                         {"call", l_call},
                                         {"call_back", l_call_back},
                                         {"poll_cancelled", l_poll_cancelled},
                                         {"pipe", l_pipe},
                                         {"socketpair", l_socketpair},
                                         {"read", l_read},
                                         {"write", l_write},
                                         {"close", l_close},
                                         {"getpid", l_getpid},
                                         {"gettid", l_gettid},
                                         {"kill", l_kill},
                                         {"threads", l_threads},
                                         {"has_runtime", l_has_runtime},
                                         {NULL, NULL}};
    static const luaL_Reg gate[] = {{"open", gate_open},
                                    {"pass", gate_pass},
                                    {"pass_through", gate_pass_through},
                                    {"pass_or_unblock", gate_pass_or_unblock},
                                    {"__gc", gate_gc},
                                    {NULL, NULL}};
    static const luaL_Reg barrier[] = {{"wait", barrier_wait}, {NULL, NULL}};
    luaL_newmetatable(L, GATE);
    luaL_setfuncs(L, gate, 0);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    luaL_newmetatable(L, BARRIER);
    luaL_setfuncs(L, barrier, 0);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    mc_support(0);
    luaL_newlib(L, functions);
#if defined(__SANITIZE_THREAD__)
    lua_pushboolean(L, 1); /* which has room for some thousand fibers */
#else
    lua_pushboolean(L, 0);
#endif
    lua_setfield(L, -2, "thread_sanitized");
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
    lua_pushboolean(L, 1);
#else
    lua_pushboolean(L, 0);
#endif
    lua_setfield(L, -2, "sanitized");
    open_jobs(L);
    return 1;
}
