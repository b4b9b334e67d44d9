// SPDX-License-Identifier: BSL-1.0
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <thread>

#include "testing.h"

namespace {

using mctest::Gate;
using mctest::Runtime;

class ReleaseWith : public mctest::InTask {};
MC_IN_EACH_KIND(ReleaseWith);

TEST_P(ReleaseWith, OpensASection) {
    Runtime runtime;
    in_task(runtime, [&] {
        Gate other_ran;
        runtime.spawn([&] { other_ran.open(); });
        mc_section_options options = MC_SECTION_OPTIONS_INIT;
        EXPECT_EQ(MC_OK, mc_release_with(&options));
        other_ran.wait();
        EXPECT_EQ(MC_OK, mc_cancelled());
        EXPECT_EQ(MC_OK, mc_acquire_status());

        EXPECT_EQ(MC_OK, mc_release_with(nullptr));
        mc_acquire();
    });
    EXPECT_EQ(2u, runtime.stats().sections);
}

TEST_P(ReleaseWith, AfterBadOptionsTheSectionIsOpenAllTheSame) {
    Runtime runtime;
    in_task(runtime, [&] {
        mc_section_options options = MC_SECTION_OPTIONS_INIT;
        options.flags = 0x80000000u;
        EXPECT_EQ(MC_EINVAL, mc_release_with(&options));
        EXPECT_EQ(MC_EPERM, mc_task_yield());
        mc_acquire();
        EXPECT_EQ(MC_OK, mc_task_yield());

        struct {
            mc_section_options known;
            uint64_t tail;
        } larger = {MC_SECTION_OPTIONS_INIT, 1};
        larger.known.size = sizeof larger;
        EXPECT_EQ(MC_EINVAL, mc_release_with(&larger.known));
        mc_acquire();
        larger.tail = 0;
        EXPECT_EQ(MC_OK, mc_release_with(&larger.known));
        mc_acquire();

        options = MC_SECTION_OPTIONS_INIT;
        options.size = offsetof(mc_section_options, deadline);
        options.deadline = 1;  // behind the size
        EXPECT_EQ(MC_OK, mc_release_with(&options));
        EXPECT_EQ(MC_OK, mc_acquire_status());
    });
    runtime.take_reports();
}

TEST_P(ReleaseWith, APassedDeadlineIsSeenInsideAndAtTheEnd) {
    Runtime runtime;
    in_task(runtime, [] {
        mc_section_options options = MC_SECTION_OPTIONS_INIT;
        options.deadline = mctest::ms;
        const mc_status status = mc_release_with(&options);
        EXPECT_TRUE(status == MC_OK || status == MC_ECANCELED);  // it may have passed by now
        while (mc_cancelled() == MC_OK) {
        }
        EXPECT_EQ(MC_ECANCELED, mc_cancelled());
        EXPECT_EQ(MC_ECANCELED, mc_acquire_status());

        // It was that section's; the task goes on as before.
        EXPECT_EQ(MC_OK, mc_checkpoint());
        mc_release();
        EXPECT_EQ(MC_OK, mc_cancelled());
        EXPECT_EQ(MC_OK, mc_acquire_status());
    });
}

TEST_P(ReleaseWith, NoDeadlineNeverPasses) {
    Runtime runtime;
    in_task(runtime, [] {
        mc_section_options options = MC_SECTION_OPTIONS_INIT;
        for (const uint64_t none : {uint64_t{0}, static_cast<uint64_t>(MC_NONE)}) {
            options.deadline = none;
            EXPECT_EQ(MC_OK, mc_release_with(&options));
            EXPECT_EQ(MC_OK, mc_cancelled());
            EXPECT_EQ(MC_OK, mc_acquire_status());
        }
    });
}

struct Unblock {
    Gate called;
    std::atomic<int> times{0};
    std::atomic<int> thread{0};

