// A loop on the home thread drives the runtime, by the descriptor and dispatch alone, while sections are on
// carriers. SPDX-License-Identifier: BSL-1.0
#include <poll.h>

#include <atomic>
#include <thread>

#include "shipping.h"

namespace {

using mctest::Gate;
using mctest::release_migratable;
using mctest::Runtime;
using mctest::shipping;
using mctest::thread_id;

bool readable(int fd, int timeout_ms) {
    pollfd query{fd, POLLIN, 0};
    return poll(&query, 1, timeout_ms) == 1;
}

class ShipDispatch : public ::testing::Test {
protected:
    Runtime runtime{shipping()};
    const int fd = mc_runtime_event_fd(runtime);
    const int home = thread_id();

    // One turn of the loop: it waits until there is something to do.
    void turn() {
        ASSERT_TRUE(readable(fd, static_cast<int>(mctest::hang_seconds() * 1000)));
        ASSERT_GE(mc_runtime_dispatch(runtime, 0), 0);
    }
    void turn_until(const std::function<bool()>& over) {
        while (!over() && !HasFatalFailure()) turn();
    }
    // Whatever was rung for has been looked at.
    void turn_until_nothing_is_to_do() {
        while (readable(fd, 0)) ASSERT_GE(mc_runtime_dispatch(runtime, 0), 0);
    }
};

TEST_F(ShipDispatch, TheLoopGoesOnDuringASectionAndIsToldOfItsEnd) {
    Gate inside, go_on;
    int section = 0, after = 0;
    mc_task* task = runtime.spawn([&] {
        release_migratable();
        section = thread_id();
        inside.open();
        go_on.wait();
        mc_acquire();
        after = thread_id();
    });
    EXPECT_EQ(1, mc_runtime_dispatch(runtime, 0));  // it is the only task, and yet the loop is not held up
    inside.wait();
    turn_until_nothing_is_to_do();
    EXPECT_FALSE(readable(fd, 0));
    EXPECT_EQ(static_cast<uint32_t>(MC_TASK_SECTION), mc_task_state(task));
    go_on.open();
    turn_until([&] { return after != 0; });
    EXPECT_NE(home, section);
    EXPECT_EQ(home, after);
    EXPECT_EQ(MC_OK, mc_task_result(task));
    EXPECT_EQ(0u, runtime.stats().sections_inline);
    EXPECT_EQ(0u, runtime.stats().handoffs);
}

TEST_F(ShipDispatch, ACallbackWaitsForTheLoop) {
    Gate inside;
    bool called = false, over = false;
    runtime.spawn([&] {
        release_migratable();
        inside.open();
        EXPECT_EQ(MC_OK, mc_enter());
        EXPECT_EQ(home, thread_id());
        called = true;
        EXPECT_EQ(MC_OK, mc_task_yield());
        EXPECT_EQ(MC_OK, mc_leave());
        EXPECT_NE(home, thread_id());
        mc_acquire();
        over = true;
    });
    turn();
    inside.wait();
    EXPECT_FALSE(called);
    turn_until([&] { return over; });
    EXPECT_TRUE(called);
}

TEST_F(ShipDispatch, ManyTasksOfEveryKind) {
    constexpr int tasks = 20, rounds = 200;
    std::atomic<int> moved{0};
    int ended = 0;
    for (int i = 0; i < tasks; ++i)
        runtime.spawn([&, i] {
            for (int round = 0; round < rounds; ++round) {
                switch ((round + i) % 5) {
                    case 0: mc_task_yield(); break;
                    case 1:
                        mc_release();  // stays
                        EXPECT_EQ(home, thread_id());
                        mc_acquire();
                        break;
                    case 2:
                        if (round % 10 == 0) mc_task_sleep(1);
                        break;
                    default:
                        release_migratable();
                        moved += thread_id() != home;
                        mc_acquire();
                }
                EXPECT_EQ(home, thread_id());
            }
            ++ended;
        });
    turn_until([&] { return ended == tasks; });
    EXPECT_EQ(tasks * rounds * 2 / 5, moved);
    EXPECT_EQ(static_cast<uint64_t>(tasks * rounds / 5), runtime.stats().sections_inline);
}

TEST_F(ShipDispatch, ByAnAttachedThreadThatKeepsTheBaton) {
    runtime.attached([&] {
        Gate go_on;
        mc_task* self = mc_task_current();
        bool over = false;
        runtime.spawn([&] {
            release_migratable();
            EXPECT_NE(home, thread_id());
            go_on.wait();
            mc_acquire();
            over = true;
        });
        turn();
        EXPECT_FALSE(over);
        EXPECT_EQ(self, mc_task_current());
        go_on.open();
        turn_until([&] { return over; });
        EXPECT_EQ(home, thread_id());
    });
}

// With one thread for two sections the second waits in the queue, on no thread at all.
TEST(ShipDispatchLimit, SectionsWaitForAThreadAndTheLoopForNeither) {
    mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
    const mc_host host = shipping();
    options.host = &host;
    options.max_threads = 1;
    Runtime runtime(options);
    Gate go_on;
    std::atomic<int> inside{0};
    int ended = 0;
    for (int i = 0; i < 3; ++i)
        runtime.spawn([&] {
            release_migratable();
            ++inside;
            go_on.wait();
            mc_acquire();
            ++ended;
        });
    EXPECT_EQ(3, mc_runtime_dispatch(runtime, 3));
    EXPECT_LE(inside, 1);
    go_on.open(3);
    const int fd = mc_runtime_event_fd(runtime);
    while (ended < 3) {
        ASSERT_TRUE(readable(fd, static_cast<int>(mctest::hang_seconds() * 1000)));
        ASSERT_GE(mc_runtime_dispatch(runtime, 0), 0);
    }
    EXPECT_EQ(0u, runtime.stats().sections_inline);
}

TEST_F(ShipDispatch, CancelledSectionsComeBackToTheLoop) {
    Gate inside, unblocked, go_on;
    mc_status told = MC_OK;
    bool went_on = false, destroyed = false;
    mc_task* safe = runtime.spawn([&] {
        mc_section_options section = MC_SECTION_OPTIONS_INIT;
        section.flags = MC_SECTION_MIGRATABLE;
        section.unblock = [](void* arg) { static_cast<Gate*>(arg)->open(); };
        section.unblock_arg = &unblocked;
        EXPECT_EQ(MC_OK, mc_release_with(&section));
        inside.open();
        unblocked.wait();
        told = mc_acquire_status();
        EXPECT_EQ(home, thread_id());
    });
    struct Body {
        Gate &inside, &go_on;
        bool &went_on, &destroyed;
    } body{inside, go_on, went_on, destroyed};
    mc_task_options options = MC_TASK_OPTIONS_INIT;
    options.data = &body;
    options.destroy = [](void* data) { static_cast<Body*>(data)->destroyed = true; };
    mc_task* abandoned = nullptr;
    ASSERT_EQ(MC_OK, mc_task_spawn(
                         runtime,
                         [](void* arg) {
                             Body& its = *static_cast<Body*>(arg);
                             release_migratable();
                             its.inside.open();
                             its.go_on.wait();
                             mc_acquire();
                             its.went_on = true;
                         },
                         &body, &options, &abandoned));
    EXPECT_EQ(2, mc_runtime_dispatch(runtime, 2));
    inside.wait();
    inside.wait();
    EXPECT_EQ(MC_OK, mc_task_cancel(safe, MC_CANCEL_SAFE));
    EXPECT_EQ(MC_EBUSY, mc_task_cancel(abandoned, MC_CANCEL_SAFE));
    EXPECT_EQ(MC_OK, mc_task_cancel(abandoned, MC_CANCEL_ABANDON));
    EXPECT_EQ(MC_ECANCELED, mc_task_result(abandoned));
    turn_until([&] { return told != MC_OK; });
    EXPECT_EQ(MC_ECANCELED, told);
    EXPECT_EQ(MC_ECANCELED, mc_task_result(safe));
    turn_until_nothing_is_to_do();
    EXPECT_FALSE(destroyed);  // its C code runs
    go_on.open();
    turn_until([&] { return destroyed; });
    EXPECT_FALSE(went_on);
    mc_task_unref(abandoned);
}

}  // namespace
