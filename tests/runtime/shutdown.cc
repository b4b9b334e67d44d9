// Shutdown and destroy while something is alive. Stragglers: shutdown_process.cc.
// SPDX-License-Identifier: BSL-1.0
#include <atomic>
#include <thread>

#include "testing.h"

namespace {

using mctest::Gate;
using mctest::Runtime;

struct Once {
    int ran = 0, destroyed = 0;
    mc_status status = MC_OK;
};

mc_task* spawn(mc_runtime* runtime, void (*fn)(void*), Once& once) {
    mc_task_options options = MC_TASK_OPTIONS_INIT;
    options.data = &once;
    options.destroy = [](void* data) { ++static_cast<Once*>(data)->destroyed; };
    mc_task* task = nullptr;
    EXPECT_EQ(MC_OK, mc_task_spawn(runtime, fn, &once, &options, &task));
    return task;
}

TEST(Destroy, IsBusyWhileATaskIsAlive) {
    mc_runtime* runtime = nullptr;
    ASSERT_EQ(MC_OK, mc_runtime_create(nullptr, &runtime));
    ASSERT_EQ(MC_OK, mc_task_spawn(
                         runtime, [](void*) {}, nullptr, nullptr, nullptr));
    EXPECT_EQ(MC_EBUSY, mc_runtime_destroy(runtime));
    EXPECT_EQ(MC_OK, mc_runtime_run(runtime));
    ASSERT_EQ(MC_OK, mc_attach(runtime, nullptr, MC_FOREVER, nullptr));
    EXPECT_EQ(MC_EBUSY, mc_runtime_destroy(runtime));
    EXPECT_EQ(MC_OK, mc_detach());
    EXPECT_EQ(MC_OK, mc_runtime_destroy(runtime));
}

TEST(Destroy, IsBusyWhileAThreadRunsIt) {
    Runtime runtime;
    runtime.run([&] { EXPECT_EQ(MC_EBUSY, mc_runtime_destroy(runtime)); });
}

TEST(Destroy, OfAnIdlePoolIsPrompt) {
    for (int i = 0; i < 20; ++i) {
        Runtime runtime;
        runtime.run([&] {
            Gate other_ran;
            runtime.spawn([&] { other_ran.open(); });
            mc_release();
            other_ran.wait();
            mc_acquire();
        });
        runtime.destroy();
    }
}

TEST(Shutdown, WithNothingAliveSucceeds) {
    Runtime runtime;
    EXPECT_EQ(MC_OK, mc_runtime_shutdown(runtime, MC_FOREVER));
    EXPECT_EQ(MC_ESHUTDOWN, mc_runtime_shutdown(runtime, 0));
}

TEST(Shutdown, NothingNewIsAccepted) {
    Runtime runtime;
    EXPECT_EQ(MC_OK, mc_runtime_shutdown(runtime, 0));
    mc_task* out = nullptr;
    EXPECT_EQ(MC_ESHUTDOWN, mc_task_spawn(
                                runtime, [](void*) {}, nullptr, nullptr, &out));
    EXPECT_EQ(MC_ESHUTDOWN, mc_attach(runtime, nullptr, MC_FOREVER, &out));
    EXPECT_EQ(nullptr, out);
}

TEST(Shutdown, ATaskThatNeverRanEndsUnrun) {
    Runtime runtime;
    Once once;
    mc_task* task = spawn(
        runtime, [](void* self) { ++static_cast<Once*>(self)->ran; }, once);
    EXPECT_EQ(MC_OK, mc_runtime_shutdown(runtime, MC_FOREVER));
    EXPECT_EQ(0, once.ran);
    EXPECT_EQ(1, once.destroyed);
    EXPECT_EQ(MC_ECANCELED, mc_task_result(task));
    EXPECT_EQ(static_cast<uint32_t>(MC_TASK_ENDED), mc_task_state(task));
    mc_task_unref(task);
}

TEST(Shutdown, ASuspendedTaskIsToldAndEnds) {
    Runtime runtime;
    Once parked, sleeping;
    mc_task* first = spawn(
        runtime,
        [](void* self) {
            Once* once = static_cast<Once*>(self);
            once->status = mc_task_park(MC_FOREVER);
            ++once->ran;
            EXPECT_EQ(MC_ECANCELED, mc_task_sleep(1));  // sticky
            EXPECT_EQ(MC_ECANCELED, mc_checkpoint());
        },
        parked);
    mc_task* second = spawn(
        runtime,
        [](void* self) {
            Once* once = static_cast<Once*>(self);
            once->status = mc_task_sleep(MC_FOREVER);
            ++once->ran;
        },
        sleeping);
    runtime.spawn([&] { mc_runtime_stop(runtime); });
    EXPECT_EQ(MC_ECANCELED, mc_runtime_run(runtime));
    EXPECT_EQ(static_cast<uint32_t>(MC_TASK_SUSPENDED), mc_task_state(first));
    EXPECT_EQ(MC_OK, mc_runtime_shutdown(runtime, MC_FOREVER));
    EXPECT_EQ(MC_ECANCELED, parked.status);
    EXPECT_EQ(MC_ECANCELED, sleeping.status);
    EXPECT_EQ(1, parked.ran);
    EXPECT_EQ(1, parked.destroyed);
    EXPECT_EQ(1, sleeping.destroyed);
    EXPECT_EQ(MC_ECANCELED, mc_task_result(first));
    EXPECT_EQ(MC_ECANCELED, mc_task_result(second));
    mc_task_unref(first);
    mc_task_unref(second);
}

TEST(Shutdown, ASectionWithUnblockIsUnblocked) {
    Runtime runtime;
    Gate in_section, unblocked;
    mc_task* task = runtime.spawn([&] {
        mc_section_options options = MC_SECTION_OPTIONS_INIT;
        options.unblock = [](void* gate) { static_cast<Gate*>(gate)->open(); };
        options.unblock_arg = &unblocked;
        EXPECT_EQ(MC_OK, mc_release_with(&options));
        in_section.open();
        unblocked.wait();
        EXPECT_EQ(MC_ECANCELED, mc_acquire_status());
        EXPECT_EQ(MC_ECANCELED, mc_checkpoint());
    });
    std::thread runner([&] { EXPECT_NE(MC_EBUSY, mc_runtime_run(runtime)); });
    in_section.wait();
    EXPECT_EQ(MC_OK, mc_runtime_shutdown(runtime, MC_FOREVER));
    EXPECT_EQ(MC_ECANCELED, mc_task_result(task));
    runner.join();
}

TEST(Shutdown, FromATaskIsADeadlock) {
    Runtime runtime;
    runtime.run([&] {
        EXPECT_EQ(MC_EDEADLK, mc_runtime_shutdown(runtime, 0));
        runtime.spawn([] {});  // nothing has been stopped
    });
}

TEST(Shutdown, FromAnAttachedThread) {
    Runtime runtime;
    Once once;
    ASSERT_EQ(MC_OK, mc_attach(runtime, nullptr, MC_FOREVER, nullptr));
    mc_task* task = spawn(
        runtime,
        [](void* self) {
            static_cast<Once*>(self)->status = mc_task_park(MC_FOREVER);
            ++static_cast<Once*>(self)->ran;
        },
        once);
    while (mc_task_state(task) != MC_TASK_SUSPENDED) ASSERT_EQ(MC_OK, mc_task_yield());
    EXPECT_EQ(MC_OK, mc_runtime_shutdown(runtime, MC_FOREVER));
    EXPECT_EQ(MC_ECANCELED, once.status);
    EXPECT_EQ(1, once.destroyed);
    EXPECT_EQ(MC_OK, mc_detach());
    mc_task_unref(task);
}

TEST(Shutdown, ARunnerReturns) {
    Runtime runtime;
    Gate running;
    runtime.spawn([&] {
        running.open();
        EXPECT_EQ(MC_ECANCELED, mc_task_park(MC_FOREVER));
    });
    std::thread runner([&] { mc_runtime_run(runtime); });
    running.wait();
    EXPECT_EQ(MC_OK, mc_runtime_shutdown(runtime, MC_FOREVER));
    runner.join();
}

// Shuts down while an attached thread is in `body`, in that state; it has more to do afterwards.
void shut_down_beside_one(uint32_t state, const std::function<void()>& body) {
    Runtime runtime;
    Gate attached;
    mc_task* task = nullptr;
    std::thread other([&] {
        ASSERT_EQ(MC_OK, mc_attach(runtime, nullptr, MC_FOREVER, &task));
        attached.open();
        body();
        EXPECT_EQ(MC_ECANCELED, mc_checkpoint());
        mc_release();
        mctest::spin(5 * mctest::ms);  // a shutdown that does not wait is over by then
        mc_acquire();
        EXPECT_EQ(MC_OK, mc_detach());
    });
    attached.wait();
    while (mc_task_state(task) != state) std::this_thread::yield();
    EXPECT_EQ(MC_OK, mc_runtime_shutdown(runtime, MC_FOREVER));
    EXPECT_EQ(static_cast<uint32_t>(MC_TASK_ENDED), mc_task_state(task));
    other.join();
    mc_task_unref(task);
}

TEST(Shutdown, WaitsForAnAttachedThreadInASection) {
    shut_down_beside_one(MC_TASK_SECTION, [] {
        mc_release();
        while (mc_cancelled() == MC_OK) std::this_thread::yield();
        mctest::spin(5 * mctest::ms);
        EXPECT_EQ(MC_ECANCELED, mc_acquire_status());
    });
}

TEST(Shutdown, WaitsForAnAttachedThreadThatIsSuspended) {
    shut_down_beside_one(MC_TASK_SUSPENDED, [] { EXPECT_EQ(MC_ECANCELED, mc_task_sleep(MC_FOREVER)); });
    shut_down_beside_one(MC_TASK_SUSPENDED, [] { EXPECT_EQ(MC_ECANCELED, mc_task_park(MC_FOREVER)); });
}

TEST(Shutdown, WaitsForAnAttachedThreadThatComputes) {
    shut_down_beside_one(MC_TASK_RUNNING, [] {
        while (mc_checkpoint() == MC_OK) {
        }
    });
}

TEST(Shutdown, AThreadThatWaitsToAttachIsRefused) {
    Gate waits;
    mc_host host = MC_HOST_INIT;
    host.self = &waits;
    host.attention = [](void* gate) { static_cast<Gate*>(gate)->open(); };
    Runtime runtime(host);
    std::thread other;
    runtime.attached([&] {
        other = std::thread([&] {
            const mc_status status = mc_attach(runtime, nullptr, MC_FOREVER, nullptr);
            EXPECT_EQ(MC_ESHUTDOWN, status);
            if (status == MC_OK) mc_detach();
        });
        waits.wait();
        EXPECT_EQ(MC_OK, mc_runtime_shutdown(runtime, MC_FOREVER));
    });
    other.join();
}

TEST(Shutdown, FromASectionOfAnAttachedThread) {
    Runtime runtime;
    runtime.attached([&] {
        mc_task* parked = runtime.spawn([] { EXPECT_EQ(MC_ECANCELED, mc_task_park(MC_FOREVER)); });
        while (mc_task_state(parked) != MC_TASK_SUSPENDED) ASSERT_EQ(MC_OK, mc_task_yield());
        mc_release();
        EXPECT_EQ(MC_OK, mc_runtime_shutdown(runtime, MC_FOREVER));
        EXPECT_EQ(MC_EPERM, mc_task_yield());
        mc_acquire();
        EXPECT_EQ(static_cast<uint32_t>(MC_TASK_ENDED), mc_task_state(parked));
    });
}

TEST(Shutdown, TimesOutWhereATaskComputesAndMayBeTriedAgain) {
    Runtime runtime;
    Gate computes;
    std::atomic<bool> quit{false};
    runtime.spawn([&] {
        computes.open();
        while (!quit.load()) {
        }
    });
    std::thread runner([&] { EXPECT_NE(MC_EBUSY, mc_runtime_run(runtime)); });
    computes.wait();
    EXPECT_EQ(MC_ETIMEDOUT, mc_runtime_shutdown(runtime, mctest::ms));
    EXPECT_EQ(1u, runtime.take_reports().size());
    EXPECT_EQ(1u, runtime.stats().tasks_alive);
    quit.store(true);
    EXPECT_EQ(MC_OK, mc_runtime_shutdown(runtime, MC_FOREVER));
    runner.join();
}

// What cannot be ended safely is abandoned: it ends at its acquire.
TEST(Shutdown, AbandonsASectionThatCannotBeUnblocked) {
    Runtime runtime;
    Gate inside;
    bool went_on = false;
    mc_task* task = runtime.spawn([&] {
        mc_release();
        inside.open();
        while (mc_cancelled() == MC_OK) std::this_thread::yield();
        mc_acquire();
        went_on = true;
    });
    std::thread runner([&] { EXPECT_NE(MC_EBUSY, mc_runtime_run(runtime)); });
    inside.wait();
    EXPECT_EQ(MC_OK, mc_runtime_shutdown(runtime, MC_FOREVER));
    EXPECT_EQ(MC_ECANCELED, mc_task_result(task));
    EXPECT_FALSE(went_on);
    runner.join();
}

TEST(Shutdown, TimesOutWhereATaskComputesAgainAndMayBeTriedAgain) {
    Runtime runtime;
    Gate inside;
    std::atomic<bool> quit{false};
    mc_task* task = runtime.spawn([&] {
        mc_section_options options = MC_SECTION_OPTIONS_INIT;
        options.unblock = [](void*) {};  // else it would be abandoned
        EXPECT_EQ(MC_OK, mc_release_with(&options));
        inside.open();
        while (runtime.stats().tasks_alive < 2) std::this_thread::yield();  // the one that shuts down is in
        mc_acquire();
        while (!quit.load()) {
        }
    });
    std::thread runner([&] { EXPECT_NE(MC_EBUSY, mc_runtime_run(runtime)); });
    inside.wait();
    const uint64_t section_has_ended = mctest::hang_seconds() * 20 * mctest::ms;  // by then
    EXPECT_EQ(MC_ETIMEDOUT, mc_runtime_shutdown(runtime, section_has_ended));
    EXPECT_EQ(1u, runtime.take_reports().size());
    EXPECT_EQ(static_cast<uint32_t>(MC_TASK_RUNNING), mc_task_state(task));
    quit.store(true);
    EXPECT_EQ(MC_OK, mc_runtime_shutdown(runtime, MC_FOREVER));
    EXPECT_EQ(MC_ECANCELED, mc_task_result(task));
    runner.join();
}

// Its destroy hook looks at what a host relies on.
struct Dropped {
    mc_runtime* runtime = nullptr;
    int taken_by = 0, destroyed = 0;

