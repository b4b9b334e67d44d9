/* A native Lua module: sha256.file(path) -> hex digest, bytes; or nil, message.
 *
 * It gives up the interpreter while it reads and hashes. All that this takes is extension.h.
 * SPDX-License-Identifier: BSL-1.0 */
#include <lauxlib.h>
#include <lua.h>
#include <multicore/extension.h>
#include <string.h>

#include "hash_file.h"

static int sha256_file(lua_State *L) {
    static const char digits[] = "0123456789abcdef";
    /* The path stays valid: it is an argument, and so on this call's Lua stack. */
    const char *path = luaL_checkstring(L, 1);
    unsigned char digest[HASH_BYTES];
    char hex[2 * HASH_BYTES];
    unsigned long long bytes = 0;
    int error, i;

    mc_release();
    error = hash_file(path, digest, &bytes);
    mc_acquire();

    if (error) {
        lua_pushnil(L);
        lua_pushstring(L, strerror(error));
        return 2;
    }
    for (i = 0; i < HASH_BYTES; i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
    lua_pushlstring(L, hex, sizeof hex);
    lua_pushinteger(L, (lua_Integer)bytes);
    return 2;
}

static const luaL_Reg functions[] = {{"file", sha256_file}, {NULL, NULL}};

LUAMOD_API int luaopen_sha256(lua_State *L) {
    if (hash_prepare()) return luaL_error(L, "OpenSSL has no SHA-256");
    mc_support(0);
    luaL_newlib(L, functions);
    return 1;
}
