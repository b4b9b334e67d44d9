// The baton under a controlled scheduler: many runs of each plan, each a function of its seed.
//
// MC_SIM_SEED=n runs one seed only, MC_SIM_RUNS=n that many of each plan.
// SPDX-License-Identifier: BSL-1.0
#include <gtest/gtest.h>

#include "sim_runs.h"

namespace {

using sim::passes;
using sim::Plan;

Plan base() { return {}; }

TEST(Protocol, TasksOfARunner) {
    Plan plan = base();
    plan.tasks = 3;
    passes(plan);
}

TEST(Protocol, AReleaseAgainstAPoster) {
    Plan plan = base();  // little else that could take the baton; see tester_test.cc
    plan.steps = 12;
    passes(plan);
}

TEST(Protocol, SectionsWithoutAnyPoster) {
    Plan plan = base();
    plan.tasks = 4;
    plan.posters = 0;
    plan.steps = 10;
    passes(plan);
}

// More threads in sections than CPUs, and some give up.
TEST(Protocol, ACrowd) {
    Plan plan = base();
    plan.tasks = 4;
    plan.attached = 4;
    plan.steps = 12;
    plan.short_waits = true;
    passes(plan);
}

TEST(Protocol, ForeignPosters) {
    Plan plan = base();
    plan.posters = 3;
    passes(plan);
}

TEST(Protocol, AttachedThreadsOnly) {
    Plan plan = base();
    plan.runner = false;
    plan.tasks = 0;
    plan.attached = 3;
    passes(plan);
}

TEST(Protocol, AttachedThreadsAndTasks) {
    Plan plan = base();
    plan.runner = false;
    plan.attached = 2;
    passes(plan);
}

// In between nobody drives, and sections that end must ring.
TEST(Protocol, AnEventLoopDispatches) {
    Plan plan = base();
    plan.runner = false;
    plan.loop = true;
    plan.tasks = 3;
    passes(plan);
}

TEST(Protocol, ARunnerAndVisitors) {
    Plan plan = base();
    plan.attached = 2;
    passes(plan);
}

TEST(Protocol, WaitsThatTimeOut) {
    Plan plan = base();
    plan.attached = 2;
    plan.short_waits = true;
    passes(plan);
}

TEST(Protocol, WaitsThatTimeOutWithoutARunner) {
    Plan plan = base();
    plan.runner = false;
    plan.attached = 3;
    plan.short_waits = true;
    passes(plan);
}

TEST(Protocol, AHostThatRefuses) {
    Plan plan = base();
    plan.tasks = 3;
    plan.attached = 1;
    plan.refuse_one_in = 3;
    passes(plan);
}

TEST(Protocol, AHostThatAlwaysRefuses) {
    Plan plan = base();
    plan.tasks = 3;
    plan.attached = 1;
    plan.refuse_one_in = 1;
    passes(plan);
}

TEST(Protocol, FewThreads) {
    Plan plan = base();
    plan.tasks = 3;
    plan.attached = 1;
    plan.max_carriers = 1;
    passes(plan);
}

TEST(Protocol, NoThreads) {
    Plan plan = base();
    plan.runner = false;
    plan.attached = 2;
    plan.max_carriers = 0;
    passes(plan);
}

TEST(Protocol, JobsBesideTasks) {
    Plan plan = base();
    plan.jobs = 4;
    plan.attached = 1;
    plan.keep_idle = 1;
    plan.idle_timeout = 20'000;
    passes(plan);
}

TEST(Protocol, JobsWithOneThread) {
    Plan plan = base();
    plan.jobs = 4;
    plan.attached = 1;
    plan.max_carriers = 1;
    passes(plan);
}

TEST(Protocol, ThreadsThatDoNotStart) {
    Plan plan = base();
    plan.runner = false;
    plan.attached = 2;
    plan.launch_fails_one_in = 2;
    plan.short_waits = true;
    passes(plan);
}

TEST(Protocol, ThreadsThatDoNotStartBesideARunner) {
    Plan plan = base();
    plan.tasks = 3;
    plan.attached = 1;
    plan.launch_fails_one_in = 2;
    passes(plan);
}

// Those that are kept sleep: one that times out again and again would run out of steps.
TEST(Protocol, IdleCarriersThatAreKeptSleep) {
    Plan plan = base();
    plan.tasks = 3;
    plan.attached = 1;
    plan.idle_timeout = 100'000;
    plan.keep_idle = 8;
    passes(plan);
}

TEST(Protocol, IdleCarriersLeave) {
    Plan plan = base();
    plan.tasks = 3;
    plan.attached = 1;
    plan.idle_timeout = 20'000;
    plan.keep_idle = 1;
    passes(plan);
}

TEST(Protocol, AHostThatCanBeTold) {
    Plan plan = base();
    plan.attached = 1;
    plan.attention = true;
    passes(plan);
}

TEST(Protocol, ForksBesideARunner) {
    Plan plan = base();
    plan.tasks = 3;
    plan.attached = 1;
    plan.forks = 4;
    passes(plan);
}

TEST(Protocol, ForksBesideAttachedThreads) {
    Plan plan = base();
    plan.runner = false;
    plan.attached = 2;
    plan.forks = 4;
    plan.short_waits = true;
    passes(plan);
}

TEST(Protocol, ForksWithFewThreadsAndAHostThatRefuses) {
    Plan plan = base();
    plan.attached = 1;
    plan.max_carriers = 1;
    plan.refuse_one_in = 3;
    plan.forks = 4;
    passes(plan);
}

}  // namespace
