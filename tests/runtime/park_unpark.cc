// One permit, timeouts, no spurious return; unpark from tasks, foreign threads and signal handlers.
// SPDX-License-Identifier: BSL-1.0
#include <sys/stat.h>

#include <csignal>
#include <thread>

#include <pthread.h>

#include "testing.h"

namespace {

using mctest::Gate;
using mctest::Runtime;

class Park : public mctest::InTask {};
MC_IN_EACH_KIND(Park);

TEST_P(Park, APermitGivenBeforeIsTaken) {
    Runtime runtime;
    in_task(runtime, [] {
        EXPECT_EQ(MC_OK, mc_task_unpark(mc_task_current()));
        EXPECT_EQ(MC_OK, mc_task_park(MC_FOREVER));
        EXPECT_EQ(MC_ETIMEDOUT, mc_task_park(0));
    });
}

TEST_P(Park, PermitsDoNotAddUp) {
    Runtime runtime;
    in_task(runtime, [] {
        for (int i = 0; i < 3; ++i) EXPECT_EQ(MC_OK, mc_task_unpark(mc_task_current()));
        EXPECT_EQ(MC_OK, mc_task_park(0));
        EXPECT_EQ(MC_ETIMEDOUT, mc_task_park(0));
    });
}

TEST_P(Park, TheTimeoutIsKept) {
    Runtime runtime;
    in_task(runtime, [] {
        const uint64_t start = mc_now();
        EXPECT_EQ(MC_ETIMEDOUT, mc_task_park(2 * mctest::ms));
        EXPECT_GE(mc_now() - start, 2 * mctest::ms);
    });
}

TEST_P(Park, AnotherTaskUnparks) {
    Runtime runtime;
    in_task(runtime, [&] {
        mc_task* self = mc_task_current();
        bool unparked = false;
        runtime.spawn([&unparked, self] {
            unparked = true;
            EXPECT_EQ(MC_OK, mc_task_unpark(self));
        });
        EXPECT_EQ(MC_OK, mc_task_park(MC_FOREVER));
        EXPECT_TRUE(unparked);
    });
}

TEST_P(Park, AForeignThreadUnparksAnIdleRuntime) {
    Runtime runtime;
    in_task(runtime, [] {
        mc_task* self = mc_task_current();
        Gate parking;
        bool unparked = false;
        std::thread other([&] {
            parking.wait();
            while (mc_task_state(self) != MC_TASK_SUSPENDED) std::this_thread::yield();
            unparked = true;
            EXPECT_EQ(MC_OK, mc_task_unpark(self));
        });
        parking.open();
        EXPECT_EQ(MC_OK, mc_task_park(MC_FOREVER));
        EXPECT_TRUE(unparked);
        other.join();
    });
}

TEST_P(Park, NothingElseReturnsFromIt) {
    Runtime runtime;
    in_task(runtime, [&] {
        mc_task* self = mc_task_current();
        int rounds = 0;
        runtime.spawn([&rounds, self] {
            for (; rounds < 200; ++rounds) {
                EXPECT_EQ(MC_OK, mc_task_yield());
                mc_release();
                mc_acquire();
                EXPECT_EQ(static_cast<uint32_t>(MC_TASK_SUSPENDED), mc_task_state(self));
            }
            EXPECT_EQ(MC_OK, mc_task_unpark(self));
        });
        EXPECT_EQ(MC_OK, mc_task_park(MC_FOREVER));
        EXPECT_EQ(200, rounds);
    });
}

TEST_P(Park, PingPongWithAForeignThreadLosesNothing) {
    Runtime runtime;
    in_task(runtime, [] {
        constexpr int rounds = 2000;
        mc_task* self = mc_task_current();
        Gate ping;
        std::thread other([&] {
            for (int i = 0; i < rounds; ++i) {
                ping.wait();
                EXPECT_EQ(MC_OK, mc_task_unpark(self));
            }
        });
        for (int i = 0; i < rounds; ++i) {
            ping.open();
            ASSERT_EQ(MC_OK, mc_task_park(MC_FOREVER));
        }
        mc_release();
        other.join();
        mc_acquire();
    });
}

TEST_P(Park, APermitThatRacesATimeoutIsNeverLost) {
    Runtime runtime;
    in_task(runtime, [] {
        mc_task* self = mc_task_current();
        Gate go;
        constexpr int rounds = 300;
        std::thread other([&] {
            for (int i = 0; i < rounds; ++i) {
                go.wait();
                EXPECT_EQ(MC_OK, mc_task_unpark(self));
            }
        });
        for (int i = 0; i < rounds; ++i) {
            go.open();
            // Either the permit came in time, or it is still to be taken.
            if (mc_task_park(20 * mctest::us) == MC_ETIMEDOUT) {
                ASSERT_EQ(MC_OK, mc_task_park(MC_FOREVER));
            }
        }
        EXPECT_EQ(MC_ETIMEDOUT, mc_task_park(0));
        other.join();
    });
}

mc_task* signalled;

void unpark_in_handler(int) { mc_task_unpark(signalled); }

TEST_P(Park, ASignalHandlerUnparks) {
    Runtime runtime;
    struct sigaction action = {}, before = {};
    action.sa_handler = unpark_in_handler;
    ASSERT_EQ(0, sigaction(SIGUSR1, &action, &before));
    in_task(runtime, [] {
        signalled = mc_task_current();
        raise(SIGUSR1);
        EXPECT_EQ(MC_OK, mc_task_park(MC_FOREVER));

        const pthread_t target = pthread_self();
        std::thread other([target] {
            while (mc_task_state(signalled) != MC_TASK_SUSPENDED) std::this_thread::yield();
            pthread_kill(target, SIGUSR1);
        });
        EXPECT_EQ(MC_OK, mc_task_park(MC_FOREVER));
        other.join();
    });
    ASSERT_EQ(0, sigaction(SIGUSR1, &before, nullptr));
}

int started_by_handler;

// As mctest::process_threads, but async-signal-safe: each thread is a folder.
int links_of_task_folder() {
    struct stat folder = {};
    return stat("/proc/self/task", &folder) == 0 ? static_cast<int>(folder.st_nlink) : -1;
}

void unpark_and_count_threads(int) {
    const int before = links_of_task_folder();
    mc_task_unpark(signalled);
    started_by_handler = links_of_task_folder() - before;
}

// Starting one is not async-signal-safe, so a carrier is idle already when the section is open.
TEST(Unpark, InASignalHandlerAmidASectionStartsNoThread) {
    Runtime runtime;
    struct sigaction action = {}, before = {};
    action.sa_handler = unpark_and_count_threads;
    ASSERT_EQ(0, sigaction(SIGUSR1, &action, &before));
    mctest::Gate unparked;
    signalled = runtime.spawn([&] {
        for (int i = 0; i < 10; ++i) {
            EXPECT_EQ(MC_OK, mc_task_park(MC_FOREVER));
            unparked.open();
        }
    });
    runtime.spawn([&] {
        for (int i = 0; i < 10; ++i) {
            while (mc_task_state(signalled) != MC_TASK_SUSPENDED) mc_task_yield();
            mc_release();
            raise(SIGUSR1);
            EXPECT_EQ(0, started_by_handler);
            unparked.wait();  // the interpreter has gone on
            mc_acquire();
        }
    });
    runtime.run();
    ASSERT_EQ(0, sigaction(SIGUSR1, &before, nullptr));
}

TEST(Unpark, NullIsRefusedAndTheEndedAreLeftAlone) {
    Runtime runtime;
    EXPECT_EQ(MC_EINVAL, mc_task_unpark(nullptr));
    mc_task* ended = runtime.spawn([] {});
    runtime.run();
    mc_task_unpark(ended);
    EXPECT_EQ(static_cast<uint32_t>(MC_TASK_ENDED), mc_task_state(ended));
}

TEST(Unpark, BeforeTheFirstRunIsAPermitToo) {
    Runtime runtime;
    mc_task* task = runtime.spawn([] { EXPECT_EQ(MC_OK, mc_task_park(MC_FOREVER)); });
    EXPECT_EQ(MC_OK, mc_task_unpark(task));
    runtime.run();
}

}  // namespace
