// Many runs of a plan.
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <functional>

#include "model.h"

namespace sim {

// The runs of this process: MC_SIM_RUNS, or `usual` (fewer under a sanitizer).
unsigned runs(unsigned usual);

// Fails the test at the first seed that fails, and says how to run it again.
void passes(const std::function<void(World&)>& run);
void passes(const Plan& plan);

inline constexpr unsigned kManySeeds = 20'000;

// How a planted flaw shows: the failure of the first seed that fails, empty if none does.
std::string first_failure(const Plan& plan, Flaw flaw, unsigned seeds);

}  // namespace sim
