// SPDX-License-Identifier: BSL-1.0
#include <atomic>
#include <deque>
#include <functional>
#include <thread>
#include <vector>

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

TEST_P(Cancel, OutranksAnInterruptThatCameFirst) {
    Runtime runtime;
    in_task(runtime, [&] {
        mc_task* self = mc_task_current();
        runtime.spawn([&] {
            while (mc_task_state(self) != MC_TASK_SUSPENDED) mc_task_yield();
            EXPECT_EQ(MC_OK, mc_task_interrupt(self, nullptr));
            EXPECT_EQ(MC_OK, mc_task_cancel(self, MC_CANCEL_SAFE));
        });
        EXPECT_EQ(MC_ECANCELED, mc_task_park(MC_FOREVER));
        EXPECT_EQ(MC_OK, mc_task_take_interrupt(self, nullptr));  // and is not lost
    });
}

// A section that keeps the baton is to the others a stretch of computing: nobody need make it return.
TEST_P(Cancel, OfASectionThatKeepsTheBatonIsToldAtTheCheckpointAfterIt) {
    Runtime runtime;
    in_task(runtime, [&] {
        mc_task* self = mc_task_current();
        mc_scope_enter(MC_SCOPE_DISABLE);
        mc_release();
        std::thread other([&] { EXPECT_EQ(MC_OK, mc_task_cancel(self, MC_CANCEL_SAFE)); });
        other.join();
        EXPECT_EQ(MC_ECANCELED, mc_cancelled());
        EXPECT_EQ(MC_ECANCELED, mc_acquire_status());
        EXPECT_EQ(MC_ECANCELED, mc_checkpoint());
    });
}

