// SPDX-License-Identifier: BSL-1.0
#include <atomic>
#include <thread>

#include <unistd.h>

#include "testing.h"

namespace {

using mctest::Gate;
using mctest::Runtime;

class Interrupt : public mctest::InTask {};
MC_IN_EACH_KIND(Interrupt);

TEST_P(Interrupt, EndsWhateverSuspends) {
    Runtime runtime;
    int fds[2];
    ASSERT_EQ(0, pipe(fds));
    in_task(runtime, [&] {
        mc_task* self = mc_task_current();
        mc_task* parked = runtime.spawn([] { EXPECT_EQ(MC_OK, mc_task_park(MC_FOREVER)); });
        const std::function<mc_status()> waits[] = {
            [] { return mc_task_sleep(MC_FOREVER); },
            [] { return mc_task_park(MC_FOREVER); },
            [&] { return mc_task_join(parked, MC_FOREVER); },
            [&] { return mc_task_wait_fd(fds[0], MC_READABLE, MC_FOREVER, nullptr); },
        };
        int payload = 0;
        for (const auto& wait : waits) {
            ++payload;
            std::thread other([&] {
                while (mc_task_state(self) != MC_TASK_SUSPENDED) std::this_thread::yield();
                EXPECT_EQ(MC_OK, mc_task_interrupt(self, &payload));
            });
            EXPECT_EQ(MC_EINTR, wait());
            void* got = nullptr;
            EXPECT_EQ(MC_OK, mc_task_take_interrupt(self, &got));
            EXPECT_EQ(&payload, got);
            other.join();
        }
        EXPECT_EQ(MC_OK, mc_task_unpark(parked));
        EXPECT_EQ(MC_OK, mc_task_join(parked, MC_FOREVER));
    });
    close(fds[0]);
    close(fds[1]);
}

TEST_P(Interrupt, StaysUntilItIsTaken) {
    Runtime runtime;
    in_task(runtime, [&] {
        mc_task* self = mc_task_current();
        mc_task* ended = runtime.spawn([] {});
        EXPECT_EQ(MC_OK, mc_task_interrupt(self, &runtime));
        EXPECT_EQ(MC_EBUSY, mc_task_interrupt(self, nullptr));
        for (int i = 0; i < 2; ++i) {
            EXPECT_EQ(MC_EINTR, mc_checkpoint());
            EXPECT_EQ(MC_EINTR, mc_task_sleep(1));
            EXPECT_EQ(MC_EINTR, mc_task_park(MC_FOREVER));
            EXPECT_EQ(MC_EINTR, mc_task_join(ended, MC_FOREVER));
        }
        void* payload = nullptr;
        EXPECT_EQ(MC_OK, mc_task_take_interrupt(self, &payload));
        EXPECT_EQ(&runtime, payload);
        EXPECT_EQ(MC_EAGAIN, mc_task_take_interrupt(self, &payload));
        EXPECT_EQ(MC_OK, mc_checkpoint());
        EXPECT_EQ(MC_OK, mc_task_sleep(1));
        EXPECT_EQ(MC_OK, mc_task_join(ended, MC_FOREVER));
        EXPECT_EQ(MC_OK, mc_task_interrupt(self, nullptr));  // and again
        EXPECT_EQ(MC_OK, mc_task_take_interrupt(self, &payload));
        EXPECT_EQ(nullptr, payload);
    });
}

TEST_P(Interrupt, OfASectionIsPendingAfterItsAcquire) {
    Runtime runtime;
    in_task(runtime, [&] {
        mc_task* self = mc_task_current();
        Gate interrupted;
        runtime.spawn([&] {
            EXPECT_EQ(MC_OK, mc_task_interrupt(self, nullptr));
            interrupted.open();
        });
        mc_release();
        interrupted.wait();
        EXPECT_EQ(MC_EINTR, mc_cancelled());
        mc_acquire();
        EXPECT_EQ(MC_EINTR, mc_checkpoint());
        EXPECT_EQ(MC_OK, mc_task_take_interrupt(self, nullptr));
        EXPECT_EQ(MC_OK, mc_cancelled());
    });
}

TEST_P(Interrupt, OfOneThatHasNotStartedWaitsForIt) {
    Runtime runtime;
    in_task(runtime, [&] {
        int payload = 0;
        mc_task* other = runtime.spawn([&] {
            EXPECT_EQ(MC_EINTR, mc_task_sleep(MC_FOREVER));
            void* got = nullptr;
            EXPECT_EQ(MC_OK, mc_task_take_interrupt(mc_task_current(), &got));
            EXPECT_EQ(&payload, got);
        });
        EXPECT_EQ(MC_OK, mc_task_interrupt(other, &payload));
        EXPECT_EQ(MC_OK, mc_task_join(other, MC_FOREVER));
    });
}

TEST_P(Interrupt, NoPermitIsLostBesideIt) {
    Runtime runtime;
    in_task(runtime, [&] {
        mc_task* self = mc_task_current();
        EXPECT_EQ(MC_OK, mc_task_unpark(self));
        EXPECT_EQ(MC_OK, mc_task_interrupt(self, nullptr));
        EXPECT_EQ(MC_EINTR, mc_task_park(MC_FOREVER));
        EXPECT_EQ(MC_OK, mc_task_take_interrupt(self, nullptr));
        EXPECT_EQ(MC_OK, mc_task_park(0));
    });
}

TEST_P(Interrupt, FromManyThreadsOneWins) {
    Runtime runtime;
    in_task(runtime, [] {
        mc_task* self = mc_task_current();
        for (int round = 0; round < 50; ++round) {
            std::vector<std::thread> all;
            int slots[4];
            mc_status results[4];
            for (int i = 0; i < 4; ++i)
                all.emplace_back([&, i] { results[i] = mc_task_interrupt(self, &slots[i]); });
            EXPECT_EQ(MC_EINTR, mc_task_park(MC_FOREVER));
            mc_release();
            for (std::thread& thread : all) thread.join();
            mc_acquire();
            void* payload = nullptr;
            ASSERT_EQ(MC_OK, mc_task_take_interrupt(self, &payload));
            for (int i = 0; i < 4; ++i) EXPECT_EQ(&slots[i] == payload ? MC_OK : MC_EBUSY, results[i]);
        }
    });
}

TEST_P(Interrupt, EachIsDeliveredOnceWithItsPayload) {
    Runtime runtime;
    in_task(runtime, [] {
        mc_task* self = mc_task_current();
        constexpr int rounds = mctest::sanitized ? 5000 : 100000;
        int sent = 0, got = 0, wrong = 0;
        std::atomic<bool> stop{false};
        std::thread other([&] {
            while (!stop.load()) {
                if (mc_task_interrupt(self, &sent) == MC_OK)
                    ++sent;
                else
                    std::this_thread::yield();
            }
        });
        const auto take = [&] {
            void* payload = nullptr;
            if (mc_task_take_interrupt(self, &payload) != MC_OK) return;
            ++got;
            wrong += payload != &sent;
        };
        while (got < rounds && wrong == 0) {
            if (mc_checkpoint() == MC_EINTR)
                take();
            else
                std::this_thread::yield();
        }
        stop.store(true);
        other.join();
        take();  // the last one
        EXPECT_EQ(sent, got);
        EXPECT_EQ(0, wrong);
    });
}

TEST_P(Interrupt, ThatStaysPendingLetsOthersRun) {
    const std::function<void()> ways[] = {
        [] { EXPECT_EQ(MC_EINTR, mc_task_yield()); },
        [] { EXPECT_EQ(MC_EINTR, mc_task_sleep(mctest::us)); },
        [] { EXPECT_EQ(MC_EINTR, mc_task_park(MC_FOREVER)); },
        [] { EXPECT_EQ(MC_EINTR, mc_checkpoint()); },
    };
    Runtime runtime;
    in_task(runtime, [&] {
        mc_task* self = mc_task_current();
        EXPECT_EQ(MC_OK, mc_task_interrupt(self, nullptr));
        for (const auto& go_on : ways) {
            bool ran = false;
            runtime.spawn([&] { ran = true; });
            while (!ran) go_on();
        }
        EXPECT_EQ(MC_OK, mc_task_take_interrupt(self, nullptr));
    });
}

TEST(InterruptArguments, TheEndedAndNullAreRefused) {
    Runtime runtime;
    mc_task* ended = runtime.spawn([] {});
    runtime.run();
    EXPECT_EQ(MC_EINVAL, mc_task_interrupt(ended, nullptr));
    EXPECT_EQ(MC_EINVAL, mc_task_interrupt(nullptr, nullptr));
    runtime.run([] { EXPECT_EQ(MC_EINVAL, mc_task_take_interrupt(nullptr, nullptr)); });
}

}  // namespace
