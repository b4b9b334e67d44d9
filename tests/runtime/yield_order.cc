// SPDX-License-Identifier: BSL-1.0
#include <string>
#include <thread>

#include "testing.h"

namespace {

using mctest::Gate;
using mctest::Runtime;

TEST(Yield, GoesRoundInOrder) {
    Runtime runtime;
    std::string order;
    for (const char name : {'a', 'b', 'c'})
        runtime.spawn([&order, name] {
            for (int i = 0; i < 3; ++i) {
                order += name;
                EXPECT_EQ(MC_OK, mc_task_yield());
            }
            order += static_cast<char>(name - 'a' + 'A');
        });
    runtime.run();
    EXPECT_EQ("abcabcabcABC", order);
}

TEST(Yield, AloneReturnsAtOnce) {
    Runtime runtime;
    runtime.run([] {
        for (int i = 0; i < 1000; ++i) EXPECT_EQ(MC_OK, mc_task_yield());
    });
}

TEST(Yield, BetweenTwoTasksLetsOneInThatAnotherThreadUnparks) {
    Runtime runtime;
    Gate turns;
    bool over = false;
    mc_task* parked = runtime.spawn([&] {
        EXPECT_EQ(MC_OK, mc_task_park(MC_FOREVER));
        over = true;
    });
    for (int i = 0; i < 2; ++i)
        runtime.spawn([&] {
            int round = 0;
            while (!over) {
                if (++round == 100) turns.open();
                EXPECT_EQ(MC_OK, mc_task_yield());
            }
        });
    std::thread other([&] {
        turns.wait();
        turns.wait();
        EXPECT_EQ(MC_OK, mc_task_unpark(parked));
    });
    runtime.run();
    other.join();
}

TEST(Yield, ANewTaskStandsAtTheEndOfTheLine) {
    Runtime runtime;
    std::string order;
    runtime.spawn([&] {
        order += 'a';
        runtime.spawn([&] { order += 'c'; });
        EXPECT_EQ(MC_OK, mc_task_yield());
        order += 'A';
    });
    runtime.spawn([&] { order += 'b'; });
    runtime.run();
    EXPECT_EQ("abcA", order);
}

TEST(Yield, AnUnparkedTaskStandsWhereItBecameRunnable) {
    Runtime runtime;
    std::string order;
    mc_task* parked = runtime.spawn([&] {
        EXPECT_EQ(MC_OK, mc_task_park(MC_FOREVER));
        order += 'p';
    });
    runtime.spawn([&] {
        EXPECT_EQ(MC_OK, mc_task_yield());  // the other one is in the line now
        EXPECT_EQ(MC_OK, mc_task_unpark(parked));
        runtime.spawn([&] { order += 'n'; });
        order += 'a';
        EXPECT_EQ(MC_OK, mc_task_yield());
        order += 'A';
    });
    runtime.run();
    EXPECT_EQ("apnA", order);
}

TEST(Yield, ABoundTaskLetsUnboundOnesRun) {
    Runtime runtime;
    int ran = 0;
    runtime.spawn([&] { ++ran; });
    runtime.attached([&] {
        EXPECT_EQ(0, ran);
        while (ran == 0) ASSERT_EQ(MC_OK, mc_task_yield());
    });
    EXPECT_EQ(1, ran);
    runtime.run();
}

}  // namespace
