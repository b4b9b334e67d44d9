// An mrb_state with a runtime and the native functions, for one test.
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>

#include "multicore/mruby.h"
#include "native.h"

#include <mruby/compile.h>
#include <mruby/string.h>

namespace mrbtest {

// Runs a script; its value as a string, or "Class: message" of what it raised.
inline std::string run(mrb_state* mrb, const std::string& script, const char* name = "test") {
    const int arena = mrb_gc_arena_save(mrb);
    mrbc_context* context = mrbc_context_new(mrb);
    mrbc_filename(mrb, context, name);
    mrb_value value = mrb_load_nstring_cxt(mrb, script.data(), script.size(), context);
    mrbc_context_free(mrb, context);
    const bool raised = mrb->exc;
    if (raised) value = mrb_obj_value(mrb->exc);
    mrb->exc = nullptr;
    mrb_value text = mrb_funcall(mrb, value, raised ? "inspect" : "to_s", 0);
    std::string result(RSTRING_PTR(text), static_cast<size_t>(RSTRING_LEN(text)));
    mrb_gc_arena_restore(mrb, arena);
    return result;
}

// In the directory of the tests.
inline std::string run_file(mrb_state* mrb, const std::string& name) {
    std::ifstream file(std::string(MRUBY_SCRIPTS) + "/" + name);
    EXPECT_TRUE(file) << name;
    std::ostringstream text;
    text << file.rdbuf();
    return run(mrb, text.str(), name.c_str());
}

class State {
public:
    explicit State(uint32_t way = MC_WAY_LEND) : mrb_(mrb_open()) {
        native_define(mrb_);
        EXPECT_EQ(MC_OK, mc_mruby_open(mrb_, nullptr, way));
    }
    ~State() { mrb_close(mrb_); }
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    operator mrb_state*() const { return mrb_; }
    std::string run(const std::string& script) const { return mrbtest::run(mrb_, script); }
    mc_stats stats() const {
        mc_stats stats = MC_STATS_INIT;
        EXPECT_EQ(MC_OK, mc_runtime_stats(mc_mruby_runtime(mrb_), &stats));
        return stats;
    }

private:
    mrb_state* mrb_;
};

// Every test with a state runs for each of these ways.
inline const auto kWays = ::testing::Values<uint32_t>(MC_WAY_LEND, MC_WAY_SHIP);
inline std::string way_name(const ::testing::TestParamInfo<uint32_t>& way) {
    return way.param == MC_WAY_LEND ? "lend" : "ship";
}

}  // namespace mrbtest
