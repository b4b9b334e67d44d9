// Several runtimes in one process: each with its own baton, carriers, limits and line.
// SPDX-License-Identifier: BSL-1.0
#include <memory>
#include <thread>
#include <vector>

#include "testing.h"

namespace {

using mctest::Gate;
using mctest::Runtime;

TEST(SeveralRuntimes, RunBesideEachOther) {
    Runtime one, two;
    Gate one_runs, two_runs;
    one.spawn([&] {
        one_runs.open();
        two_runs.wait();  // with the baton of one
    });
    two.spawn([&] {
        two_runs.open();
        one_runs.wait();
    });
    std::thread other([&] { two.run(); });
    one.run();
    other.join();
}

TEST(SeveralRuntimes, AThreadHoldsOneBatonAtATime) {
    Runtime one, two;
    one.attached([&] {
        mc_task* out = nullptr;
        EXPECT_EQ(MC_EPERM, mc_attach(two, nullptr, MC_FOREVER, &out));
        EXPECT_EQ(MC_EPERM, mc_runtime_run(two));
        EXPECT_EQ(nullptr, out);
    });
    one.run([&] {
        EXPECT_EQ(MC_EPERM, mc_attach(two, nullptr, MC_FOREVER, nullptr));
        EXPECT_EQ(MC_EPERM, mc_runtime_run(two));
    });
    two.attached([] {});
    one.attached([] {});
}

TEST(SeveralRuntimes, HaveTheirOwnSwitchesAndCounts) {
    Runtime one, two;
    EXPECT_EQ(1, mc_enable(one, 0));
    EXPECT_EQ(1, mc_enable(two, -1));
    const auto pair = [] {
        mc_release();
        mc_acquire();
    };
    one.run(pair);
    two.run(pair);
    EXPECT_EQ(1u, one.stats().sections_inline);
    EXPECT_EQ(0u, two.stats().sections_inline);
    EXPECT_EQ(1u, two.stats().sections);
}

TEST(SeveralRuntimes, WakeEachOthersTasks) {
    Runtime one, two;
    bool parked_on = false, ran = false;  // guarded by the baton of one
    mc_task* in_one = one.spawn([&] {
        EXPECT_EQ(MC_OK, mc_task_park(MC_FOREVER));
        parked_on = true;
    });
    std::thread other([&] { one.run(); });
    two.run([&] {
        while (mc_task_state(in_one) != MC_TASK_SUSPENDED) EXPECT_EQ(MC_OK, mc_task_yield());
        // Before the unpark: once its only task has ended, one has no runner any more.
        mc_task* spawned = one.spawn([&] { ran = true; });
        EXPECT_EQ(MC_OK, mc_task_unpark(in_one));
        mc_release();
        while (mc_task_result(spawned) == MC_EAGAIN || mc_task_result(in_one) == MC_EAGAIN)
            std::this_thread::yield();
        mc_acquire();
    });
    other.join();
    EXPECT_TRUE(parked_on);
    EXPECT_TRUE(ran);
}

TEST(SeveralRuntimes, ManyAtOnceWithSections) {
    constexpr int count = 4;
    std::vector<std::unique_ptr<Runtime>> runtimes;
    std::vector<std::thread> threads;
    int counters[count] = {};  // each guarded by its runtime's baton
    for (int i = 0; i < count; ++i) {
        runtimes.push_back(std::make_unique<Runtime>());
        for (int task = 0; task < 4; ++task)
            runtimes.back()->spawn([&counters, i] {
                for (int round = 0; round < 500; ++round) {
                    ++counters[i];
                    mc_release();
                    mc_acquire();
                    if (round % 10 == 0) {
                        EXPECT_EQ(MC_OK, mc_task_yield());
                    }
                }
            });
        threads.emplace_back([&runtime = *runtimes.back()] { runtime.run(); });
    }
    for (std::thread& thread : threads) thread.join();
    for (const int counter : counters) EXPECT_EQ(2000, counter);
}

TEST(SeveralRuntimes, ComeAndGo) {
    for (int i = 0; i < 200; ++i) {
        Runtime runtime;
        runtime.run([&] {
            mc_task* other = runtime.spawn([] {
                mc_release();
                mc_acquire();
            });
            mc_release();
            mc_acquire();
            EXPECT_EQ(MC_OK, mc_task_join(other, MC_FOREVER));
        });
    }
}

TEST(SeveralRuntimes, ATaskOfOneIsJoinedOnlyThere) {
    Runtime one, two;
    mc_task* in_one = one.spawn([] {});
    two.run([&] { EXPECT_EQ(MC_EINVAL, mc_task_join(in_one, 0)); });
    one.run();
}

TEST(SeveralRuntimes, AThreadThatEndsAttachedToTwoIsDetachedFromBoth) {
    Runtime one, two;
    std::thread([&] {
        ASSERT_EQ(MC_OK, mc_attach(one, nullptr, MC_FOREVER, nullptr));
        mc_release();
        ASSERT_EQ(MC_OK, mc_attach(two, nullptr, MC_FOREVER, nullptr));
    }).join();
    for (Runtime* runtime : {&one, &two}) {
        EXPECT_EQ(1u, runtime->take_reports().size());
        EXPECT_EQ(0u, runtime->stats().tasks_alive);
        runtime->attached([] {});  // the baton is free
    }
}

TEST(SeveralRuntimes, TheOuterOneIsNotEnteredFromInsideTheInner) {
    Runtime outer, inner;
    outer.attached([&] {
        mc_release();
        inner.attached([&] {
            mc_release();
            EXPECT_EQ(MC_EDEADLK, mc_runtime_run(outer));
            EXPECT_EQ(MC_EPERM, mc_attach(outer, nullptr, MC_FOREVER, nullptr));
            EXPECT_EQ(MC_EDEADLK, mc_runtime_run(inner));
            EXPECT_EQ(MC_EPERM, mc_attach(inner, nullptr, MC_FOREVER, nullptr));
            mc_acquire();
        });
        mc_acquire();
    });
    EXPECT_EQ(1u, outer.stats().tasks_spawned);
}

TEST(SeveralRuntimes, ABatonIsForTheDataOfItsOwnTasksOnly) {
    Runtime one, two;
    mc_task* in_one = one.spawn([] {});
    two.run([&] { mc_task_set_data(in_one, &two); });
    EXPECT_EQ(nullptr, mc_task_data(in_one));
    EXPECT_EQ(1u, one.take_reports().size());
    one.run();
}

}  // namespace
