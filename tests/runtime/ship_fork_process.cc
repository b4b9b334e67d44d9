// fork() with sections on carriers, by the loop that dispatches at home and by such a section.
// SPDX-License-Identifier: BSL-1.0
#include <unistd.h>

#include "forking.h"
#include "shipping.h"

namespace {

using mctest::expect_no_hang;
using mctest::fork_at_rest;
using mctest::leave_fork;
using mctest::Loop;
using mctest::release_migratable;
using mctest::Runtime;
using mctest::shipping;
using mctest::Signal;
using mctest::status_of;
using mctest::thread_id;

// A runtime with one task in a section on a carrier, and one parked that opens one when it is unparked.
struct Tasks {
    explicit Tasks(mc_runtime_options options) : runtime(options), loop(runtime) {
        shipped = runtime.spawn([this] {
            release_migratable();
            inside.post();
            go_on.wait();
            mc_acquire();
            went_on = true;
        });
        parked = runtime.spawn([this] {
            EXPECT_EQ(MC_OK, mc_task_park(MC_FOREVER));
            const int home = thread_id();
            release_migratable();
            EXPECT_NE(home, thread_id());
            mc_acquire();
            EXPECT_EQ(home, thread_id());
            over = true;
        });
        EXPECT_EQ(2, mc_runtime_dispatch(runtime, 2));
        inside.wait();
    }

    Runtime runtime;
    Loop loop;
    Signal inside, go_on;
    mc_task *shipped = nullptr, *parked = nullptr;
    bool went_on = false, over = false;
};

mc_runtime_options options_of(const mc_host& host, std::uint32_t max_threads = 0) {
    mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
    options.host = &host;
    options.max_threads = max_threads;
    return options;
}

TEST(ShipForkDeathTest, BetweenTwoTurnsOfTheLoop) {
    EXPECT_CHILD([] {
        const mc_host host = shipping();
        Tasks tasks(options_of(host));
        const pid_t pid = fork_at_rest();
        if (pid == 0) expect_no_hang();
        if (pid != 0) tasks.go_on.post();
        EXPECT_EQ(MC_OK, mc_task_unpark(tasks.parked));
        tasks.loop.turn_until([&] { return tasks.over && mc_task_result(tasks.shipped) != MC_EAGAIN; });
        EXPECT_EQ(pid != 0, tasks.went_on);
        EXPECT_EQ(pid == 0 ? MC_EFORK : MC_OK, mc_task_result(tasks.shipped));
        EXPECT_EQ(MC_OK, mc_task_result(tasks.parked));
        tasks.runtime.destroy();
        if (pid == 0) leave_fork();
        EXPECT_EQ(0, status_of(pid));
    });
}

// The only thread is in the other section. In the child there is none, and the section goes on at home.
TEST(ShipForkDeathTest, BeforeASectionHasItsThread) {
    EXPECT_CHILD([] {
        const mc_host host = shipping();
        Tasks tasks(options_of(host, 1));
        int section = 0;
        bool ended = false;
        mc_task* queued = tasks.runtime.spawn([&] {
            release_migratable();
            section = thread_id();
            mc_acquire();
            ended = true;
        });
        EXPECT_EQ(1, mc_runtime_dispatch(tasks.runtime, 1));
        EXPECT_EQ(0, section);
        const pid_t pid = fork_at_rest();
        if (pid == 0) expect_no_hang();
        if (pid != 0) tasks.go_on.post();
        EXPECT_EQ(MC_OK, mc_task_unpark(tasks.parked));
        tasks.loop.turn_until([&] { return ended && tasks.over; });
        EXPECT_EQ(pid == 0, section == thread_id());
        EXPECT_EQ(MC_OK, mc_task_result(queued));
        if (pid == 0) leave_fork();
        EXPECT_EQ(0, status_of(pid));
    });
}

// The thread that forks is the child's only one, and the interpreter's home from then on.
TEST(ShipForkDeathTest, InASectionTheCarrierIsTheHomeOfTheChild) {
    EXPECT_CHILD([] {
        mc_host host = shipping();
        static int tasks_over;
        host.orphan = [](void*) { leave_fork(40 + tasks_over); };
        Tasks tasks(options_of(host));
        bool ended = false;
        pid_t pid = -1;
        tasks.runtime.spawn([&] {
            release_migratable();
            pid = fork_at_rest();
            if (pid == 0) expect_no_hang();
            const int carrier = thread_id();
            mc_acquire();
            EXPECT_EQ(pid == 0, carrier == thread_id());
            if (pid == 0) {
                EXPECT_EQ(MC_OK, mc_task_unpark(tasks.parked));
                EXPECT_EQ(MC_OK, mc_task_join(tasks.parked, MC_FOREVER));
                EXPECT_EQ(MC_OK, mc_task_join(tasks.shipped, MC_FOREVER));
                EXPECT_EQ(MC_EFORK, mc_task_result(tasks.shipped));
                tasks_over = 2;
            }
            ended = true;
        });
        tasks.loop.turn_until([&] { return ended; });
        tasks.go_on.post();
        EXPECT_EQ(MC_OK, mc_task_unpark(tasks.parked));
        tasks.loop.turn_until([&] { return tasks.over && tasks.went_on; });
        EXPECT_EQ(42, status_of(pid));
    });
}

}  // namespace
