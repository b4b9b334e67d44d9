/* Functions for mc.submit. SPDX-License-Identifier: BSL-1.0 */
#include <errno.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#include "multicore/lua.h"

void open_jobs(lua_State *L); /* adds to the table on top */

static int disposed; /* any thread */

static void dispose(void *data) {
    (void)data;
    __atomic_add_fetch(&disposed, 1, __ATOMIC_SEQ_CST);
}

/* disposed(): how many since the last call */
static int l_disposed(lua_State *L) {
    lua_pushinteger(L, __atomic_exchange_n(&disposed, 0, __ATOMIC_SEQ_CST));
    return 1;
}

/* multiply(a, b) -> a * b, "times" */
struct product {
    lua_Number a, b, product;
};

static void prepare_multiply(lua_State *L, void *data) {
    struct product *p = data;
    p->a = luaL_checknumber(L, 1);
    p->b = luaL_checknumber(L, 2);
}

static void multiply(void *data) {
    struct product *p = data;
    p->product = p->a * p->b;
}

static int finish_multiply(lua_State *L, void *data) {
    lua_pushnumber(L, ((struct product *)data)->product);
    lua_pushliteral(L, "times");
    return 2;
}

static int finish_error(lua_State *L, void *data) {
    (void)data;
    return luaL_error(L, "failed in finish");
}

/* reverse(string): reads the argument where it is, after a gate was passed */
struct reversal {
    const char *text;
    size_t length;
    sem_t *gate;
    char *result;
};

static void prepare_reverse(lua_State *L, void *data) {
    struct reversal *r = data;
    r->gate = luaL_checkudata(L, 1, "native.gate"); /* its first member */
    r->text = luaL_checklstring(L, 2, &r->length);
    r->result = malloc(r->length + 1);
}

static void reverse(void *data) {
    struct reversal *r = data;
    while (sem_wait(r->gate) != 0 && errno == EINTR) continue;
    for (size_t i = 0; i < r->length; i++) r->result[i] = r->text[r->length - 1 - i];
}

static int finish_reverse(lua_State *L, void *data) {
    struct reversal *r = data;
    lua_pushlstring(L, r->result, r->length);
    return 1;
}

static void dispose_reverse(void *data) {
    free(((struct reversal *)data)->result);
    dispose(data);
}

/* pass(entered, gate), pass_or_unblock(entered, gate): opens one gate, waits for the other */
struct passage {
    sem_t *entered, *gate;
};

static void prepare_pass(lua_State *L, void *data) {
    struct passage *p = data;
    p->entered = luaL_checkudata(L, 1, "native.gate");
    p->gate = luaL_checkudata(L, 2, "native.gate");
}

static void pass(void *data) {
    struct passage *p = data;
    sem_post(p->entered);
    while (sem_wait(p->gate) != 0 && errno == EINTR) continue;
}

static void unblock_pass(void *data) { sem_post(((struct passage *)data)->gate); }

static int finish_pass(lua_State *L, void *data) {
    (void)data;
    lua_pushboolean(L, 1);
    return 1;
}

static void add(lua_State *L, const char *name, const mc_lua_function *function) {
    mc_lua_push_function(L, function);
    lua_setfield(L, -2, name);
}

void open_jobs(lua_State *L) {
    lua_pushcfunction(L, l_disposed);
    lua_setfield(L, -2, "disposed");

    mc_lua_function f = MC_LUA_FUNCTION_INIT;
    f.data_size = sizeof(struct product);
    f.prepare = prepare_multiply;
    f.work = multiply;
    f.finish = finish_multiply;
    f.dispose = dispose;
    add(L, "multiply", &f);
    f.finish = finish_error;
    add(L, "fails", &f);
    f.finish = NULL;
    add(L, "unfinished", &f);

    f.work_class = MC_WORK_IO;
    f.data_size = sizeof(struct passage);
    f.prepare = prepare_pass;
    f.work = pass;
    f.finish = finish_pass;
    add(L, "pass", &f);
    f.unblock = unblock_pass;
    add(L, "pass_or_unblock", &f);

    f.data_size = sizeof(struct reversal);
    f.prepare = prepare_reverse;
    f.work = reverse;
    f.finish = finish_reverse;
    f.dispose = dispose_reverse;
    f.unblock = NULL;
    add(L, "reverse", &f);
}
