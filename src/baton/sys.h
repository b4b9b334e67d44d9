// The seam between the protocol and the machine.
//
// Everything under baton/ is a template over a `Sys`: all its atomics, its blocking and its clock come
// from there and from nowhere else. RealSys is the machine. A controlled scheduler supplies another
// Sys and so runs the very same protocol code, one access at a time.
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <cstdint>

#include "platform/platform.h"

namespace mc {

template <class Sys>
struct Seat;

inline constexpr std::uint64_t kForever = UINT64_MAX;

// A time after another, for ever at most.
constexpr std::uint64_t later(std::uint64_t time, std::uint64_t by) noexcept {
    return by < kForever - time ? time + by : kForever;
}

struct RealSys {
    template <class T>
    using Atomic = std::atomic<T>;

    static std::uint64_t now() noexcept { return now_ns(); }
    static int cpus() noexcept {
        static const int count = static_cast<int>(mc::cpus());
        return count;
    }
    static bool one_cpu() noexcept { return cpus() == 1; }

    // By whoever makes a baton, before others see it: from then on light_fence is free, if the system can.
    static void prepare_fences() noexcept {
        asymmetric_.store(membarrier_available(), std::memory_order_relaxed);  // published with the baton
    }
    // Between a store and a load of a fast path: stops the compiler only. The other side of each such
    // pair calls heavy_fence.
    static void light_fence() noexcept {
        if (asymmetric_.load(std::memory_order_relaxed)) [[likely]]
            std::atomic_signal_fence(std::memory_order_seq_cst);
        else
            std::atomic_thread_fence(std::memory_order_seq_cst);
    }
    static void heavy_fence() noexcept {
        if (asymmetric_.load(std::memory_order_relaxed))
            membarrier();
        else
            std::atomic_thread_fence(std::memory_order_seq_cst);
    }

    static void pause() noexcept {
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        __asm__ volatile("yield");
#endif
    }
    // How often a thread that waits in a crowd gives way to others before it blocks.
    static constexpr unsigned kYields = 64;
    static void yield_cpu() noexcept;

    // Blocks while seat.state is PARKED, until `until` at the latest; may return early. unblock ends it
    // after the state has been changed. A blocked thread may meanwhile serve as the reactor's poller.
    static void block(Seat<RealSys>& seat, std::uint64_t until) noexcept;
    static void unblock(Seat<RealSys>& seat) noexcept;

private:
    static inline constinit std::atomic<bool> asymmetric_{false};
};

}  // namespace mc
