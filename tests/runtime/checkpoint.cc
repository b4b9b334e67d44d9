// Checkpoints and the attention hook.
// SPDX-License-Identifier: BSL-1.0
#include <atomic>
#include <thread>

#include "testing.h"

namespace {

using mctest::Gate;
using mctest::Runtime;

class Checkpoint : public mctest::InTask {};
MC_IN_EACH_KIND(Checkpoint);

TEST_P(Checkpoint, AloneDoesNothing) {
    Runtime runtime;
    in_task(runtime, [] {
        for (int i = 0; i < 1000; ++i) EXPECT_EQ(MC_OK, mc_checkpoint());
    });
}

TEST_P(Checkpoint, LetsAReadyTaskInAfterItsSlice) {
    Runtime runtime;
    in_task(runtime, [&] {
        bool ran = false;
        runtime.spawn([&] { ran = true; });
        while (!ran) ASSERT_EQ(MC_OK, mc_checkpoint());
    });
}

TEST_P(Checkpoint, LetsAReturningSectionInAfterItsSlice) {
    Runtime runtime;
    in_task(runtime, [&] {
        bool back = false;
        Gate inside, held;
        runtime.spawn([&] {
            mc_release();
            inside.open();
            held.wait();
            mc_acquire();
            back = true;
        });
        mc_release();
        inside.wait();
        mc_acquire();
        held.open();
        while (!back) ASSERT_EQ(MC_OK, mc_checkpoint());
    });
}

TEST_P(Checkpoint, ASectionHasASliceOfItsOwn) {
    mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
    options.slice = static_cast<uint64_t>(MC_NONE);
    Runtime runtime(options);
    in_task(runtime, [&] {
        bool back = false;
        Gate inside, held;
        runtime.spawn([&] {
            mc_release();
            inside.open();
            held.wait();
            mc_acquire();
            back = true;
        });
        mc_release();
        inside.wait();
        mc_acquire();
        held.open();
        while (!back) ASSERT_EQ(MC_OK, mc_checkpoint());
    });
}

TEST_P(Checkpoint, BeforeTheSliceNobodyIsLetIn) {
    mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
    options.slice = static_cast<uint64_t>(MC_NONE);
    Runtime runtime(options);
    in_task(runtime, [&] {
        bool ran = false;
        mc_task* other = runtime.spawn([&] { ran = true; });
        for (int i = 0; i < 10000; ++i) ASSERT_EQ(MC_OK, mc_checkpoint());
        EXPECT_FALSE(ran);
        EXPECT_EQ(MC_OK, mc_task_join(other, MC_FOREVER));
    });
}

TEST(CheckpointOutside, WithoutTheBatonDoesNothing) {
    Runtime runtime;
    EXPECT_EQ(MC_OK, mc_checkpoint());
    runtime.run([] {
        mc_release();
        EXPECT_EQ(MC_OK, mc_checkpoint());
        mc_acquire();
    });
}

struct Attention {
    std::atomic<int> calls{0};
    Gate called;

