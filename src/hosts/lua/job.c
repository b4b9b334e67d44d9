/* mc.submit: functions of C modules that run on the pool without a task and without Lua.
 *
 * J1  The handle, and with it the arguments, is anchored until `done`.
 * J2  `finish` is called by the first join, in a Lua function of the host's; its results stay with the
 * handle. It may not release, so the second join finds them. A job whose work outlives the state is never
 * done: what it uses stays in memory. SPDX-License-Identifier: BSL-1.0
 */
#include <stdlib.h>

#include "close.h"
#include "host.h"
#include "lib.h"
#include "multicore/lua.h"
#include "raise.h"
#include "waiter.h"

#define CLASS "multicore.job"

struct job {
    struct mcl_host *host; /* until it is over */
    mc_lua_function function;
    mc_job *handle;
    struct mcl_line joiners;
    int anchor;    /* reference to the userdata */
    unsigned refs; /* the userdata's and the runtime's */
    mc_status status;
    unsigned char over, finished, failed;
    union { /* of an alignment that suits any data */
        long double number;
        void *pointer;
    } data[];
};

static void job_unref(struct job *job) {
    if (--job->refs) return;
    if (job->function.dispose) job->function.dispose(job->data);
    if (job->handle) mc_job_unref(job->handle);
    free(job);
}

static struct job *check_job(lua_State *L) {
    struct job **box = luaL_checkudata(L, 1, CLASS);
    luaL_argcheck(L, *box, 1, "the job has been collected");
    return *box;
}

/* ---- as the runtime sees it ---- */

static void work(void *arg) {
    struct job *job = arg;
    job->function.work(job->data);
}

static void unblock(void *arg) {
    struct job *job = arg;
    job->function.unblock(job->data);
}

/* With the baton, on no task's stack. */
static void done(void *arg, mc_status status) {
    struct job *job = arg;
    job->status = status;
    job->over = 1;
    job->host->jobs--;
    while (mcl_line_first(&job->joiners)) mcl_line_serve(&job->joiners, MCL_SERVED);
    luaL_unref(job->host->service, LUA_REGISTRYINDEX, job->anchor);
    job_unref(job);
}

/* ---- submit ---- */

/* job, args... */
static int prepare(lua_State *L) {
    struct job *job = lua_touserdata(L, 1);
    lua_remove(L, 1);
    job->function.prepare(L, job->data);
    return 0;
}

static struct job *new_job(lua_State *L, struct mcl_host *h, const mc_lua_function *function) {
    struct job **box = lua_newuserdatauv(L, sizeof *box, 1);
    *box = NULL;
    luaL_setmetatable(L, CLASS);
    struct job *job = calloc(1, sizeof *job + function->data_size);
    if (!job) luaL_error(L, "submit: out of memory");
    *box = job;
    job->refs = 1;
    job->function = *function;
    job->host = h;
    return job;
}

/* submit(function, ...) -> job */
int mcl_l_submit(lua_State *L) {
    const mc_lua_function *function = luaL_checkudata(L, 1, MC_LUA_FUNCTION);
    luaL_argcheck(L, function->size == sizeof *function && function->work && function->finish, 1,
                  "not made with MC_LUA_FUNCTION_INIT, `work` and `finish`");
    struct mcl_task *k = mcl_self(L);
    struct mcl_host *h = k->host;
    const int args = lua_gettop(L) - 1;
    luaL_checkstack(L, args + 6, "submit");
    struct job *job = new_job(L, h, function);
    lua_insert(L, 2);
    if (function->prepare) {
        lua_pushcfunction(L, prepare);
        lua_pushlightuserdata(L, job);
        for (int i = 0; i < args; i++) lua_pushvalue(L, 3 + i);
        lua_call(L, args + 1, 0);
    }
    lua_createtable(L, args, 0);
    for (int i = 1; i <= args; i++) {
        lua_pushvalue(L, 2 + i);
        lua_rawseti(L, -2, i);
    }
    lua_setiuservalue(L, 2, 1);
    lua_pushvalue(L, 2);
    job->anchor = luaL_ref(L, LUA_REGISTRYINDEX);

    mc_job_options options = MC_JOB_OPTIONS_INIT;
    options.work_class = job->function.work_class;
    options.unblock = job->function.unblock ? unblock : NULL;
    options.unblock_arg = job;
    /* At the end of the state this must come before the finalisers of all that the work uses. */
    mcl_guard_quietly(h);
    job->refs++;
    h->jobs++;
    mc_status status = mc_job_submit(h->runtime, work, done, job, &options, &job->handle);
    if (status != MC_OK) {
        h->jobs--;
        job_unref(job);
        luaL_unref(L, LUA_REGISTRYINDEX, job->anchor);
        if (status == MC_EAGAIN) return luaL_error(L, "submit: too many jobs; let some of them end first");
        return mcl_raise(L, k, status, "submit");
    }
    lua_settop(L, 2);
    return 1;
}

