// Switches in the midst of everything, under every mode of the collector.
// SPDX-License-Identifier: BSL-1.0
#include <thread>

#include "mruby_test.h"

namespace {

using mrbtest::run;
using mrbtest::run_file;
using mrbtest::State;

constexpr int kTasks = 20;
#if defined(MRUBY_SANITIZED)
constexpr int kRounds = 22;
#else
constexpr int kRounds = 44;
#endif
constexpr int kSwitches = 4000;  // at least

// The number of switches, all results checked by the script.
int stress(mrb_state* mrb, uint32_t way, const std::string& settings) {
    EXPECT_EQ("stress", run_file(mrb, "stress.rb"));
    const std::string call = settings + "; stress(" + std::to_string(kTasks) + ", " +
                             std::to_string(kRounds) + ", " + (way == MC_WAY_LEND ? "true)" : "false)");
    const std::string switches = run(mrb, call);
    EXPECT_EQ(std::string::npos, switches.find_first_not_of("0123456789")) << switches;
    return std::atoi(switches.c_str());
}

class Stress : public ::testing::TestWithParam<uint32_t> {};

TEST_P(Stress, Generational) {
    State state(GetParam());
    EXPECT_GE(stress(state, GetParam(), "GC.interval_ratio = 110"), kSwitches);
}

TEST_P(Stress, GenerationalInSteps) {
    State state(GetParam());
    EXPECT_GE(stress(state, GetParam(), "GC.interval_ratio = 110; GC.step_ratio = 10"), kSwitches);
}

TEST_P(Stress, IncrementalInSteps) {
    State state(GetParam());
    EXPECT_GE(stress(state, GetParam(),
                     "GC.generational_mode = false; GC.interval_ratio = 110; GC.step_ratio = 10"),
              kSwitches);
}

// States, one after the other, on this thread and on another one.
void side_by_side(uint32_t here, uint32_t there, int count) {
    const auto use = [count](uint32_t way) {
        for (int i = 0; i < count; ++i) {
            State state(way);
            stress(state, way, "GC.interval_ratio = 120");
        }
    };
    std::thread other(use, there);
    use(here);
    other.join();
}

TEST_P(Stress, StatesSideBySideAndOneAfterTheOther) { side_by_side(GetParam(), GetParam(), 2); }

TEST(StressOfBothWays, SideBySide) { side_by_side(MC_WAY_LEND, MC_WAY_SHIP, 1); }

INSTANTIATE_TEST_SUITE_P(Way, Stress, mrbtest::kWays, mrbtest::way_name);

}  // namespace
