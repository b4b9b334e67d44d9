// How long somebody waits for the baton beside a task that leaves little room. Shared by the benchmark,
// which prints, and the test, which only wants an end.
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <vector>

namespace starvation {

struct Waits {
    std::vector<std::uint64_t> sorted;  // nanoseconds each

    std::uint64_t at(double share) const;  // 0.5: the median
    std::uint64_t longest() const { return sorted.back(); }
};

struct Scenario {
    const char* name;
    Waits (*measure)(unsigned waits);
};

extern const Scenario scenarios[3];

// Leaves the calling process one CPU. Before its first runtime.
void use_one_cpu();

}  // namespace starvation
