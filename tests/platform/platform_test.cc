// SPDX-License-Identifier: BSL-1.0
#include "platform/platform.h"

#include <gtest/gtest.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <semaphore>
#include <thread>
#include <vector>

namespace {

TEST(Clock, DoesNotGoBack) {
    std::uint64_t last = mc::now_ns();
    EXPECT_GT(last, 0u);
    for (int i = 0; i < 10'000; ++i) {
        const std::uint64_t now = mc::now_ns();
        ASSERT_GE(now, last);
        last = now;
    }
}

TEST(Cpus, AreThoseOfTheAffinityMask) {
    cpu_set_t mask;
    ASSERT_EQ(sched_getaffinity(0, sizeof mask, &mask), 0);
    EXPECT_EQ(mc::cpus(), static_cast<unsigned>(CPU_COUNT(&mask)));
}

[[noreturn]] void count_after_taking_all_but_one() {
    cpu_set_t mask;
    if (sched_getaffinity(0, sizeof mask, &mask) != 0) _exit(2);
    int cpu = 0;
    while (!CPU_ISSET(cpu, &mask)) ++cpu;
    CPU_ZERO(&mask);
    CPU_SET(cpu, &mask);
    if (sched_setaffinity(0, sizeof mask, &mask) != 0) _exit(2);
    _exit(mc::cpus() == 1 ? 0 : 1);
}

TEST(CpusDeathTest, MayBeOne) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_EXIT(count_after_taking_all_but_one(), testing::ExitedWithCode(0), "");
}

TEST(Futex, ReturnsAtOnceWhenTheWordDiffers) {
    std::atomic<std::uint32_t> word{1};
    mc::futex_wait(word, 0, UINT64_MAX);
}

TEST(Futex, ReturnsWhenTheTimeHasCome) {
    std::atomic<std::uint32_t> word{0};
    mc::futex_wait(word, 0, 0);
    const std::uint64_t until = mc::now_ns() + 2'000'000;
    while (mc::now_ns() < until) mc::futex_wait(word, 0, until);
}

TEST(Futex, AWakeEndsAWait) {
    std::atomic<std::uint32_t> word{0};
    std::thread sleeper([&] {
        while (word.load(std::memory_order_acquire) == 0) mc::futex_wait(word, 0, UINT64_MAX);
    });
    word.store(1, std::memory_order_release);
    mc::futex_wake_one(word);
    sleeper.join();
}

TEST(Futex, WakesOneAtATime) {
    constexpr unsigned count = 4;
    std::atomic<std::uint32_t> turn{0};
    std::counting_semaphore<> woken(0);
    std::vector<std::thread> sleepers;
    for (unsigned i = 0; i < count; ++i)
        sleepers.emplace_back([&] {
            std::uint32_t tickets = turn.load(std::memory_order_acquire);
            for (;;) {
                if (tickets == 0) {
                    mc::futex_wait(turn, 0, UINT64_MAX);
                    tickets = turn.load(std::memory_order_acquire);
                } else if (turn.compare_exchange_weak(tickets, tickets - 1, std::memory_order_acq_rel)) {
                    break;
                }
            }
            woken.release();
        });
    for (unsigned i = 0; i < count; ++i) {
        turn.fetch_add(1, std::memory_order_release);
        mc::futex_wake_one(turn);
        woken.acquire();
    }
    for (auto& sleeper : sleepers) sleeper.join();
}

