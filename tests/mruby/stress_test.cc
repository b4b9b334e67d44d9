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
constexpr int kRounds = 110;
#endif

// The number of steps, all results checked by the script.
int stress(mrb_state* mrb, const std::string& settings) {
    EXPECT_EQ("stress", run_file(mrb, "stress.rb"));
    const std::string call =
        settings + "; stress(" + std::to_string(kTasks) + ", " + std::to_string(kRounds) + ")";
    const std::string steps = run(mrb, call);
    EXPECT_EQ(std::string::npos, steps.find_first_not_of("0123456789")) << steps;
    return std::atoi(steps.c_str());
}

class Stress : public ::testing::TestWithParam<uint32_t> {};

TEST_P(Stress, Generational) {
    State state(GetParam());
    EXPECT_GE(stress(state, "GC.interval_ratio = 110"), kTasks * kRounds);
    EXPECT_GT(state.stats().handoffs, 0u);
}

TEST_P(Stress, GenerationalInSteps) {
    State state(GetParam());
    EXPECT_GE(stress(state, "GC.interval_ratio = 110; GC.step_ratio = 10"), kTasks * kRounds);
}

TEST_P(Stress, IncrementalInSteps) {
    State state(GetParam());
    EXPECT_GE(stress(state, "GC.generational_mode = false; GC.interval_ratio = 110; GC.step_ratio = 10"),
              kTasks * kRounds);
}

TEST_P(Stress, StatesSideBySideAndOneAfterTheOther) {
    const auto use = [way = GetParam()] {
        for (int i = 0; i < 2; ++i) {
            State state(way);
            stress(state, "GC.interval_ratio = 120");
        }
    };
    std::thread other(use);
    use();
    other.join();
}

INSTANTIATE_TEST_SUITE_P(Way, Stress, mrbtest::kWays, mrbtest::way_name);

}  // namespace
