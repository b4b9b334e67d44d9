// Everything at once: tasks, attached threads and foreign threads make random calls against each other.
// Nothing may hang, be lost, or let two threads touch what the baton guards.
// SPDX-License-Identifier: BSL-1.0
#include <atomic>
#include <cstdio>
#include <thread>
#include <vector>

#include <sys/socket.h>
#include <unistd.h>

#include "testing.h"

namespace {

using mctest::Runtime;

constexpr int workers = 16, bound_workers = 3, rounds = 400;

class Chaos {
public:
    Chaos() { EXPECT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds_)); }
    ~Chaos() {
        close(fds_[0]);
        close(fds_[1]);
    }

    void go(unsigned seed) {
        // The handles are complete before anybody runs.
        for (int i = 0; i < workers; ++i)
            tasks_.push_back(
                runtime_.spawn([this, seed, i] { work(seed + static_cast<unsigned>(i) * 131u); }));
        std::vector<std::thread> threads;
        for (int i = 0; i < bound_workers; ++i)
            threads.emplace_back([this, seed, i] {
                for (unsigned again = 0; again < 4; ++again)
                    runtime_.attached([&] { work(seed + 977u * (again + 1) + static_cast<unsigned>(i)); });
            });
        std::thread meddler([this, seed] { meddle(seed); });
        runtime_.run();
        for (std::thread& thread : threads) thread.join();
        over_.store(true);
        meddler.join();
        runtime_.run();
        EXPECT_EQ(0u, violations_);
        EXPECT_EQ(counted_.load(), touches_);
    }

private:
    // Plain on purpose: the baton guards it.
    void touch() {
        if (inside_) ++violations_;
        inside_ = true;
        ++touches_;
        counted_.fetch_add(1, std::memory_order_relaxed);  // what the plain count must agree with
        inside_ = false;
    }

    static uint32_t next(uint32_t& random) {
        random = random * 1664525u + 1013904223u;
        return random >> 8;
    }

    void settle(mc_status status) {
        if (status == MC_EINTR)
            EXPECT_EQ(MC_OK, mc_task_take_interrupt(mc_task_current(), nullptr));
        else
            EXPECT_TRUE(status == MC_OK || status == MC_ETIMEDOUT || status == MC_EBUSY)
                << mc_status_name(status);
    }

    void section(uint32_t& random) {
        mc_section_options options = MC_SECTION_OPTIONS_INIT;
        std::atomic<int> unblocked{0};
        options.unblock = [](void* count) { static_cast<std::atomic<int>*>(count)->fetch_add(1); };
        options.unblock_arg = &unblocked;
        if (next(random) % 4 == 0) options.deadline = next(random) % 50000;
        const bool with = next(random) % 2 == 0;
        if (with)
            (void)mc_release_with(&options);
        else
            mc_release();
        if (next(random) % 3 == 0) mctest::spin(next(random) % 20000);
        if (next(random) % 3 == 0) {
            EXPECT_EQ(MC_OK, mc_enter());
            touch();
            if (next(random) % 2 == 0) (void)mc_task_yield();
            EXPECT_EQ(MC_OK, mc_leave());
        }
        mc_acquire();
        EXPECT_LE(unblocked.load(), 1);
    }

    void child(uint32_t random) {
        mc_task* task = nullptr;
        struct Child {
            Chaos* chaos;
            uint32_t random;
            mc_task* parent;
        } arg = {this, random, mc_task_current()};
        ASSERT_EQ(MC_OK, mc_task_spawn(
                             runtime_,
                             [](void* self) {
                                 Child& child = *static_cast<Child*>(self);
                                 for (int i = 0; i < 3; ++i) {
                                     child.chaos->touch();
                                     child.chaos->section(child.random);
                                     (void)mc_task_yield();
                                 }
                                 (void)mc_task_unpark(child.parent);
                             },
                             &arg, nullptr, &task));
        mc_status status;
        while ((status = mc_task_join(task, next(random) % 100000)) != MC_OK) settle(status);
        EXPECT_EQ(MC_OK, mc_task_result(task));
        mc_task_unref(task);
    }

    void work(uint32_t random) {
        for (int round = 0; round < rounds; ++round) {
            touch();
            mc_task* other = tasks_[next(random) % workers];
            switch (next(random) % 12) {
                case 0: settle(mc_task_yield()); break;
                case 1: settle(mc_checkpoint()); break;
                case 2: settle(mc_task_sleep(next(random) % 50000)); break;
                case 3: settle(mc_task_park(next(random) % 50000)); break;
                case 4: (void)mc_task_unpark(other); break;
                case 5: (void)mc_task_interrupt(other, nullptr); break;
                case 6: child(random); break;
                case 7:
                    settle(
                        mc_task_wait_fd(fds_[next(random) % 2], MC_READABLE, next(random) % 50000, nullptr));
                    break;
                case 8: {
                    const int scope = mc_scope_enter(next(random) % 3);
                    EXPECT_GE(scope, 0);
                    section(random);
                    touch();
                    EXPECT_EQ(MC_OK, mc_scope_leave(scope));
                    break;
                }
                default: section(random); break;
            }
        }
    }

    void meddle(uint32_t random) {
        char byte = 0;
        while (!over_.load()) {
            mc_task* other = tasks_[next(random) % workers];
            switch (next(random) % 6) {
                case 0: (void)mc_task_interrupt(other, nullptr); break;
                case 1: (void)mc_task_unpark(other); break;
                case 2: (void)mc_enable(runtime_, static_cast<int>(next(random) % 2)); break;
                case 3: (void)!write(fds_[0], &byte, 1); break;
                case 4: (void)!read(fds_[1], &byte, 1); break;
                default:
                    if (mc_attach(runtime_, nullptr, next(random) % 30000, nullptr) == MC_OK) {
                        touch();
                        EXPECT_EQ(MC_OK, mc_detach());
                    }
            }
            std::this_thread::yield();
        }
    }

    Runtime runtime_;
    std::vector<mc_task*> tasks_;
    int fds_[2] = {-1, -1};
    std::atomic<bool> over_{false};
    bool inside_ = false;
    uint64_t touches_ = 0, violations_ = 0;
    std::atomic<uint64_t> counted_{0};
};

class ChaosSeed : public ::testing::TestWithParam<unsigned> {};

TEST_P(ChaosSeed, EndsWithNothingLost) { Chaos().go(GetParam() * 7919u); }

INSTANTIATE_TEST_SUITE_P(Seed, ChaosSeed, ::testing::Range(1u, 6u));

}  // namespace