TEST(Membarrier, IsThere) {
    if (syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0) <= 0) GTEST_SKIP() << "not on this kernel";
    ASSERT_TRUE(mc::membarrier_available());
    mc::membarrier();
    const pid_t child = fork();
    if (child == 0) {
        // What the child inherits is enough: no registration of its own.
        _exit(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0 ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
}

void await(const std::atomic<int>& value, int wanted) {
    for (int spins = 1; value.load(std::memory_order_acquire) != wanted; ++spins)
        if (spins % 200 == 0) std::this_thread::yield();  // there may be but one CPU
}

// Store, then load, on both sides; only one side pays for the order. Without the barrier
// both miss now and then.
TEST(Membarrier, OrdersTheSideThatHasNoFence) {
    if (!mc::membarrier_available()) GTEST_SKIP() << "not on this kernel";
    constexpr int rounds = 20'000;
    struct alignas(64) Line {
        std::atomic<int> value{0};
    };
    Line x, y, go, done;
    int saw_y = 0;
    std::thread cheap([&] {
        for (int i = 1; i <= rounds; ++i) {
            await(go.value, i);
            x.value.store(i, std::memory_order_relaxed);
            std::atomic_signal_fence(std::memory_order_seq_cst);
            saw_y = y.value.load(std::memory_order_relaxed);
            done.value.store(i, std::memory_order_release);
        }
    });
    int missed = 0;
    for (int i = 1; i <= rounds; ++i) {
        go.value.store(i, std::memory_order_release);
        // The two sides meet at a different place in every round.
        volatile int spin = i % 128;
        while (spin > 0) spin = spin - 1;
        y.value.store(i, std::memory_order_relaxed);
        mc::membarrier();
        const int saw_x = x.value.load(std::memory_order_relaxed);
        await(done.value, i);
        missed += saw_x != i && saw_y != i;
    }
    cheap.join();
    EXPECT_EQ(missed, 0);
}

struct Started {
    std::binary_semaphore done{0};
    char name[16] = "";
    std::size_t stack_size = 0;
    bool detached = false;
    bool usr1_blocked = false;
};

void examine(void* arg) {
    auto& s = *static_cast<Started*>(arg);
    mc::thread_name("multicore-name-too-long");
    pthread_getname_np(pthread_self(), s.name, sizeof s.name);
    pthread_attr_t attr;
    if (pthread_getattr_np(pthread_self(), &attr) == 0) {
        int state = -1;
        pthread_attr_getstacksize(&attr, &s.stack_size);
        pthread_attr_getdetachstate(&attr, &state);
        pthread_attr_destroy(&attr);
        s.detached = state == PTHREAD_CREATE_DETACHED;
    }
    sigset_t mask;
    pthread_sigmask(SIG_BLOCK, nullptr, &mask);
    s.usr1_blocked = sigismember(&mask, SIGUSR1) == 1;
    s.done.release();
}

TEST(Thread, StartsDetachedNamedAndAsLargeAsAsked) {
    Started s;
    ASSERT_EQ(mc::thread_start(examine, &s, 300'000), 0);
    s.done.acquire();
    EXPECT_STREQ(s.name, "multicore-name-");
    EXPECT_GE(s.stack_size, 300'000u);
    EXPECT_TRUE(s.detached);
    EXPECT_FALSE(s.usr1_blocked);
}

TEST(Thread, InheritsTheMaskAndTakesAnySize) {
    sigset_t usr1, before;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &usr1, &before);
    for (std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{100'001}}) {
        Started s;
        ASSERT_EQ(mc::thread_start(examine, &s, size), 0);
        s.done.acquire();
        EXPECT_TRUE(s.usr1_blocked);
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

TEST(Thread, FailureIsAnErrorNumber) {
    mc::fault_fail_next(mc::Fault::thread, 0, 1);
    errno = 0;
    EXPECT_EQ(mc::thread_start([](void*) { ADD_FAILURE(); }, nullptr, 0), EAGAIN);
    EXPECT_EQ(errno, 0);
    EXPECT_NE(mc::thread_start([](void*) { ADD_FAILURE(); }, nullptr, SIZE_MAX / 2), 0);
    EXPECT_EQ(errno, 0);
}

TEST(Platform, KeepsErrno) {
    std::atomic<std::uint32_t> word{1};
    errno = EDOM;
    mc::futex_wait(word, 0, UINT64_MAX);
    mc::futex_wake_one(word);
    mc::thread_name("x");
    mc::cpus();
    if (mc::membarrier_available()) mc::membarrier();
    EXPECT_EQ(errno, EDOM);
}

}  // namespace
