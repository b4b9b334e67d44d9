// Programs that own their lua_State: multicore/lua.h, in C++.
// SPDX-License-Identifier: BSL-1.0
#include <lua.hpp>

#include "multicore/lua.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>

#include "multicore/extension.h"

namespace {

struct State {
    lua_State* L = luaL_newstate();
    State() { luaL_openlibs(L); }
    ~State() {
        if (L) lua_close(L);
    }
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    // Runs a script; its result, or its error.
    std::string run(const char* script) { return run_on(L, script); }
    static std::string run_on(lua_State* L, const char* script) {
        if (luaL_loadstring(L, script) == 0) lua_pcall(L, 0, 1, 0);
        lua_getglobal(L, "tostring");
        lua_pushvalue(L, -2);
        lua_call(L, 1, 1);
        const char* text = lua_tostring(L, -1);
        std::string result = text ? text : "";
        lua_pop(L, 2);
        return result;
    }
};

TEST(LuaEmbed, OpensAndRequires) {
    State state;
    ASSERT_EQ(mc_lua_open(state.L, nullptr, 0), MC_OK);
    EXPECT_EQ(lua_gettop(state.L), 0);
    EXPECT_EQ(state.run("return require('multicore').spawn(function() return 'ran' end):join()"), "ran");
    EXPECT_NE(mc_lua_runtime(state.L), nullptr);
}

TEST(LuaEmbed, RefusesWhatCannotWork) {
    State state;
    EXPECT_EQ(mc_lua_runtime(state.L), nullptr);
    EXPECT_EQ(mc_lua_task(state.L), nullptr);
    EXPECT_EQ(mc_lua_close(state.L, 0), MC_OK);
    EXPECT_EQ(mc_lua_open(state.L, nullptr, 77), MC_EINVAL);
    EXPECT_STREQ(lua_tostring(state.L, -1), "mc_lua_open: unknown flags");
    ASSERT_EQ(mc_lua_open(state.L, nullptr, 0), MC_OK);
    EXPECT_EQ(mc_lua_open(state.L, nullptr, 0), MC_EBUSY);
    State second;
    EXPECT_EQ(mc_lua_open(second.L, nullptr, 0), MC_EPERM);
    lua_getglobal(second.L, "require");
    lua_pop(second.L, 1);
    lua_pushcfunction(state.L, luaopen_multicore);
    lua_call(state.L, 0, 1);
    lua_pushcfunction(second.L, luaopen_multicore);
    EXPECT_EQ(lua_pcall(second.L, 0, 0, 0), LUA_ERRRUN);
    EXPECT_NE(std::string(lua_tostring(second.L, -1)).find("a thread of its own"), std::string::npos);
}

TEST(LuaEmbed, TakesTheRuntimesOptions) {
    State state;
    mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
    options.max_threads = 1;
    ASSERT_EQ(mc_lua_open(state.L, &options, 0), MC_OK);
    state.run("local mc = require 'multicore'; mc.map(mc.sleep, {0.001, 0.001, 0.001})");
    EXPECT_EQ(state.run("return require('multicore').stats().threads_peak <= 1"), "true");
    options.size = 4;
    State other;
    EXPECT_EQ(mc_lua_open(other.L, &options, 0), MC_EINVAL);
}

TEST(LuaEmbed, OneStateAfterTheOther) {
    for (int i = 0; i < 5; i++) {
        State state;
        ASSERT_EQ(mc_lua_open(state.L, nullptr, 0), MC_OK);
        EXPECT_EQ(state.run("local mc = require 'multicore'\n"
                            "for i = 1, 5 do mc.spawn(mc.sleep, 3600) end\n"
                            "mc.yield() return mc.stats().tasks_alive"),
                  "6");
    }
    EXPECT_EQ(mc_task_current(), nullptr);
}

TEST(LuaEmbed, StatesOnThreadsOfTheirOwn) {
    auto body = [] {
        State state;
        ASSERT_EQ(mc_lua_open(state.L, nullptr, 0), MC_OK);
        EXPECT_EQ(state.run("local mc = require 'multicore'\n"
                            "local sum = 0\n"
                            "local r = mc.map(function(i) for _ = 1, 20 do mc.yield() end return i end,\n"
                            "                 {1, 2, 3, 4, 5, 6, 7, 8})\n"
                            "for _, v in ipairs(r) do sum = sum + v end return sum"),
                  "36");
    };
    std::thread one(body), two(body);
    one.join();
    two.join();
}

mc_task* seen_task = nullptr;
int see_task(lua_State* L) {
    seen_task = mc_lua_task(L);
    return 0;
}

TEST(LuaEmbed, KnowsTheTaskOfAState) {
    State state;
    ASSERT_EQ(mc_lua_open(state.L, nullptr, 0), MC_OK);
    EXPECT_EQ(mc_lua_task(state.L), mc_task_current());
    lua_register(state.L, "see_task", see_task);
    EXPECT_EQ(
        state.run(
            "local mc = require 'multicore'\n"
            "local t = mc.spawn {name = 'seen', function() coroutine.wrap(function() see_task() end)() end}\n"
            "t:join() return mc.self():name()"),
        "main");
    ASSERT_NE(seen_task, nullptr);
    EXPECT_STREQ(mc_task_name(seen_task), "seen");
    lua_State* stray = lua_newthread(state.L);
    EXPECT_EQ(mc_lua_task(stray), nullptr);
}

TEST(LuaEmbed, OtherThreadsEnter) {
    State state;
    ASSERT_EQ(mc_lua_open(state.L, nullptr, 0), MC_OK);
    state.run("CHANNEL = require('multicore').channel()");
    mc_runtime* runtime = mc_lua_runtime(state.L);
    lua_State* main_state = state.L;
    std::thread visitor([=] {
        ASSERT_EQ(mc_attach(runtime, nullptr, MC_FOREVER, nullptr), MC_OK);
        lua_State* L = nullptr;
        ASSERT_EQ(mc_lua_enter(main_state, &L), MC_OK);
        EXPECT_EQ(mc_lua_enter(main_state, &L), MC_EPERM);
        EXPECT_EQ(State::run_on(L,
                                "local mc = require 'multicore'\n"
                                "mc.sleep(0.001) CHANNEL:send('from another thread')\n"
                                "return mc.spawn(function() return 'a task of the visitor' end):join()"),
                  "a task of the visitor");
        EXPECT_EQ(mc_lua_leave(L), MC_OK);
        EXPECT_EQ(mc_lua_leave(L), MC_EPERM);
        EXPECT_EQ(mc_detach(), MC_OK);
    });
    EXPECT_EQ(state.run("return CHANNEL:receive()"), "from another thread");
    mc_release();
    visitor.join();
    mc_acquire();
    EXPECT_EQ(state.run("return require('multicore').stats().tasks_alive"), "1");
}

TEST(LuaEmbed, NoTaskOnAThreadThatDidNotEnter) {
    State state;
    ASSERT_EQ(mc_lua_open(state.L, nullptr, 0), MC_OK);
    mc_runtime* runtime = mc_lua_runtime(state.L);
    std::string result;
    std::thread visitor([&] {
        lua_State* stray = nullptr;
        EXPECT_EQ(mc_lua_enter(state.L, &stray), MC_EPERM);
        ASSERT_EQ(mc_attach(runtime, nullptr, MC_FOREVER, nullptr), MC_OK);
        stray = lua_newthread(state.L);
        result = State::run_on(stray, "require('multicore').sleep(1)");
        lua_pop(state.L, 1);
        mc_detach();
    });
    mc_release();
    visitor.join();
    mc_acquire();
    EXPECT_NE(result.find("runs no task"), std::string::npos) << result;
}

TEST(LuaEmbed, ClosesBeforeTheState) {
    State state;
    ASSERT_EQ(mc_lua_open(state.L, nullptr, 0), MC_OK);
    state.run("MC = require 'multicore'; T = MC.spawn(MC.sleep, 3600); MC.yield()");
    EXPECT_EQ(mc_lua_close(state.L, MC_FOREVER), MC_OK);
    EXPECT_EQ(mc_lua_runtime(state.L), nullptr);
    EXPECT_NE(state.run("MC.sleep(1)").find("has been closed"), std::string::npos);
    EXPECT_EQ(state.run("return T:status()"), "ended");
    EXPECT_EQ(state.run("return coroutine.wrap(function() return 'Lua goes on' end)()"), "Lua goes on");
    EXPECT_EQ(mc_lua_close(state.L, 0), MC_OK);
}

}  // namespace
