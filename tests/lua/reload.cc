// A program that loads liblua at run time: one state with multicore after the other, beside each other,
// closed in either order; and the library closed and loaded again. After each state its carriers are gone.
//
// reload LIBLUA. It links nothing of ours; the modules are found through LUA_CPATH.
// SPDX-License-Identifier: BSL-1.0
#include <dirent.h>
#include <dlfcn.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <future>
#include <thread>

namespace {

const char* const script = R"(
    local mc, native = require "multicore", require "native"
    local inside, gates = native.gate(), {}
    local tasks = {}
    for i = 1, 3 do
        gates[i] = native.gate()
        tasks[i] = mc.spawn(function() gates[i]:pass_through(inside) return i end)
    end
    for i = 1, 3 do inside:pass() end
    local sum = 0
    for i = 1, 3 do
        gates[i]:open()
        sum = sum + tasks[i]:join()
    end
    assert(sum == 6)
    mc.spawn(mc.sleep, 3600)
    assert(mc.submit(native.multiply, 6, 7):join() == 42)
)";

[[noreturn]] void fail(const char* what, const char* why) {
    std::fprintf(stderr, "%s: %s\n", what, why ? why : "?");
    std::_Exit(1);
}

struct Library {
    void* handle;

    explicit Library(const char* path) : handle(dlopen(path, RTLD_NOW | RTLD_GLOBAL)) {
        if (!handle) fail(path, dlerror());
    }
    template <class Result, class... Arguments>
    Result call(const char* name, Arguments... arguments) const {
        void* const function = dlsym(handle, name);
        if (!function) fail(name, dlerror());
        return reinterpret_cast<Result (*)(Arguments...)>(function)(arguments...);
    }
    bool has(const char* name) const { return dlsym(handle, name) != nullptr; }
};

class State {
public:
    explicit State(const Library& lua) : lua_(lua), L_(lua.call<void*>("luaL_newstate")) {
        lua_.call<void>("luaL_openlibs", L_);
    }
    void run() {
        if (lua_.call<int>("luaL_loadstring", L_, script) != 0) fail("load", text());
        const int status = lua_.has("lua_pcallk")
                               ? lua_.call<int>("lua_pcallk", L_, 0, 0, 0, 0L, static_cast<void*>(nullptr))
                               : lua_.call<int>("lua_pcall", L_, 0, 0, 0);
        if (status != 0) fail("run", text());
    }
    void close() { lua_.call<void>("lua_close", L_); }

private:
    const char* text() {
        return lua_.call<const char*>("lua_tolstring", L_, -1, static_cast<void*>(nullptr));
    }
    const Library& lua_;
    void* L_;
};

int threads() {
    DIR* tasks = opendir("/proc/self/task");
    int count = 0;
    while (const dirent* entry = readdir(tasks)) count += entry->d_name[0] != '.';
    closedir(tasks);
    return count;
}

void one_after_the_other(const Library& lua, int times, int idle) {
    for (int i = 0; i < times; ++i) {
        State state(lua);
        state.run();
        state.close();
        while (threads() > idle) std::this_thread::yield();
    }
}

void beside_each_other(const Library& lua, bool first_one_first, int idle) {
    std::promise<void> ready, go_on;
    State first(lua);
    first.run();
    std::thread other([&] {
        State second(lua);
        second.run();
        ready.set_value();
        go_on.get_future().wait();
        second.run();
        second.close();
    });
    ready.get_future().wait();
    if (first_one_first) first.close();
    go_on.set_value();
    other.join();
    if (!first_one_first) {
        first.run();
        first.close();
    }
    while (threads() > idle) std::this_thread::yield();
}

}  // namespace

int main(int, char** arguments) {
    alarm(60);
    std::thread([] {}).join();       // a sanitizer may start a thread of its own beside the first
    const int idle = threads() + 1;  // and the one that waits for Ctrl-C, for as long as the process lives
    for (int i = 0; i < 2; ++i) {
        const Library lua(arguments[1]);
        one_after_the_other(lua, 50, idle);
        beside_each_other(lua, true, idle);
        beside_each_other(lua, false, idle);
        if (dlclose(lua.handle) != 0) fail("dlclose", dlerror());
    }
    return 0;
}
