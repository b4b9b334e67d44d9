// Who polls, whether it sleeps, and whether somebody wants it awake: one atomic word.
//
// Responsible for electing at most one poller and for never losing a kick. Knows nothing of what is
// polled: it says whether a sleeper must be woken and how, the caller does it.
//
// Why no kick is lost. Every write of the word is a read-modify-write, so all of them stand in one
// order, and since each is acquire and release, each one sees what was written before the earlier ones.
// A kick sets kKicked, a poller about to sleep sets kInEpoll or kInFutex. If the kick comes first, the
// poller finds kKicked and does not sleep; if the poller comes first, the kick finds how it sleeps and
// wakes it: the eventfd stays readable, and the futex compares the word, if the poller is only on its
// way. (With two words this would be Dekker's pattern and need seq_cst on both sides.)
// A kick that finds kKicked set leaves the waking to the one that set it. A kick that nobody has
// answered stays set until the next poll that would sleep, whoever does that one.
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <cstdint>

#include "platform/platform.h"

namespace mc {

class PollerRole {
public:
    enum Sleep : std::uint32_t { kAwake = 0, kInEpoll = 2, kInFutex = 4 };

    bool take() noexcept {
        std::uint32_t seen = word_.load(std::memory_order_relaxed);  // only the exchange below decides
        while ((seen & kTaken) == 0) {
            if (word_.compare_exchange_weak(seen, seen | kTaken, std::memory_order_acq_rel,
                                            std::memory_order_relaxed)) {
                return true;
            }
        }
        return false;
    }

    void drop() noexcept { word_.fetch_and(~kTaken, std::memory_order_acq_rel); }

    bool taken() const noexcept { return (word_.load(std::memory_order_acquire) & kTaken) != 0; }

    // With the role: announces that the caller is about to sleep. False: a kick came before; it is
    // answered by not sleeping.
    bool fall_asleep(Sleep how) noexcept {
        if ((word_.fetch_or(how, std::memory_order_acq_rel) & kKicked) == 0) return true;
        wake_up();
        return false;
    }

    // After a sleep. Answers the kicks that came until now.
    void wake_up() noexcept {
        word_.fetch_and(~(std::uint32_t{kInEpoll} | kInFutex | kKicked), std::memory_order_acq_rel);
    }

    // How to wake the poller; kAwake: no need to. Async-signal-safe.
    Sleep kick() noexcept {
        const std::uint32_t seen = word_.fetch_or(kKicked, std::memory_order_acq_rel);
        if ((seen & kKicked) != 0) return kAwake;
        return static_cast<Sleep>(seen & (kInEpoll | kInFutex));
    }

    // After fall_asleep(kInFutex). Returns at a kick, a signal, or the time `until`.
    void sleep_in_futex(std::uint64_t until) noexcept { futex_wait(word_, kTaken | kInFutex, until); }
    void wake_futex() noexcept { futex_wake_one(word_); }

    // In a forked child, where no other thread is: nobody polls.
    void reset() noexcept { word_.exchange(0, std::memory_order_acq_rel); }

private:
    static constexpr std::uint32_t kTaken = 1;
    static constexpr std::uint32_t kKicked = 8;

    std::atomic<std::uint32_t> word_{0};
};

}  // namespace mc
