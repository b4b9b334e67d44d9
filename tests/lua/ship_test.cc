// Scripts in programs that own their lua_State, with MC_LUA_SHIP: Lua stays on one thread, and tasks leave it
// in their sections. SPDX-License-Identifier: BSL-1.0
#include <lua.hpp>

#include "multicore/lua.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>

namespace {

// Runs a script of this folder, in a state of its own. Its exit code; or its error.
std::string run(const std::string& name, uint32_t flags) {
    lua_State* L = luaL_newstate();
    luaL_openlibs(L);
    EXPECT_EQ(MC_OK, mc_lua_open(L, nullptr, flags)) << lua_tostring(L, -1);
    const std::string setup = std::string("SHIPS = ") + (flags & MC_LUA_SHIP ? "true" : "false") +
                              "\npackage.path = '" MC_TEST_SCRIPTS
                              "/?.lua'"
                              "\npackage.cpath = '" MC_TEST_MODULES
                              "/?.so'"
                              "\nos.exit = function(code) error('exit ' .. code, 0) end"
                              "\nreturn dofile('" MC_TEST_SCRIPTS "/" +
                              name + ".lua')";
    luaL_loadstring(L, setup.c_str());
    lua_pcall(L, 0, 0, 0);
    const char* text = lua_tostring(L, -1);
    const std::string result = text ? text : "";
    lua_close(L);
    return result;
}

class LuaShip : public testing::TestWithParam<const char*> {};

TEST_P(LuaShip, Runs) { EXPECT_EQ("exit 0", run(GetParam(), MC_LUA_SHIP)); }

INSTANTIATE_TEST_SUITE_P(Script, LuaShip, testing::Values("channel", "map", "mixed", "semaphore", "wait"),
                         [](const auto& script) { return std::string(script.param); });

TEST(LuaShipAndLend, SideBySide) {
    std::thread other([] { EXPECT_EQ("exit 0", run("mixed", 0)); });
    EXPECT_EQ("exit 0", run("mixed", MC_LUA_SHIP));
    other.join();
}

// A task that returns from its section is the current one again, whoever ran meanwhile.
TEST(LuaShipTask, KnowsItself) {
    lua_State* L = luaL_newstate();
    luaL_openlibs(L);
    ASSERT_EQ(MC_OK, mc_lua_open(L, nullptr, MC_LUA_SHIP));
    const char* const script =
        "package.cpath = '" MC_TEST_MODULES
        "/?.so'\n"
        "local mc, native = require 'multicore', require 'native'\n"
        "local gate, names = native.gate(), {}\n"
        "local a = mc.spawn {name = 'a', function() gate:pass() names[#names + 1] = mc.self():name() end}\n"
        "local b = mc.spawn {name = 'b', function() gate:pass() names[#names + 1] = mc.self():name() end}\n"
        "local c = mc.spawn {name = 'c', function() names[1] = mc.self():name() gate:open(2) end}\n"
        "a:join() b:join() c:join() table.sort(names)\n"
        "return table.concat(names) .. mc.self():name()";
    luaL_loadstring(L, script);
    lua_pcall(L, 0, 1, 0);
    EXPECT_STREQ("abcmain", lua_tostring(L, -1));
    lua_close(L);
}

}  // namespace