    static void call(void* self) {
        Attention* attention = static_cast<Attention*>(self);
        attention->calls.fetch_add(1);
        attention->called.open();
    }
    mc_host host() {
        mc_host host = MC_HOST_INIT;
        host.self = this;
        host.attention = call;
        return host;
    }
};

TEST_P(Checkpoint, AttentionIsCalledWhenATaskBecomesReady) {
    Attention attention;
    Runtime runtime(attention.host());
    in_task(runtime, [&] {
        bool ran = false;
        std::thread([&] { runtime.spawn([&] { ran = true; }); }).join();
        // Computes: nothing but the hook makes it reach a checkpoint.
        attention.called.wait();
        EXPECT_FALSE(ran);
        while (!ran) ASSERT_EQ(MC_OK, mc_checkpoint());
    });
}

TEST_P(Checkpoint, AttentionIsCalledWhenAThreadWaits) {
    Attention attention;
    Runtime runtime(attention.host());
    in_task(runtime, [&] {
        bool attached = false;
        std::thread other([&] { runtime.attached([&] { attached = true; }); });
        attention.called.wait();
        EXPECT_FALSE(attached);
        while (!attached) ASSERT_EQ(MC_OK, mc_checkpoint());
        mc_release();
        other.join();
        mc_acquire();
    });
}

TEST_P(Checkpoint, AttentionIsCalledOnceUntilTheNextCheckpoint) {
    Attention attention;
    Runtime runtime(attention.host());
    in_task(runtime, [&] {
        int ran = 0;
        std::thread([&] {
            for (int i = 0; i < 10; ++i) runtime.spawn([&] { ++ran; });
        }).join();
        attention.called.wait();
        EXPECT_EQ(1, attention.calls.load());
        while (ran < 10) ASSERT_EQ(MC_OK, mc_checkpoint());
    });
}

TEST_P(Checkpoint, AttentionIsCalledForAnInterrupt) {
    Attention attention;
    Runtime runtime(attention.host());
    in_task(runtime, [&] {
        mc_task* self = mc_task_current();
        std::thread([&] { EXPECT_EQ(MC_OK, mc_task_interrupt(self, nullptr)); }).join();
        attention.called.wait();
        EXPECT_EQ(MC_EINTR, mc_checkpoint());
        EXPECT_EQ(MC_EINTR, mc_checkpoint());
        EXPECT_EQ(MC_OK, mc_task_take_interrupt(self, nullptr));
        EXPECT_EQ(MC_OK, mc_checkpoint());
    });
}

TEST_P(Checkpoint, AttentionIsCalledForAnInterruptOfASectionInItsCallback) {
    Attention attention;
    Runtime runtime(attention.host());
    in_task(runtime, [&] {
        mc_task* self = mc_task_current();
        mc_release();
        std::thread([&] { EXPECT_EQ(MC_OK, mc_task_interrupt(self, nullptr)); }).join();
        EXPECT_EQ(MC_OK, mc_enter());
        attention.called.wait();
        EXPECT_EQ(MC_EINTR, mc_checkpoint());
        EXPECT_EQ(MC_OK, mc_task_take_interrupt(self, nullptr));
        EXPECT_EQ(MC_OK, mc_leave());
        mc_acquire();
    });
}

TEST(CheckpointNew, AttentionIsCalledForAnInterruptThatCameBeforeTheStart) {
    Attention attention;
    Runtime runtime(attention.host());
    mc_task* task = runtime.spawn([&] {
        attention.called.wait();
        EXPECT_EQ(MC_EINTR, mc_checkpoint());
        EXPECT_EQ(MC_OK, mc_task_take_interrupt(mc_task_current(), nullptr));
    });
    EXPECT_EQ(MC_OK, mc_task_interrupt(task, nullptr));
    EXPECT_EQ(0, attention.calls.load());  // nobody computes
    runtime.run();
}

TEST_P(Checkpoint, WithoutSlicesNobodyIsLetInButIntoSections) {
    Attention attention;
    const mc_host host = attention.host();
    mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
    options.host = &host;
    options.slice = options.section_slice = static_cast<uint64_t>(MC_NONE);
    Runtime runtime(options);
    in_task(runtime, [&] {
        Gate attached, ran;
        std::thread other([&] { runtime.attached([&] { attached.open(); }); });
        runtime.spawn([&] { ran.open(); });
        // Nothing can be waited for: what must not happen has occasions to happen.
        const uint64_t end = mc_now() + 5 * mctest::ms;
        while (mc_now() < end) EXPECT_EQ(MC_OK, mc_checkpoint());
        EXPECT_FALSE(attached.opened() || ran.opened());
        mc_release();
        attached.wait();
        ran.wait();
        mc_acquire();
        other.join();
    });
}

}  // namespace