TEST_P(Cancel, OfASectionWithADeadlineUnblocksItOnce) {
    Runtime runtime;
    in_task(runtime, [&] {
        mc_task* self = mc_task_current();
        struct {
            Gate gate;
            std::atomic<int> calls{0};
        } unblocked;
        mc_section_options options = MC_SECTION_OPTIONS_INIT;
        options.unblock = [](void* arg) {
            auto& mine = *static_cast<decltype(unblocked)*>(arg);
            ++mine.calls;
            mine.gate.open();
        };
        options.unblock_arg = &unblocked;
        options.deadline = 20 * mctest::ms;
        EXPECT_EQ(MC_OK, mc_release_with(&options));
        std::thread other([&] { EXPECT_EQ(MC_OK, mc_task_cancel(self, MC_CANCEL_SAFE)); });
        other.join();
        unblocked.gate.wait();
        mctest::spin(30 * mctest::ms);  // whichever came first, the other finds it done
        EXPECT_EQ(MC_ECANCELED, mc_acquire_status());
        EXPECT_EQ(1, unblocked.calls);
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

// Tasks whose destroy function counts, each in a runtime that runs them to the end.
class CancelAbandonOf : public ::testing::Test {
protected:
    mc_task* spawn(std::function<void()> body) {
        bodies_.push_back(std::move(body));
        return tasks_.emplace_back(spawn_counted(
            runtime, destroyed, [](void* arg) { (*static_cast<std::function<void()>*>(arg))(); },
            &bodies_.back()));
    }
    void abandon_when(mc_task* task, uint32_t state) {
        while (mc_task_state(task) != state) mc_task_yield();
        EXPECT_EQ(MC_OK, mc_task_cancel(task, MC_CANCEL_ABANDON));
        EXPECT_EQ(MC_ECANCELED, mc_task_result(task));
    }
    void TearDown() override {
        for (mc_task* task : tasks_) mc_task_unref(task);
    }

    Runtime runtime;
    std::atomic<int> destroyed{0};

private:
    std::deque<std::function<void()>> bodies_;
    std::vector<mc_task*> tasks_;
};

TEST_F(CancelAbandonOf, ATaskThatHasNotStarted) {
    mc_task* task = spawn([] { ADD_FAILURE() << "it ran"; });
    EXPECT_EQ(MC_OK, mc_task_cancel(task, MC_CANCEL_ABANDON));
    EXPECT_EQ(MC_ECANCELED, mc_task_result(task));
    EXPECT_EQ(0, destroyed);
    runtime.run();
    EXPECT_EQ(1, destroyed);
}

TEST_F(CancelAbandonOf, AComputingTaskEndsAtItsCheckpoint) {
    bool computed = false;
    spawn([&] {
        EXPECT_EQ(MC_OK, mc_task_cancel(mc_task_current(), MC_CANCEL_ABANDON));
        computed = true;
        mc_checkpoint();
        ADD_FAILURE() << "it went on";
    });
    runtime.run();
    EXPECT_TRUE(computed);
    EXPECT_EQ(1, destroyed);
}

TEST_F(CancelAbandonOf, AnAtomicScopeClosesIt) {
    for (const bool section : {false, true})
        spawn([section] {
            mc_scope_enter(MC_SCOPE_ATOMIC);
            mc_task_cancel(mc_task_current(), MC_CANCEL_ABANDON);
            EXPECT_EQ(MC_EPERM, mc_task_sleep(1));
            if (section) mc_release();
            section ? mc_acquire() : (void)mc_checkpoint();
            ADD_FAILURE() << "it went on";
        });
    bool ran = false;
    runtime.spawn([&] { ran = mc_task_yield() == MC_OK; });
    runtime.run();
    EXPECT_TRUE(ran);
    EXPECT_EQ(2, destroyed);
}

TEST_F(CancelAbandonOf, ASectionRefusesCallbacks) {
    Gate in_section, abandoned;
    bool returned = false;
    mc_task* task = spawn([&] {
        mc_release();
        in_section.open();
        abandoned.wait();
        EXPECT_EQ(MC_ECANCELED, mc_cancelled());
        EXPECT_EQ(MC_ECANCELED, mc_enter());
        EXPECT_EQ(MC_EPERM, mc_leave());
        EXPECT_EQ(0, destroyed);
        returned = true;
        mc_acquire();
        ADD_FAILURE() << "it went on";
    });
    runtime.spawn([&] {
        mc_release();
        in_section.wait();
        mc_acquire();
        abandon_when(task, MC_TASK_SECTION);
        abandoned.open();
    });
    runtime.run();
    EXPECT_TRUE(returned);
    EXPECT_EQ(1, destroyed);
}

TEST_F(CancelAbandonOf, ACallbackIsToldUntilItsCallersAcquire) {
    bool returned = false;
    mc_task* task = spawn([&] {
        mc_release();
        EXPECT_EQ(MC_OK, mc_enter());
        EXPECT_EQ(MC_ECANCELED, mc_task_park(MC_FOREVER));
        EXPECT_EQ(MC_ECANCELED, mc_checkpoint());
        mc_release();
        EXPECT_EQ(MC_ECANCELED, mc_enter());  // the second level is refused
        EXPECT_EQ(MC_ECANCELED, mc_acquire_status());
        EXPECT_EQ(MC_ECANCELED, mc_task_yield());
        EXPECT_EQ(MC_OK, mc_leave());
        EXPECT_EQ(0, destroyed);
        returned = true;
        mc_acquire();
        ADD_FAILURE() << "it went on";
    });
    runtime.spawn([&] {
        abandon_when(task, MC_TASK_SUSPENDED);
        EXPECT_EQ(MC_OK, mc_task_join(task, MC_FOREVER));
        EXPECT_EQ(0, destroyed);
    });
    runtime.run();
    EXPECT_TRUE(returned);
    EXPECT_EQ(1, destroyed);
}

TEST_F(CancelAbandonOf, ATaskThatJoinsLeavesTheOtherAlone) {
    mc_task* target = runtime.spawn([] { EXPECT_EQ(MC_OK, mc_task_park(MC_FOREVER)); });
    mc_task* joiners[3];
    for (mc_task*& joiner : joiners) joiner = spawn([target] { mc_task_join(target, MC_FOREVER); });
    runtime.spawn([&] {
        abandon_when(joiners[1], MC_TASK_SUSPENDED);
        while (destroyed == 0) mc_task_yield();
        mc_task_unpark(target);
        for (mc_task* joiner : joiners) EXPECT_EQ(MC_OK, mc_task_join(joiner, MC_FOREVER));
    });
    runtime.run();
    EXPECT_EQ(MC_OK, mc_task_result(joiners[0]));
    EXPECT_EQ(MC_ECANCELED, mc_task_result(joiners[1]));
    EXPECT_EQ(MC_OK, mc_task_result(joiners[2]));
    EXPECT_EQ(MC_OK, mc_task_result(target));
    EXPECT_EQ(3, destroyed);
}

TEST_F(CancelAbandonOf, AWaitForAFileGivesItsPlaceUp) {
    int fds[2];
    ASSERT_EQ(0, pipe(fds));
    auto wait = [&] { return mc_task_wait_fd(fds[0], MC_READABLE, MC_FOREVER, nullptr); };
    mc_task* both[] = {spawn([&] { wait(); }), spawn([&] { wait(); })};  // as many as may wait
    runtime.spawn([&] {
        for (mc_task* task : both) abandon_when(task, MC_TASK_SUSPENDED);
        while (destroyed < 2) mc_task_yield();
        runtime.spawn([&] { EXPECT_EQ(1, write(fds[1], "x", 1)); });
        EXPECT_EQ(MC_OK, wait());
    });
    runtime.run();
    EXPECT_EQ(2, destroyed);
    close(fds[0]);
    close(fds[1]);
}

TEST_F(CancelAbandonOf, ASleepLeavesNoTimerBehind) {
    mc_task* sleeper = spawn([] { mc_task_sleep(20 * mctest::ms); });
    runtime.spawn([&] {
        abandon_when(sleeper, MC_TASK_SUSPENDED);
        while (destroyed == 0) mc_task_yield();
        EXPECT_EQ(MC_OK, mc_task_sleep(40 * mctest::ms));  // the timer would meet freed memory
    });
    runtime.run();
}

// Its section has ended, it waits for the baton: nothing is left to unblock, and it is told all the same.
TEST_F(CancelAbandonOf, ATaskThatIsDueIsAsGoodAsOfOneThatComputes) {
    for (const bool abandon : {false, true}) {
        Gate gate;
        bool went_on = false;
        mc_task* task = spawn([&] {
            mc_release();
            gate.wait();
            EXPECT_EQ(MC_ECANCELED, mc_acquire_status());
            went_on = true;
        });
        runtime.spawn([&] {
            while (mc_task_state(task) != MC_TASK_SECTION) mc_task_yield();
            gate.open();
            while (mc_task_state(task) != MC_TASK_DUE) std::this_thread::yield();  // with the baton
            EXPECT_EQ(MC_OK, mc_task_cancel(task, abandon ? MC_CANCEL_ABANDON : MC_CANCEL_SAFE));
        });
        runtime.run();
        EXPECT_EQ(!abandon, went_on);
        EXPECT_EQ(MC_ECANCELED, mc_task_result(task));
    }
    EXPECT_EQ(2, destroyed);
}

TEST_F(CancelAbandonOf, ATaskOfAnotherRuntime) {
    mc_task* parked = spawn([] { mc_task_park(MC_FOREVER); });
    std::thread home([this] { runtime.run(); });
    Runtime other;
    other.run([&] {
        while (mc_task_state(parked) != MC_TASK_SUSPENDED) mc_task_yield();
        EXPECT_EQ(MC_OK, mc_task_cancel(parked, MC_CANCEL_ABANDON));
        EXPECT_EQ(MC_EINVAL, mc_task_join(parked, 0));  // that is still for its own
    });
    home.join();
    EXPECT_EQ(1, destroyed);
}

TEST(CancelAbandon, OfABoundTaskIsNotSupported) {
    Runtime runtime;
    runtime.attached([] { EXPECT_EQ(MC_ENOTSUP, mc_task_cancel(mc_task_current(), MC_CANCEL_ABANDON)); });
}

}  // namespace
