// The raw limits of the machine: what no runtime can go below.
// SPDX-License-Identifier: BSL-1.0
#include <atomic>
#include <thread>
#include <utility>

#include <boost/context/fiber.hpp>

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "suite.h"

extern "C" void bench_empty(void);

namespace suite {
namespace {

using Word = std::atomic<std::uint32_t>;

void futex_wait(Word& word, std::uint32_t seen) {
    syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, seen, nullptr, nullptr, 0);
}
void futex_wake(Word& word) { syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0); }

void pin(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (cpu < 0)
        for (int i = 0; i < CPU_SETSIZE; ++i) CPU_SET(i, &set);
    else
        CPU_SET(cpu, &set);
    sched_setaffinity(0, sizeof set, &set);
}

// ns of a round trip between two threads that take turns.
template <class Await, class Publish>
double round_trip(unsigned rounds, int cpu, int other_cpu, Await await, Publish publish) {
    Word turn{0};
    std::thread other([&] {
        pin(other_cpu);
        for (std::uint32_t i = 0; i < rounds; ++i) {
            await(turn, 2 * i + 1);
            publish(turn, 2 * i + 2);
        }
    });
    pin(cpu);
    const std::uint64_t start = bench_now();
    for (std::uint32_t i = 0; i < rounds; ++i) {
        publish(turn, 2 * i + 1);
        await(turn, 2 * i + 2);
    }
    const std::uint64_t end = bench_now();
    other.join();
    pin(-1);
    return static_cast<double>(end - start) / rounds;
}

double spin_round_trip() {
    return round_trip(
        20'000, 0, 1,
        [](Word& turn, std::uint32_t value) {
            while (turn.load(std::memory_order_acquire) != value) {
            }
        },
        [](Word& turn, std::uint32_t value) { turn.store(value, std::memory_order_release); });
}

double futex_round_trip(int other_cpu) {
    return round_trip(
        500, 0, other_cpu,
        [](Word& turn, std::uint32_t value) {
            for (;;) {
                const std::uint32_t seen = turn.load(std::memory_order_acquire);
                if (seen == value) return;
                futex_wait(turn, seen);
            }
        },
        [](Word& turn, std::uint32_t value) {
            turn.store(value, std::memory_order_release);
            futex_wake(turn);
        });
}

// What the waker pays where a thread sleeps.
double futex_wake_of_a_sleeper() {
    constexpr unsigned rounds = 200;
    Word woken{0};
    std::thread sleeper([&] {
        for (std::uint32_t i = 0; i < rounds; ++i)
            while (woken.load(std::memory_order_acquire) == i) futex_wait(woken, i);
    });
    std::uint64_t spent = 0;
    for (unsigned i = 0; i < rounds; ++i) {
        usleep(200);  // it sleeps
        const std::uint64_t start = bench_now();
        woken.fetch_add(1, std::memory_order_release);
        futex_wake(woken);
        spent += bench_now() - start;
    }
    sleeper.join();
    return static_cast<double>(spent) / rounds;
}

}  // namespace

double fiber_switch_ns() {
    bool stop = false;
    boost::context::fiber away([&](boost::context::fiber&& home) {
        while (!stop) home = std::move(home).resume();
        return std::move(home);
    });
    const double both = cost(200'000, [&] { away = std::move(away).resume(); });
    stop = true;
    away = std::move(away).resume();
    return both / 2;
}

void raw(const Arguments&) {
    std::atomic<std::uint64_t> word{0};
    const auto cas = [&](std::uint64_t from, std::uint64_t to, std::memory_order order) {
        word.compare_exchange_strong(from, to, order, std::memory_order_relaxed);
    };
    report("cas_cas_ns", cost(500'000, [&] {
               cas(0, 1, std::memory_order_acq_rel);
               cas(1, 0, std::memory_order_acq_rel);
           }));
    report("store_cas_ns", cost(500'000, [&] {
               word.store(1, std::memory_order_release);
               cas(1, 0, std::memory_order_acquire);
           }));
    report("two_empty_calls_ns", cost(500'000, [] {
               bench_empty();
               bench_empty();
           }));
    report("fiber_switch_ns", fiber_switch_ns());
    report("spin_round_trip_ns", spin_round_trip());
    report("futex_round_trip_two_cores_ns", futex_round_trip(1));
    report("futex_round_trip_one_core_ns", futex_round_trip(0));
    Word nobody{0};
    report("futex_wake_nobody_ns", cost(2'000, [&] { futex_wake(nobody); }));
    report("futex_wake_sleeper_ns", futex_wake_of_a_sleeper());
    report("two_thread_speed_up", bench_two_thread_speed_up());
}

}  // namespace suite
