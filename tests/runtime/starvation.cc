// Nobody starves. The bound is only there for hangs: bench/starvation prints what the waits are.
// SPDX-License-Identifier: BSL-1.0
#include <cstdio>

#include "starvation_scenarios.h"
#include "testing.h"

namespace {

constexpr unsigned waits = mctest::sanitized ? 2000 : 10000;

void measure(const starvation::Scenario& scenario) {
    const starvation::Waits measured = scenario.measure(waits);
    std::printf("%s: p50 %.1f us, p99 %.1f us, max %.1f us\n", scenario.name,
                static_cast<double>(measured.at(0.5)) / 1e3, static_cast<double>(measured.at(0.99)) / 1e3,
                static_cast<double>(measured.longest()) / 1e3);
    EXPECT_EQ(waits, measured.sorted.size());
}

class StarvationDeathTest : public ::testing::TestWithParam<int> {};

TEST_P(StarvationDeathTest, AllCpus) {
    EXPECT_EXIT(mctest::child([] { measure(starvation::scenarios[GetParam()]); }, 8),
                ::testing::ExitedWithCode(0), "");
}

TEST_P(StarvationDeathTest, OneCpu) {
    EXPECT_EXIT(mctest::child(
                    [] {
                        starvation::use_one_cpu();
                        measure(starvation::scenarios[GetParam()]);
                    },
                    8),
                ::testing::ExitedWithCode(0), "");
}

INSTANTIATE_TEST_SUITE_P(Scenario, StarvationDeathTest, ::testing::Values(0, 1, 2));

}  // namespace