    static void call(void* self) {
        Unblock* unblock = static_cast<Unblock*>(self);
        unblock->times.fetch_add(1);
        unblock->thread.store(mctest::thread_id());
        unblock->called.open();
    }
};

TEST_P(ReleaseWith, AnInterruptCallsUnblockOnce) {
    Runtime runtime;
    in_task(runtime, [&] {
        mc_task* self = mc_task_current();
        Unblock unblock;
        runtime.spawn([self] {
            while (mc_task_state(self) != MC_TASK_SECTION) EXPECT_EQ(MC_OK, mc_task_yield());
            EXPECT_EQ(MC_OK, mc_task_interrupt(self, self));
            EXPECT_EQ(MC_EBUSY, mc_task_interrupt(self, self));
        });
        mc_section_options options = MC_SECTION_OPTIONS_INIT;
        options.unblock = Unblock::call;
        options.unblock_arg = &unblock;
        EXPECT_EQ(MC_OK, mc_release_with(&options));
        unblock.called.wait();
        while (mc_cancelled() == MC_OK) {
        }
        EXPECT_EQ(MC_EINTR, mc_cancelled());
        EXPECT_EQ(MC_EINTR, mc_acquire_status());
        EXPECT_EQ(1, unblock.times.load());
        EXPECT_NE(mctest::thread_id(), unblock.thread.load());

        // Reported, not consumed.
        EXPECT_EQ(MC_EINTR, mc_checkpoint());
        void* payload = nullptr;
        EXPECT_EQ(MC_OK, mc_task_take_interrupt(self, &payload));
        EXPECT_EQ(self, payload);
        EXPECT_EQ(MC_OK, mc_checkpoint());
    });
}

TEST_P(ReleaseWith, APendingInterruptIsToldAtTheRelease) {
    Runtime runtime;
    in_task(runtime, [] {
        mc_task* self = mc_task_current();
        Unblock unblock;
        mc_section_options options = MC_SECTION_OPTIONS_INIT;
        options.unblock = Unblock::call;
        options.unblock_arg = &unblock;
        EXPECT_EQ(MC_OK, mc_task_interrupt(self, nullptr));
        EXPECT_EQ(MC_EINTR, mc_release_with(&options));
        EXPECT_EQ(MC_EINTR, mc_cancelled());
        EXPECT_EQ(MC_EINTR, mc_acquire_status());
        EXPECT_EQ(MC_EINTR, mc_release_with(nullptr));
        mc_acquire();
        EXPECT_EQ(MC_OK, mc_task_take_interrupt(self, nullptr));
        EXPECT_EQ(MC_OK, mc_release_with(nullptr));
        EXPECT_EQ(MC_OK, mc_acquire_status());
        EXPECT_EQ(0, unblock.times.load());
    });
}

struct SlowUnblock {
    Gate running, finish;
    std::atomic<bool> done{false};

