// SPDX-License-Identifier: BSL-1.0
#include "sim_runs.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace sim {
namespace {

#if defined(MC_ASAN) || defined(MC_TSAN)
constexpr unsigned kSlower = 20;
#else
constexpr unsigned kSlower = 1;
#endif

std::uint64_t from_environment(const char* name) {
    const char* text = std::getenv(name);
    return text ? std::strtoull(text, nullptr, 0) : 0;
}

std::string run_once(const Plan& plan, Flaw flaw, std::uint64_t seed) {
    World world(seed, flaw);
    Model model(world, plan);
    model.run();
    return world.failure();
}

}  // namespace

unsigned runs(unsigned usual) {
    const auto wanted = static_cast<unsigned>(from_environment("MC_SIM_RUNS"));
    return wanted ? wanted : usual / kSlower + 1;
}

void passes(const std::function<void(World&)>& run) {
    const std::uint64_t only = from_environment("MC_SIM_SEED");
    const std::uint64_t first = only ? only : 1;
    const std::uint64_t last = only ? only : runs(4000);
    for (std::uint64_t seed = first; seed <= last; ++seed) {
        World world(seed, Flaw::none);
        run(world);
        ASSERT_FALSE(world.failed()) << world.failure() << "again: MC_SIM_SEED=" << seed
                                     << " and this test's name";
    }
}

void passes(const Plan& plan) {
    passes([&plan](World& world) { Model(world, plan).run(); });
}

std::string first_failure(const Plan& plan, Flaw flaw, unsigned seeds) {
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        std::string failure = run_once(plan, flaw, seed);
        if (!failure.empty()) return failure;
    }
    return {};
}

}  // namespace sim