    uint64_t sections_lent() const {
        mc_stats stats = MC_STATS_INIT;
        EXPECT_EQ(MC_OK, mc_runtime_stats(runtime, &stats));
        return stats.sections - stats.sections_inline;
    }
    static void taken(void* self, mc_task*) { static_cast<Dropped*>(self)->taken_by = mctest::thread_id(); }
    static void destroy(void* self) {
        Dropped* dropped = static_cast<Dropped*>(self);
        ++dropped->destroyed;
        EXPECT_EQ(mctest::thread_id(), dropped->taken_by);
        const uint64_t lent = dropped->sections_lent();
        mc_release();
        mc_acquire();
        EXPECT_EQ(lent, dropped->sections_lent());
        EXPECT_EQ(MC_EPERM, mc_task_yield());
        EXPECT_EQ(MC_EPERM, mc_task_sleep(1));
    }
};

TEST(Shutdown, ADestroyHookHasTheBatonAndKeepsIt) {
    for (const bool attached : {false, true}) {
        Dropped dropped;
        mc_host host = MC_HOST_INIT;
        host.self = &dropped;
        host.taken = Dropped::taken;
        Runtime runtime(host);
        dropped.runtime = runtime;
        std::thread([&] { runtime.attached([] {}); }).join();  // another thread had it last
        if (attached) {
            ASSERT_EQ(MC_OK, mc_attach(runtime, nullptr, MC_FOREVER, nullptr));
        }
        mc_task_options options = MC_TASK_OPTIONS_INIT;
        options.data = &dropped;
        options.destroy = Dropped::destroy;
        for (int i = 0; i < 2; ++i)
            ASSERT_EQ(MC_OK, mc_task_spawn(
                                 runtime, [](void*) {}, nullptr, &options, nullptr));
        EXPECT_EQ(MC_OK, mc_runtime_shutdown(runtime, MC_FOREVER));
        EXPECT_EQ(2, dropped.destroyed);
        if (attached) {
            EXPECT_EQ(MC_OK, mc_detach());
        }
    }
}

TEST(Shutdown, ATaskDroppedInACallbackTakesItsDeadlineAlong) {
    Runtime runtime;
    runtime.attached([&] {
        Gate entered;
        ASSERT_EQ(MC_OK, mc_task_spawn(
                             runtime,
                             [](void* gate) {
                                 mc_section_options options = MC_SECTION_OPTIONS_INIT;
                                 options.deadline = 20 * mctest::ms;
                                 mc_release_with(&options);
                                 EXPECT_EQ(MC_OK, mc_enter());
                                 static_cast<Gate*>(gate)->open();
                                 for (;;) mc_task_yield();
                             },
                             &entered, nullptr, nullptr));
        while (!entered.opened()) ASSERT_EQ(MC_OK, mc_task_yield());
        EXPECT_EQ(MC_OK, mc_runtime_shutdown(runtime, 0));
    });
    Runtime another;
    another.run([] { EXPECT_EQ(MC_OK, mc_task_sleep(30 * mctest::ms)); });  // the later timer
}

TEST(Shutdown, OneAtATime) {
    Runtime runtime;
    Gate in_section, over;
    runtime.spawn([&] {
        mc_release();
        in_section.open();
        over.wait();
        mc_acquire();
    });
    std::thread runner([&] { (void)mc_runtime_run(runtime); });
    in_section.wait();
    std::thread first([&] { EXPECT_EQ(MC_OK, mc_runtime_shutdown(runtime, MC_FOREVER)); });
    mc_status second = MC_OK;
    while ((second = mc_task_spawn(
                runtime, [](void*) {}, nullptr, nullptr, nullptr)) != MC_ESHUTDOWN)
        ASSERT_EQ(MC_OK, second);
    EXPECT_EQ(MC_EBUSY, mc_runtime_shutdown(runtime, MC_FOREVER));
    over.open();
    first.join();
    runner.join();
    EXPECT_EQ(MC_ESHUTDOWN, mc_runtime_shutdown(runtime, MC_FOREVER));
}

}  // namespace
