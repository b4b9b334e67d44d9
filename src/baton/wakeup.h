// Who wakes a suspended task: exactly one of those who may.
//
// A task that suspends arms its word with what it waits for. Wakers on any thread claim it with one CAS;
// the one that succeeds posts the task. Marks that outlast a wait (a permit, a pending interrupt, a
// cancellation) live in the same word, so that none can slip between the look and the wait.
//
// W1  A task is posted only by the claimer of its current wait, so at most once per wait.
// W2  Arming fails if a mark already answers the wait.
//
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <cstdint>

namespace mc {

namespace wait {
// What a task waits for (bits 0-2) and what ended the wait (bits 8-11).
enum Kind : std::uint32_t { NONE = 0, PARK = 1, SLEEP = 2, JOIN = 3, FD = 4 };
enum Reason : std::uint32_t { UNPARKED = 1, TIME = 2, JOINED = 3, READY = 4, INTERRUPTED = 5, CANCELLED = 6 };
enum Mark : std::uint32_t {
    PERMIT = 1u << 4,
    INTERRUPT = 1u << 5,
    CANCEL = 1u << 6,
    DEADLINE = 1u << 7,
    ABANDON = 1u << 12,  // with CANCEL: the task is not to run on
    LOST = 1u << 13      // in a forked child: nor is this one, for want of its thread or of the baton
};

inline constexpr std::uint32_t kKinds = 7;
inline constexpr std::uint32_t kReasonShift = 8;
inline constexpr std::uint32_t kReasons = 15u << kReasonShift;
inline constexpr std::uint32_t kAnyKind = 1u << PARK | 1u << SLEEP | 1u << JOIN | 1u << FD;
}  // namespace wait

template <class Sys>
class Wakeup {
public:
    // By the task. The mark that answers the wait instead, 0 when armed. A permit is consumed.
    std::uint32_t arm(wait::Kind kind) noexcept {
        std::uint32_t old = word_.load(std::memory_order_relaxed);  // the CAS validates it
        for (;;) {
            const std::uint32_t stop = old & (wait::INTERRUPT | wait::CANCEL);
            if (stop) return stop;
            const bool permit = kind == wait::PARK && (old & wait::PERMIT);
            std::uint32_t fresh = old & ~(wait::kKinds | wait::kReasons);
            if (permit)
                fresh &= ~std::uint32_t{wait::PERMIT};
            else
                fresh |= kind;
            if (word_.compare_exchange_weak(old, fresh, std::memory_order_seq_cst))
                return permit ? std::uint32_t{wait::PERMIT} : 0u;
        }
    }

    // Any thread: ends the wait if it is one of `kinds` (a set of 1 << Kind). True: the caller must post.
    bool claim(std::uint32_t kinds, wait::Reason reason) noexcept { return mark(0, kinds, reason); }

    // Sets a mark, and claims as well. Async-signal-safe.
    bool mark(std::uint32_t mark, std::uint32_t kinds, wait::Reason reason) noexcept {
        std::uint32_t old = word_.load(std::memory_order_relaxed);  // the CAS validates it
        for (;;) {
            const bool mine = kinds & ~1u & 1u << (old & wait::kKinds);
            std::uint32_t fresh = old | mark;
            if (mine) {
                fresh = (fresh & ~(wait::kKinds | wait::kReasons)) | reason << wait::kReasonShift;
                if (reason == wait::UNPARKED) fresh &= ~static_cast<std::uint32_t>(wait::PERMIT);
            }
            // A mark that is set already is written again: its reader must see what was done before this
            // call.
            if (fresh == old && mark == 0) return false;
            if (word_.compare_exchange_weak(old, fresh, std::memory_order_seq_cst)) return mine;
        }
    }

    // Those of the marks that were set.
    std::uint32_t clear(std::uint32_t marks) noexcept {
        return word_.fetch_and(~marks, std::memory_order_seq_cst) & marks;
    }

    // seq_cst, which costs a load nothing on x86: one that follows an arming elsewhere must not miss a mark
    // whose setter did not see that. The marks carry no data that is read without the baton.
    std::uint32_t marks() const noexcept { return word_.load(std::memory_order_seq_cst); }

    // Acquire: pairs with the claimer's CAS; what it wrote before is visible.
    bool claimed() const noexcept { return (word_.load(std::memory_order_acquire) & wait::kKinds) == 0; }
    wait::Reason reason() const noexcept {
        return static_cast<wait::Reason>((word_.load(std::memory_order_acquire) & wait::kReasons) >>
                                         wait::kReasonShift);
    }

private:
    typename Sys::template Atomic<std::uint32_t> word_{0};
};

}  // namespace mc
