/* One Lua API for every version this host is built for: the names of Lua 5.4. For 5.1, of which LuaJIT
 * has the binary interface, the rest of what is used here is made from what there is (compat51.c).
 *
 * One binary serves Lua 5.1 and LuaJIT, so what tells them apart is found at run time (MCL_LUAJIT).
 * SPDX-License-Identifier: BSL-1.0
 */
#ifndef MULTICORE_HOSTS_LUA_COMPAT_H
#define MULTICORE_HOSTS_LUA_COMPAT_H

#include <lauxlib.h>
#include <lua.h>

#if LUA_VERSION_NUM >= 504

#define MCL_LUAJIT 0
#define MCL_CLOSES 1                   /* variables at the end of their block */
#define MCL_TASK_STACK (1024u * 1024u) /* Lua's own limit of nested C calls fits, see docs/lua.md */
#define MCL_COUNT "%I"                 /* in a format: a lua_Integer */
#define MCL_COUNT_ARG(n) ((LUAI_UACINT)(n))
#define MCL_TAIL_EVENT "tail call"
#define MCL_TAIL_MASK LUA_MASKCALL

static inline lua_State *mcl_main_state(lua_State *L) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
    lua_State *main_L = lua_tothread(L, -1);
    lua_pop(L, 1);
    return main_L;
}

/* Whether a finaliser runs, or the state is being closed. */
static inline int mcl_collector_stopped(lua_State *L) {
    return lua_gc(L, LUA_GCCOUNT) == -1; /* from 5.4.4 on every answer is, while it is stopped from inside */
}

static inline int mcl_stream_closed(const luaL_Stream *stream) { return stream->closef == NULL; }

/* Calls f with `ud` as light userdata; whatever that raises is caught and left on the stack. */
static inline int mcl_cpcall(lua_State *L, lua_CFunction f, void *ud) {
    lua_pushcfunction(L, f);
    lua_pushlightuserdata(L, ud);
    return lua_pcall(L, 1, 0, 0);
}

#elif LUA_VERSION_NUM == 501

#include <lualib.h> /* LUA_FILEHANDLE */
#include <stdio.h>

/* LuaJIT alone has it: the module is loaded by either. */
extern int luaJIT_setmode(lua_State *L, int idx, int mode) __attribute__((weak));
#define MCL_LUAJIT (luaJIT_setmode != NULL)
#define MCL_CLOSES 0

#define MCL_TASK_STACK (4096u * 1024u) /* 200 nested calls of gsub need 2.2 MiB */
#define MCL_COUNT "%f"
#define MCL_COUNT_ARG(n) ((lua_Number)(n))
#define MCL_TAIL_EVENT "tail return"
#define MCL_TAIL_MASK LUA_MASKRET
#define LUA_HOOKTAILCALL LUA_HOOKTAILRET

#define LUA_MAXINTEGER ((lua_Integer)1 << 53) /* so that it survives as a number */
#ifndef LUA_OK
#define LUA_OK 0
#endif

typedef struct luaL_Stream {
    FILE *f; /* NULL: closed */
} luaL_Stream;

lua_State *mcl_main_state(lua_State *L); /* raises an error if L is a coroutine: nothing names the main one */
int mcl_collector_stopped(lua_State *L); /* Lua 5.1 does not tell: 0 */
static inline int mcl_stream_closed(const luaL_Stream *stream) { return stream->f == NULL; }
#define mcl_cpcall lua_cpcall

/* The getters of 5.4 return the type. */
#define lua_getfield(L, index, name) (lua_getfield(L, index, name), lua_type(L, -1))
#define lua_rawgetp(L, index, p) (mcl51_rawgetp(L, index, p), lua_type(L, -1))
#define lua_rawsetp mcl51_rawsetp
#define lua_rawgeti mcl51_rawgeti /* with int, there */
#define lua_rawseti mcl51_rawseti
#define lua_geti mcl51_geti
#define lua_isinteger mcl51_isinteger
#define lua_newuserdatauv(L, size, values) lua_newuserdata(L, size)
#define lua_setiuservalue(L, index, n) mcl51_setuservalue(L, index)
#define lua_getiuservalue(L, index, n) mcl51_getuservalue(L, index)
#define lua_resume mcl51_resume
#define lua_resetthread lua_status /* nothing is to be closed */
#define lua_sethook mcl51_sethook

#undef luaL_newlib
#define luaL_newlib(L, functions) (lua_newtable(L), luaL_setfuncs(L, functions, 0))
#define luaL_setfuncs mcl51_setfuncs
#define luaL_setmetatable mcl51_setmetatable
#define luaL_testudata mcl51_testudata
#define luaL_tolstring(L, index, length) mcl51_tostring(L, index)
#define luaL_traceback mcl51_traceback
#define luaL_checkinteger mcl51_checkinteger
#undef luaL_optinteger
#define luaL_optinteger(L, arg, n) luaL_opt(L, mcl51_checkinteger, arg, n)
#define luaL_len mcl51_len
#define luaL_requiref mcl51_requiref
#define luaL_typeerror luaL_typerror
#define luaL_pushfail lua_pushnil
#define luaL_checkversion(L) ((void)(L))

void mcl51_rawgetp(lua_State *L, int index, const void *p);
void mcl51_rawsetp(lua_State *L, int index, const void *p);
void mcl51_rawgeti(lua_State *L, int index, lua_Integer i);
void mcl51_rawseti(lua_State *L, int index, lua_Integer i);
void mcl51_geti(lua_State *L, int index, lua_Integer i);
int mcl51_isinteger(lua_State *L, int index);
void mcl51_setuservalue(lua_State *L, int index);
void mcl51_getuservalue(lua_State *L, int index);
int mcl51_resume(lua_State *co, lua_State *from, int nargs, int *nresults);
/* Does nothing in LuaJIT: its hooks are one for all lua_States, and compiled code never calls them. */
void mcl51_sethook(lua_State *L, lua_Hook hook, int mask, int count);
void mcl51_setfuncs(lua_State *L, const luaL_Reg *functions, int upvalues);
void mcl51_setmetatable(lua_State *L, const char *name);
void *mcl51_testudata(lua_State *L, int index, const char *name);
const char *mcl51_tostring(lua_State *L, int index);
void mcl51_traceback(lua_State *L, lua_State *of, const char *message, int level);
lua_Integer mcl51_checkinteger(lua_State *L, int arg);
lua_Integer mcl51_len(lua_State *L, int index);
void mcl51_requiref(lua_State *L, const char *name, lua_CFunction open, int global);

#else
#error "multicore: this version of Lua is not supported; there are 5.1, LuaJIT and 5.4"
#endif

#endif
