// SPDX-License-Identifier: BSL-1.0
#include <atomic>
#include <thread>

#include <unistd.h>

#include "testing.h"

namespace {

using mctest::Gate;
using mctest::Runtime;

// A task whose destroy function counts.
mc_task* spawn_counted(Runtime& runtime, std::atomic<int>& destroyed, void (*fn)(void*), void* arg) {
    mc_task_options options = MC_TASK_OPTIONS_INIT;
    options.data = &destroyed;
    options.destroy = [](void* data) { ++*static_cast<std::atomic<int>*>(data); };
    mc_task* task = nullptr;
    EXPECT_EQ(MC_OK, mc_task_spawn(runtime, fn, arg, &options, &task));
    return task;
}

TEST(CancelSafe, EndsATaskThatHasNotStarted) {
    Runtime runtime;
    bool ran = false;
    std::atomic<int> destroyed{0};
    mc_task* task = spawn_counted(
        runtime, destroyed, [](void* arg) { *static_cast<bool*>(arg) = true; }, &ran);
    EXPECT_EQ(MC_OK, mc_task_cancel(task, MC_CANCEL_SAFE));
    runtime.run();
    EXPECT_FALSE(ran);
    EXPECT_EQ(1, destroyed);
    EXPECT_EQ(MC_ECANCELED, mc_task_result(task));
    EXPECT_EQ(MC_OK, mc_task_cancel(task, MC_CANCEL_SAFE));  // it has ended
    mc_task_unref(task);
}

class Cancel : public mctest::InTask {};
MC_IN_EACH_KIND(Cancel);

TEST_P(Cancel, EndsWhateverSuspendsAndStays) {
    int fds[2];
    ASSERT_EQ(0, pipe(fds));
    for (int kind = 0; kind < 4; ++kind) {
        Runtime runtime;
        in_task(runtime, [&] {
            mc_task* self = mc_task_current();
            mc_task* parked = runtime.spawn([] { EXPECT_EQ(MC_OK, mc_task_park(MC_FOREVER)); });
            const std::function<mc_status()> waits[] = {
                [] { return mc_task_sleep(MC_FOREVER); },
                [] { return mc_task_park(MC_FOREVER); },
                [&] { return mc_task_join(parked, MC_FOREVER); },
                [&] { return mc_task_wait_fd(fds[0], MC_READABLE, MC_FOREVER, nullptr); },
            };
            std::thread other([&] {
                while (mc_task_state(self) != MC_TASK_SUSPENDED) std::this_thread::yield();
                EXPECT_EQ(MC_OK, mc_task_cancel(self, MC_CANCEL_SAFE));
            });
            EXPECT_EQ(MC_ECANCELED, waits[kind]());
            other.join();
            for (const auto& wait : waits) EXPECT_EQ(MC_ECANCELED, wait());
            EXPECT_EQ(MC_ECANCELED, mc_task_yield());
            EXPECT_EQ(MC_ECANCELED, mc_checkpoint());
            mc_release();
            EXPECT_EQ(MC_ECANCELED, mc_cancelled());
            EXPECT_EQ(MC_ECANCELED, mc_acquire_status());
            EXPECT_EQ(MC_OK, mc_task_unpark(parked));
        });
    }
    close(fds[0]);
    close(fds[1]);
}

TEST_P(Cancel, OfASectionThatCannotBeEndedChangesNothing) {
    Runtime runtime;
    in_task(runtime, [&] {
        mc_task* self = mc_task_current();
        Gate in_section, asked;
        std::thread other([&] {
            in_section.wait();
            while (mc_task_state(self) != MC_TASK_SECTION) std::this_thread::yield();
            EXPECT_EQ(MC_EBUSY, mc_task_cancel(self, MC_CANCEL_SAFE));
            asked.open();
        });
        mc_release();
        in_section.open();
        asked.wait();
        EXPECT_EQ(MC_OK, mc_cancelled());
        EXPECT_EQ(MC_OK, mc_acquire_status());
        EXPECT_EQ(MC_OK, mc_checkpoint());
        other.join();
    });
}

TEST_P(Cancel, UnblocksASectionAndTheCheckpointAfterItSaysSo) {
    Runtime runtime;
    in_task(runtime, [&] {
        mc_task* self = mc_task_current();
        Gate gate;
        mc_section_options options = MC_SECTION_OPTIONS_INIT;
        options.unblock = [](void* arg) { static_cast<Gate*>(arg)->open(); };
        options.unblock_arg = &gate;
        std::thread other([&] {
            while (mc_task_state(self) != MC_TASK_SECTION) std::this_thread::yield();
            EXPECT_EQ(MC_OK, mc_task_cancel(self, MC_CANCEL_SAFE));
        });
        EXPECT_EQ(MC_OK, mc_release_with(&options));
        gate.wait();
        EXPECT_EQ(MC_ECANCELED, mc_acquire_status());
        other.join();
        EXPECT_EQ(MC_ECANCELED, mc_checkpoint());
    });
}

TEST(CancelSafe, BeforeTheEndMakesTheResult) {
    Runtime runtime;
    mc_task* task =
        runtime.spawn([] { EXPECT_EQ(MC_OK, mc_task_cancel(mc_task_current(), MC_CANCEL_SAFE)); });
    runtime.run();
    EXPECT_EQ(MC_ECANCELED, mc_task_result(task));
}

struct Abandoned {
    Gate in_section, go_on;
    bool returned = false, went_on = false;
};

TEST(CancelAbandon, OfASectionTellsJoinersAtOnceAndKeepsItsDataUntilTheAcquire) {
    Runtime runtime;
    std::atomic<int> destroyed{0};
    Abandoned state;
    mc_task* task = spawn_counted(
        runtime, destroyed,
        [](void* arg) {
            auto& mine = *static_cast<Abandoned*>(arg);
            mc_release();
            mine.in_section.open();
            mine.go_on.wait();
            mine.returned = true;
            mc_acquire();
            mine.went_on = true;
        },
        &state);
    runtime.spawn([&] {
        mc_release();
        state.in_section.wait();
        EXPECT_EQ(MC_OK, mc_task_cancel(task, MC_CANCEL_ABANDON));  // without the baton
        mc_acquire();
        EXPECT_EQ(MC_OK, mc_task_join(task, MC_FOREVER));
        EXPECT_EQ(MC_ECANCELED, mc_task_result(task));
        EXPECT_EQ(0, destroyed);
        state.go_on.open();
    });
    runtime.run();
    EXPECT_TRUE(state.returned);
    EXPECT_FALSE(state.went_on);
    EXPECT_EQ(1, destroyed);
    EXPECT_EQ(0u, runtime.stats().tasks_alive);
    mc_task_unref(task);
}

TEST(CancelAbandon, OfASuspendedTaskNeverRunsItAgain) {
    Runtime runtime;
    std::atomic<int> destroyed{0};
    bool went_on = false;
    mc_task* task = spawn_counted(
        runtime, destroyed,
        [](void* arg) {
            mc_task_park(MC_FOREVER);
            *static_cast<bool*>(arg) = true;
        },
        &went_on);
    runtime.spawn([&] {
        while (mc_task_state(task) != MC_TASK_SUSPENDED) mc_task_yield();
        EXPECT_EQ(MC_OK, mc_task_cancel(task, MC_CANCEL_ABANDON));
        EXPECT_EQ(MC_ECANCELED, mc_task_result(task));
    });
    runtime.run();
    EXPECT_FALSE(went_on);
    EXPECT_EQ(1, destroyed);
    mc_task_unref(task);
}

TEST(CancelAbandon, OfABoundTaskIsNotSupported) {
    Runtime runtime;
    runtime.attached([] { EXPECT_EQ(MC_ENOTSUP, mc_task_cancel(mc_task_current(), MC_CANCEL_ABANDON)); });
}

}  // namespace