    static void call(void* self) {
        SlowUnblock* unblock = static_cast<SlowUnblock*>(self);
        unblock->running.open();
        unblock->finish.wait();
        unblock->done.store(true);
    }
};

TEST_P(ReleaseWith, TheAcquireWaitsForARunningUnblock) {
    Runtime runtime;
    in_task(runtime, [] {
        mc_task* self = mc_task_current();
        SlowUnblock unblock;
        mc_section_options options = MC_SECTION_OPTIONS_INIT;
        options.unblock = SlowUnblock::call;
        options.unblock_arg = &unblock;
        std::thread interrupts, releases;
        EXPECT_EQ(MC_OK, mc_release_with(&options));
        interrupts = std::thread([self] { EXPECT_EQ(MC_OK, mc_task_interrupt(self, nullptr)); });
        unblock.running.wait();
        releases = std::thread([&] { unblock.finish.open(); });
        EXPECT_EQ(MC_EINTR, mc_acquire_status());
        EXPECT_TRUE(unblock.done.load());
        interrupts.join();
        releases.join();
        EXPECT_EQ(MC_OK, mc_task_take_interrupt(self, nullptr));
    });
}

TEST_P(ReleaseWith, NoUnblockIsCalledAfterItsSection) {
    Runtime runtime;
    in_task(runtime, [] {
        mc_task* self = mc_task_current();
        for (int i = 0; i < 200; ++i) {
            // On this stack frame: a late call would find it gone.
            std::atomic<bool> open{true};
            mc_section_options options = MC_SECTION_OPTIONS_INIT;
            options.unblock = [](void* flag) { EXPECT_TRUE(static_cast<std::atomic<bool>*>(flag)->load()); };
            options.unblock_arg = &open;
            Gate go;
            std::thread other([&] {
                go.wait();
                EXPECT_EQ(MC_OK, mc_task_interrupt(self, nullptr));
            });
            mc_release_with(&options);
            go.open();
            mc_acquire();
            open.store(false);
            mc_release();
            other.join();
            mc_acquire();
            EXPECT_EQ(MC_OK, mc_task_take_interrupt(self, nullptr));
        }
    });
}

TEST_P(ReleaseWith, AnInnerOneDoesNothing) {
    Runtime runtime;
    in_task(runtime, [] {
        mc_section_options options = MC_SECTION_OPTIONS_INIT;
        mc_release();
        EXPECT_EQ(MC_OK, mc_release_with(&options));
        EXPECT_EQ(MC_OK, mc_acquire_status());
        EXPECT_EQ(MC_EPERM, mc_task_yield());
        EXPECT_EQ(MC_OK, mc_acquire_status());
        EXPECT_EQ(MC_OK, mc_task_yield());
    });
}

TEST_P(ReleaseWith, OneInACallbackHasItsOwnUnblock) {
    Runtime runtime;
    in_task(runtime, [] {
        mc_task* self = mc_task_current();
        Unblock outer, inner;
        mc_section_options options = MC_SECTION_OPTIONS_INIT;
        options.unblock = Unblock::call;
        options.unblock_arg = &outer;
        EXPECT_EQ(MC_OK, mc_release_with(&options));
        EXPECT_EQ(MC_OK, mc_enter());
        options.unblock_arg = &inner;
        EXPECT_EQ(MC_OK, mc_release_with(&options));
        std::thread([self] { EXPECT_EQ(MC_OK, mc_task_interrupt(self, nullptr)); }).join();
        inner.called.wait();
        EXPECT_EQ(0, outer.times.load());
        EXPECT_EQ(MC_EINTR, mc_acquire_status());
        // Nobody had told the outer section: that is made up for.
        EXPECT_EQ(MC_OK, mc_leave());
        outer.called.wait();
        EXPECT_EQ(MC_EINTR, mc_acquire_status());
        EXPECT_EQ(MC_OK, mc_task_take_interrupt(self, nullptr));
        EXPECT_EQ(1, inner.times.load());
        EXPECT_EQ(1, outer.times.load());
    });
}

TEST_P(ReleaseWith, OneInACallbackDoesNotRepeatTheOutersUnblock) {
    Runtime runtime;
    in_task(runtime, [] {
        mc_task* self = mc_task_current();
        Unblock outer, inner;
        mc_section_options options = MC_SECTION_OPTIONS_INIT;
        options.unblock = Unblock::call;
        options.unblock_arg = &outer;
        EXPECT_EQ(MC_OK, mc_release_with(&options));
        std::thread([self] { EXPECT_EQ(MC_OK, mc_task_interrupt(self, nullptr)); }).join();
        EXPECT_EQ(MC_OK, mc_enter());
        options.unblock_arg = &inner;
        EXPECT_EQ(MC_EINTR, mc_release_with(&options));
        EXPECT_EQ(MC_EINTR, mc_acquire_status());
        EXPECT_EQ(MC_OK, mc_leave());
        mctest::spin(10 * mctest::ms);  // most likely another thread would have called it by now
        EXPECT_EQ(MC_EINTR, mc_acquire_status());
        EXPECT_EQ(MC_OK, mc_task_take_interrupt(self, nullptr));
        EXPECT_EQ(0, inner.times.load());
        EXPECT_EQ(1, outer.times.load());
    });
}

TEST_P(ReleaseWith, TheDeadlineOfAnInlineSectionUnblocksWhereACarrierIsIdle) {
    mc_runtime_options several = MC_RUNTIME_OPTIONS_INIT;
    several.keep_idle_threads = 4;
    Runtime runtime(several);
    in_task(runtime, [&] {
        mctest::sections_at_once(runtime, 2);
        mctest::spin(10 * mctest::ms);  // most likely the carriers sleep now
        Unblock unblock;
        mc_section_options options = MC_SECTION_OPTIONS_INIT;
        options.deadline = mctest::ms;
        options.unblock = Unblock::call;
        options.unblock_arg = &unblock;
        const int off = mc_scope_enter(MC_SCOPE_DISABLE);
        const mc_status status = mc_release_with(&options);
        EXPECT_TRUE(status == MC_OK || status == MC_ECANCELED) << status;  // it may have passed by now
        unblock.called.wait();
        EXPECT_EQ(MC_ECANCELED, mc_acquire_status());
        EXPECT_EQ(MC_OK, mc_scope_leave(off));
    });
}

TEST_P(ReleaseWith, KeepsErrnoWhateverTheMisuseHandlerDoes) {
    mc_runtime_options runtime_options = MC_RUNTIME_OPTIONS_INIT;
    int reports = 0;
    runtime_options.arg = &reports;
    runtime_options.misuse = [](void* count, const mc_misuse*) {
        ++*static_cast<int*>(count);
        errno = EIO;
    };
    Runtime runtime(runtime_options);
    in_task(runtime, [] {
        mc_section_options options = MC_SECTION_OPTIONS_INIT;
        options.flags = 0x80000000u;
        errno = ENOTTY;
        const mc_status status = mc_release_with(&options);
        const int after = errno;
        EXPECT_EQ(MC_EINVAL, status);
        EXPECT_EQ(ENOTTY, after);
        mc_acquire();
    });
    EXPECT_EQ(1, reports);
}

TEST(ReleaseWithoutAcquire, ItsDeadlineEndsWithTheTask) {
    std::atomic<bool> ended{false};
    Runtime runtime;
    runtime.run([&] {
        mc_section_options options = MC_SECTION_OPTIONS_INIT;
        options.deadline = 5 * mctest::ms;
        options.unblock = [](void* flag) { EXPECT_FALSE(static_cast<std::atomic<bool>*>(flag)->load()); };
        options.unblock_arg = &ended;
        const mc_status status = mc_release_with(&options);
        EXPECT_TRUE(status == MC_OK || status == MC_ECANCELED) << status;
    });
    ended.store(true);
    EXPECT_EQ(1u, runtime.take_reports().size());
    runtime.run([] { EXPECT_EQ(MC_OK, mc_task_sleep(10 * mctest::ms)); });  // the later timer
}

TEST(ReleaseWithoutAcquire, ItsDeadlineEndsWithTheThread) {
    std::atomic<bool> ended{false};
    Runtime runtime;
    std::thread([&] {
        ASSERT_EQ(MC_OK, mc_attach(runtime, nullptr, MC_FOREVER, nullptr));
        mc_section_options options = MC_SECTION_OPTIONS_INIT;
        options.deadline = 5 * mctest::ms;
        options.unblock = [](void* flag) { EXPECT_FALSE(static_cast<std::atomic<bool>*>(flag)->load()); };
        options.unblock_arg = &ended;
        const mc_status status = mc_release_with(&options);
        EXPECT_TRUE(status == MC_OK || status == MC_ECANCELED) << status;
    }).join();
    ended.store(true);
    EXPECT_GE(runtime.take_reports().size(), 1u);
    runtime.run([] { EXPECT_EQ(MC_OK, mc_task_sleep(10 * mctest::ms)); });
}

}  // namespace
