// The tester tested: flaws planted in the machine must show.
// SPDX-License-Identifier: BSL-1.0
#include <gtest/gtest.h>

#include "sim_runs.h"

namespace {

using sim::first_failure;
using sim::Flaw;
using sim::Plan;

Plan busy() {
    Plan plan;
    plan.tasks = 3;
    plan.attached = 2;
    plan.posters = 2;
    return plan;
}

TEST(Tester, FindsAMissingMembarrier) {
    Plan plan;  // little else that could take the baton
    plan.tasks = 2;
    plan.steps = 12;
    EXPECT_NE("", first_failure(plan, Flaw::no_heavy_fence, sim::kManySeeds));
}

TEST(Tester, FindsStoresThatAreNoFences) {
    EXPECT_NE("", first_failure(busy(), Flaw::weak_stores, sim::kManySeeds));
}

TEST(Tester, FindsAnExchangeInTwoSteps) {
    EXPECT_NE("", first_failure(busy(), Flaw::torn_exchange, sim::kManySeeds));
}

TEST(Tester, FindsASleeperThatDoesNotLookAgain) {
    EXPECT_NE("", first_failure(busy(), Flaw::blind_block, sim::kManySeeds));
}

TEST(Tester, FindsNothingInASoundMachine) {
    EXPECT_EQ("", first_failure(busy(), Flaw::none, sim::runs(2000)));
}

// Two threads, each with a store and then a load of the other's place: both may load the old value, unless
// both have a fence between.
bool both_missed(std::uint64_t seed, bool fences) {
    sim::World world(seed, Flaw::none);
    sim::SimAtomic<int> a, b;
    int saw_a = -1, saw_b = -1;
    world.start("one", [&] {
        a.store(1, std::memory_order_relaxed);
        if (fences) world.heavy_fence();
        saw_b = b.load(std::memory_order_relaxed);
    });
    world.start("two", [&] {
        b.store(1, std::memory_order_relaxed);
        if (fences) world.heavy_fence();
        saw_a = a.load(std::memory_order_relaxed);
    });
    world.run(1000);
    EXPECT_TRUE(world.finished());
    return saw_a == 0 && saw_b == 0;
}

TEST(Tester, StoresAreBuffered) {
    bool missed = false;
    for (std::uint64_t seed = 1; seed <= 200; ++seed) missed |= both_missed(seed, false);
    EXPECT_TRUE(missed);
}

TEST(Tester, AFenceEmptiesTheBuffers) {
    for (std::uint64_t seed = 1; seed <= 200; ++seed) EXPECT_FALSE(both_missed(seed, true)) << seed;
}

TEST(Tester, AThreadSeesItsOwnStores) {
    sim::World world(7, Flaw::none);
    sim::SimAtomic<int> a;
    int seen = -1;
    world.start("one", [&] {
        a.store(1, std::memory_order_relaxed);
        a.store(2, std::memory_order_release);
        seen = a.load(std::memory_order_relaxed);
    });
    world.run(1000);
    EXPECT_EQ(2, seen);
}

TEST(Tester, ADeadlockEndsTheRun) {
    sim::World world(7, Flaw::none);
    world.start("one", [&] {
        world.block(
            &world, [] { return true; }, UINT64_MAX);
    });
    // A block may return for nothing; this one does not with that seed.
    world.run(1000);
    EXPECT_FALSE(world.failed());
    EXPECT_FALSE(world.finished());
}

TEST(Tester, AnEndlessLoopEndsTheRun) {
    sim::World world(7, Flaw::none);
    world.start("one", [&] {
        for (;;) world.pause();
    });
    world.run(1000);
    EXPECT_TRUE(world.failed());
}

TEST(Tester, TheSameSeedIsTheSameRun) {
    const auto steps = [](std::uint64_t seed) {
        sim::World world(seed, Flaw::none);
        sim::Model model(world, busy());
        model.run();
        return world.steps();
    };
    EXPECT_EQ(steps(5), steps(5));
    EXPECT_NE(steps(5), steps(6));
}

}  // namespace