/* ---- methods ---- */

static int finish(lua_State *L) {
    struct job *job = lua_touserdata(L, 1);
    lua_settop(L, 0);
    return job->function.finish(L, job->data);
}

/* The results, or the error, become the userdata's. */
static void finish_once(lua_State *L, struct job *job) {
    lua_settop(L, 1);
    lua_newtable(L);
    job->finished = 1;
    lua_pushcfunction(L, finish);
    lua_pushlightuserdata(L, job);
    job->failed = lua_pcall(L, 1, LUA_MULTRET, 0) != LUA_OK;
    const int n = lua_gettop(L) - 2;
    lua_pushinteger(L, n);
    lua_setfield(L, 2, "n");
    for (int i = n; i > 0; i--) lua_rawseti(L, 2, i);
    lua_setiuservalue(L, 1, 1);
}

/* join([timeout]) -> results | nil, "timeout" | nil, "cancelled" */
static int job_join(lua_State *L) {
    struct job *job = check_job(L);
    uint64_t timeout = mcl_opt_timeout(L, 2);
    struct mcl_task *k = mcl_self(L);
    if (!job->over) mcl_line_wait(L, &job->joiners, k, timeout, "join");
    if (!job->over || job->status != MC_OK) {
        lua_pushnil(L);
        lua_pushstring(L, job->over ? "cancelled" : "timeout");
        return 2;
    }
    if (!job->finished) finish_once(L, job);
    lua_settop(L, 1);
    lua_getiuservalue(L, 1, 1);
    lua_getfield(L, 2, "n");
    const int n = (int)lua_tointeger(L, -1);
    luaL_checkstack(L, n, "join: too many results");
    for (int i = 1; i <= n; i++) lua_rawgeti(L, 2, i);
    return job->failed ? lua_error(L) : n;
}

/* cancel() -> true | false, message */
static int job_cancel(lua_State *L) {
    struct job *job = check_job(L);
    mcl_self(L);
    if (job->over || mc_job_cancel(job->handle) != MC_EBUSY) {
        lua_pushboolean(L, 1);
        return 1;
    }
    lua_pushboolean(L, 0);
    lua_pushliteral(L, "its work cannot be ended");
    return 2;
}

static int job_tostring(lua_State *L) {
    struct job *job = check_job(L);
    lua_pushfstring(L, "job (%s): %p", job->over ? "over" : "under way", (void *)job);
    return 1;
}

static int job_gc(lua_State *L) {
    struct job **box = luaL_checkudata(L, 1, CLASS);
    struct job *job = *box;
    *box = NULL;
    if (job) job_unref(job);
    return 0;
}

void mcl_open_jobs(lua_State *L) {
    static const luaL_Reg methods[] = {{"join", job_join}, {"cancel", job_cancel}, {NULL, NULL}};
    static const luaL_Reg metamethods[] = {{"__tostring", job_tostring}, {"__gc", job_gc}, {NULL, NULL}};
    mcl_new_class(L, CLASS, methods, metamethods);
}
