// A loop on the home thread drives the runtime, by the descriptor and dispatch alone, while sections are on
// carriers. SPDX-License-Identifier: BSL-1.0
#include <atomic>
#include <thread>

#include "shipping.h"

namespace {

using mctest::Gate;
using mctest::Loop;
using mctest::release_migratable;
using mctest::Runtime;
using mctest::shipping;
using mctest::thread_id;

class ShipDispatch : public ::testing::Test {
protected:
    Runtime runtime{shipping()};
    Loop loop{runtime};
    const int home = thread_id();
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
    loop.turn_until_idle();
    EXPECT_EQ(static_cast<uint32_t>(MC_TASK_SECTION), mc_task_state(task));
    go_on.open();
    loop.turn_until([&] { return after != 0; });
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
    loop.turn();
    inside.wait();
    EXPECT_FALSE(called);
    loop.turn_until([&] { return over; });
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
    loop.turn_until([&] { return ended == tasks; });
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
        loop.turn();
        EXPECT_FALSE(over);
        EXPECT_EQ(self, mc_task_current());
        go_on.open();
        loop.turn_until([&] { return over; });
        EXPECT_EQ(home, thread_id());
    });
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
    loop.turn_until([&] { return told != MC_OK; });
    EXPECT_EQ(MC_ECANCELED, told);
    EXPECT_EQ(MC_ECANCELED, mc_task_result(safe));
    loop.turn_until_idle();
    EXPECT_FALSE(destroyed);  // its C code runs
    go_on.open();
    loop.turn_until([&] { return destroyed; });
    EXPECT_FALSE(went_on);
    mc_task_unref(abandoned);
}

// With one thread the second section waits for it, on no thread at all.
class ShipDispatchOneThread : public ::testing::Test {
protected:
    static mc_runtime_options options() {
        static const mc_host host = shipping();
        mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
        options.host = &host;
        options.max_threads = 1;
        return options;
    }
    // A task that waits in its section for `go_on`.
    mc_task* spawn() {
        return runtime.spawn([&] {
            release_migratable();
            inside.open();
            go_on.wait();
            mc_acquire();
            ++ended;
        });
    }

    Runtime runtime{options()};
    Gate& inside = mctest::lasting_gate();
    Gate& go_on = mctest::lasting_gate();
    int ended = 0;
};

TEST_F(ShipDispatchOneThread, SectionsWaitForItAndTheLoopForNone) {
    for (int i = 0; i < 3; ++i) spawn();
    EXPECT_EQ(3, mc_runtime_dispatch(runtime, 3));
    inside.wait();
    EXPECT_FALSE(inside.opened());
    go_on.open(3);
    Loop(runtime).turn_until([&] { return ended == 3; });
    EXPECT_EQ(0u, runtime.stats().sections_inline);
}

TEST_F(ShipDispatchOneThread, AShutdownDropsThoseThatWaitAndParksTheOneInside) {
    mc_task* first = spawn();
    mc_task* second = spawn();
    EXPECT_EQ(2, mc_runtime_dispatch(runtime, 2));
    inside.wait();
    EXPECT_EQ(MC_ETIMEDOUT, mc_runtime_shutdown(runtime, 0));
    ASSERT_EQ(1u, runtime.reports());
    EXPECT_NE(std::string::npos, runtime.take_reports()[0].message.find(" 1 task is still in a section"));
    EXPECT_EQ(MC_ECANCELED, mc_task_result(first));
    EXPECT_EQ(MC_ECANCELED, mc_task_result(second));
    EXPECT_EQ(MC_ESHUTDOWN, mc_runtime_dispatch(runtime, 0));
    const int threads = mctest::process_threads();
    runtime.destroy();
    go_on.open(2);
    while (mctest::process_threads() >= threads) std::this_thread::yield();
    EXPECT_FALSE(inside.opened());
    EXPECT_EQ(0, ended);
}

TEST_F(ShipDispatch, AShutdownWaitsForSectionsThatCanBeUnblocked) {
    Gate inside, unblocked;
    bool over = false;
    mc_task* task = runtime.spawn([&] {
        mc_section_options section = MC_SECTION_OPTIONS_INIT;
        section.flags = MC_SECTION_MIGRATABLE;
        section.unblock = [](void* arg) { static_cast<Gate*>(arg)->open(); };
        section.unblock_arg = &unblocked;
        EXPECT_EQ(MC_OK, mc_release_with(&section));
        inside.open();
        unblocked.wait();
        EXPECT_EQ(MC_ECANCELED, mc_acquire_status());
        EXPECT_EQ(home, thread_id());
        over = true;
    });
    loop.turn();
    inside.wait();
    EXPECT_EQ(MC_OK, mc_runtime_shutdown(runtime, MC_FOREVER));
    EXPECT_TRUE(over);
    EXPECT_EQ(MC_ECANCELED, mc_task_result(task));
}

}  // namespace
