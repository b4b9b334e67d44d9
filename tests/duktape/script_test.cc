// Runs each script of this folder in each way. A script throws where something is wrong, and its value is
// "done" when it got to its end.
// SPDX-License-Identifier: BSL-1.0
#include <fstream>
#include <sstream>
#include <thread>
#include <tuple>

#include "heap.h"

namespace {

std::string read(const std::string& name) {
    std::ifstream file(MC_TEST_SCRIPTS + name + ".js");
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

struct Way {
    const char* name;
    std::uint32_t way;
};

void PrintTo(const Way& way, std::ostream* out) { *out << way.name; }

std::string run(const char* name, std::uint32_t way) {
    Heap heap(way);
    duk_push_boolean(heap.js, way == MC_WAY_LEND);
    duk_put_global_string(heap.js, "lends");
    heap.run(read("check").c_str());
    return heap.run(read(name).c_str());
}

class Script : public testing::TestWithParam<std::tuple<const char*, Way>> {};

TEST_P(Script, Runs) {
    const auto [name, way] = GetParam();
    EXPECT_EQ(run(name, way.way), "done");
}

INSTANTIATE_TEST_SUITE_P(
    Duktape, Script,
    testing::Combine(testing::Values("tasks", "switches", "finalisers", "sections", "interrupt", "recursion"),
                     testing::Values(Way{"lend", MC_WAY_LEND}, Way{"ship", MC_WAY_SHIP})),
    [](const auto& suite) {
        return std::string(std::get<0>(suite.param)) + "_" + std::get<1>(suite.param).name;
    });

TEST(ScriptOfBothWays, SideBySide) {
    std::thread other([] { EXPECT_EQ(run("switches", MC_WAY_SHIP), "done"); });
    EXPECT_EQ(run("switches", MC_WAY_LEND), "done");
    other.join();
}

}  // namespace
