// A poller in one thread, everything else in others.
// SPDX-License-Identifier: BSL-1.0
#include <gtest/gtest.h>

#include <pthread.h>
#include <signal.h>

#include <deque>
#include <memory>
#include <random>

#include "waiter.h"

namespace mc {
namespace {

// The poller sleeps in the futex until something waits for an fd, and in epoll from then on.
struct ReactorThreadTest : testing::TestWithParam<bool> {
    ReactorThreadTest() {
        if (GetParam()) {
            EXPECT_EQ(reactor_add(anchor), MC_OK);
        } else {
            // As in a fresh process: drops the epoll set that another test has left.
            reactor_before_fork();
            reactor_after_fork_in_child();
        }
        const Role role;
        reactor_poll(1);  // answers a kick that another test left
    }
    const SocketPair anchor_pair;
    Waiter anchor{anchor_pair.near.get(), MC_READABLE};
};

INSTANTIATE_TEST_SUITE_P(, ReactorThreadTest, testing::Bool(),
                         [](const auto& one) { return one.param ? "InEpoll" : "BeforeAnyFd"; });

TEST_P(ReactorThreadTest, AKickWakesASleepingPoller) {
    OnePoll poller;
    poller.await_asleep();
    reactor_kick();
    EXPECT_EQ(poller.result(), Fired{});
}

TEST_P(ReactorThreadTest, ANewEarlierDeadlineWakesASleepingPoller) {
    Waiter late(now_ns() + kHour), soon(1);
    ASSERT_EQ(reactor_add(late), MC_OK);
    OnePoll poller(now_ns() + 2 * kHour);
    poller.await_asleep();
    ASSERT_EQ(reactor_add(soon), MC_OK);
    EXPECT_EQ(poller.result(), Fired{&soon});
}

TEST_P(ReactorThreadTest, ALaterDeadlineLetsThePollerSleep) {
    Waiter early(now_ns() + kHour), late(now_ns() + 2 * kHour);
    ASSERT_EQ(reactor_add(early), MC_OK);
    OnePoll poller;
    poller.await_asleep();
    ASSERT_EQ(reactor_add(late), MC_OK);
    reactor_cancel(early);
    // Only this can end it: an adder that disturbed it would have made this kick the second poll's.
    reactor_kick();
    EXPECT_EQ(poller.result(), Fired{});
    const Role role;
    const std::uint64_t until = now_ns() + 100'000;
    EXPECT_EQ(listed(reactor_poll(until)), Fired{});
    EXPECT_GE(now_ns(), until);
}

TEST_P(ReactorThreadTest, AnFdAddedToASleepingPollerFires) {
    const SocketPair pair;
    pair.send();
    Waiter wait(pair.near.get(), MC_READABLE);
    Fired fired;
    {
        OnePoll poller;
        poller.await_asleep();
        ASSERT_EQ(reactor_add(wait), MC_OK);
        fired = poller.result();
    }
    if (fired.empty()) {  // it may return once to come over from the futex
        const Role role;
        fired = listed(reactor_poll(UINT64_MAX));
    }
    EXPECT_EQ(fired, Fired{&wait});
}

// A refused fd may have made the epoll set already.
TEST_P(ReactorThreadTest, AnFdAddedAfterARefusedOneFires) {
    const SocketPair pair;
    pair.send();
    Waiter refused(1 << 20, MC_READABLE), wait(pair.near.get(), MC_READABLE);
    Fired fired;
    {
        OnePoll poller;
        poller.await_asleep();
        ASSERT_EQ(reactor_add(refused), MC_EINVAL);
        ASSERT_EQ(reactor_add(wait), MC_OK);
        fired = poller.result();
    }
    if (fired.empty()) {
        const Role role;
        fired = listed(reactor_poll(UINT64_MAX));
    }
    EXPECT_EQ(fired, Fired{&wait});
}

TEST_P(ReactorThreadTest, ASignalDoesNotHarmThePoller) {
    struct sigaction action {};
    struct sigaction before {};
    action.sa_handler = [](int) { reactor_kick(); };
    ASSERT_EQ(sigaction(SIGUSR1, &action, &before), 0);
    std::binary_semaphore started{0};
    pid_t id = 0;
    std::thread poller([&] {
        const Role role;
        ASSERT_TRUE(role.taken);
        id = static_cast<pid_t>(syscall(SYS_gettid));
        started.release();
        EXPECT_EQ(listed(reactor_poll(UINT64_MAX)), Fired{});
    });
    started.acquire();
    await_asleep(id);
    pthread_kill(poller.native_handle(), SIGUSR1);
    poller.join();
    sigaction(SIGUSR1, &before, nullptr);
}

// The kick comes at any time around the poller's way into the kernel; a lost one hangs the test.
TEST_P(ReactorThreadTest, KicksAreNotLostOnTheWayToSleep) {
    constexpr int kRounds = 100'000;
    std::atomic<int> asked{0}, answered{0};
    std::thread poller([&] {
        const Role role;
        ASSERT_TRUE(role.taken);
        for (int seen = 0; seen < kRounds;) {
            // relaxed: that the kick carries what was written before it is part of the test
            const int now = asked.load(std::memory_order_relaxed);
            if (now == seen) {
                reactor_poll(UINT64_MAX);
                continue;
            }
            seen = now;
            answered.store(seen, std::memory_order_release);
        }
    });
    for (int round = 1; round <= kRounds; ++round) {
        asked.store(round, std::memory_order_relaxed);
        reactor_kick();
        if (round % 2 == 0) continue;  // every other kick runs into the poller's answer to the last one
        while (answered.load(std::memory_order_acquire) != round) std::this_thread::yield();
    }
    poller.join();
}

// What a wait is to the runtime: whoever changes `state` first has it.
struct Racer : ReactorWait {
    enum State { kIdle, kWaiting, kFired, kDelivered };
    Racer() {
        claim = [](ReactorWait& self) {
            int expected = kWaiting;
            return static_cast<Racer&>(self).state.compare_exchange_strong(
                expected, kFired, std::memory_order_acq_rel, std::memory_order_relaxed);
        };
    }
    std::atomic<int> state{kIdle};
};

TEST_P(ReactorThreadTest, CancelsAndClaimsRace) {
    constexpr int kRounds = 8000;
    constexpr int kThreads = 2;
    std::atomic<bool> stop{false};
    std::atomic<int> delivered{0};
    std::thread poller([&] {
        const Role role;
        ASSERT_TRUE(role.taken);
        while (!stop.load(std::memory_order_acquire)) {
            for (ReactorWait* wait = reactor_poll(UINT64_MAX); wait != nullptr;) {
                auto& racer = static_cast<Racer&>(*wait);
                wait = wait->next_fired;  // before the owner gets it back
                delivered.fetch_add(1, std::memory_order_relaxed);
                racer.state.store(Racer::kDelivered, std::memory_order_release);
            }
        }
    });
    std::atomic<int> fired{0};
    const auto race = [&](unsigned seed) {
        std::mt19937 random(seed);
        const SocketPair pair;
        for (int round = 0; round < kRounds; ++round) {
            // On the stack of one round: whoever touches it later is caught by the sanitizers.
            const auto racer = std::make_unique<Racer>();
            racer->state.store(Racer::kWaiting, std::memory_order_relaxed);
            const bool with_fd = random() % 2 == 0;
            if (with_fd) {
                racer->fd = pair.near.get();
                racer->events = MC_READABLE;
                if (random() % 4 == 0) pair.send();
            }
            if (!with_fd || random() % 2 == 0) racer->deadline = now_ns() + random() % 20'000;
            ASSERT_EQ(reactor_add(*racer), MC_OK);
            for (auto spin = random() % 300; spin > 0; --spin) {
                if (racer->state.load(std::memory_order_relaxed) != Racer::kWaiting) break;
            }
            int expected = Racer::kWaiting;
            if (racer->state.compare_exchange_strong(expected, Racer::kIdle, std::memory_order_acq_rel,
                                                     std::memory_order_relaxed)) {
                reactor_cancel(*racer);
            } else {
                fired.fetch_add(1, std::memory_order_relaxed);
                while (racer->state.load(std::memory_order_acquire) != Racer::kDelivered) {
                    std::this_thread::yield();
                }
                reactor_cancel(*racer);
            }
            if (with_fd) pair.drain();
        }
    };
    std::vector<std::thread> racers;
    for (unsigned i = 0; i < kThreads; ++i) racers.emplace_back(race, i + 1);
    for (std::thread& racer : racers) racer.join();
    stop.store(true, std::memory_order_release);
    reactor_kick();
    poller.join();
    EXPECT_EQ(delivered.load(std::memory_order_relaxed), fired.load(std::memory_order_relaxed));
    EXPECT_EQ(reactor_waits(), GetParam() ? 1u : 0u);
}

// The role changes hands while kicks and timers come in.
TEST_P(ReactorThreadTest, PollersTakeTurns) {
    constexpr int kRounds = 3000;
    std::atomic<bool> stop{false};
    std::atomic<int> fired{0};
    const auto poll_in_turn = [&] {
        while (!stop.load(std::memory_order_acquire)) {
            if (!reactor_take_role()) {
                std::this_thread::yield();
                continue;
            }
            const auto got = listed(reactor_poll(now_ns() + 50'000));
            fired.fetch_add(static_cast<int>(got.size()), std::memory_order_relaxed);
            for (const ReactorWait* wait : got) static_cast<std::binary_semaphore*>(wait->owner)->release();
            reactor_drop_role();
        }
    };
    std::thread first(poll_in_turn), second(poll_in_turn);
    for (int round = 0; round < kRounds; ++round) {
        std::binary_semaphore done{0};
        Waiter wait(now_ns() + 1000);
        wait.owner = &done;
        ASSERT_EQ(reactor_add(wait), MC_OK);
        done.acquire();
    }
    stop.store(true, std::memory_order_release);
    reactor_kick();
    first.join();
    second.join();
    EXPECT_EQ(fired.load(std::memory_order_relaxed), kRounds);
}

}  // namespace
}  // namespace mc
