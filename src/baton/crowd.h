// How many threads have something to do here: they hold, are in sections, or wait awake. Not those that
// sleep, for the baton or for work. With more of them than CPUs a thread that waits may not be running, and
// who gives it the baton by name leaves the interpreter idle until the system runs it; a thread that spins
// keeps another one from running. A guess: the system's other threads are not counted, and those whose
// section blocks are. SPDX-License-Identifier: BSL-1.0
#pragma once

#include "baton/seat.h"

namespace mc {

template <class Sys>
class Crowd {
public:
    // By the seat's own thread.
    void count_in(Seat<Sys>& seat) noexcept { count(seat, true); }
    void count_out(Seat<Sys>& seat) noexcept { count(seat, false); }

    // Relaxed: a guess.
    bool is_crowd() const noexcept { return count_.load(std::memory_order_relaxed) > Sys::cpus(); }

    // A thread that waits awake, giving way to others. False: enough do, and more would only take turns
    // before the one they wait for has its own. `takes`: it takes the baton once it can be taken, whatever
    // comes.
    bool begin_to_spin(bool takes) noexcept {
        // Relaxed: one too many does no harm.
        if (spinners_.load(std::memory_order_relaxed) >= kSpinners * Sys::cpus()) return false;
        spinners_.fetch_add(1, std::memory_order_relaxed);
        if (takes) takers_.fetch_add(1, std::memory_order_relaxed);
        return true;
    }
    void end_to_spin(bool takes) noexcept {
        spinners_.fetch_sub(1, std::memory_order_relaxed);
        // seq_cst: before it looks at the baton for the last time (L2).
        if (takes) takers_.fetch_sub(1, std::memory_order_seq_cst);
    }
    // After the baton was lent: does one spin that will take it?
    bool any_takes() const noexcept { return is_crowd() && takers_.load(std::memory_order_seq_cst) > 0; }

    // In a forked child, for which the others are not there.
    void forget() noexcept {
        count_.store(0, std::memory_order_relaxed);
        spinners_.store(0, std::memory_order_relaxed);
        takers_.store(0, std::memory_order_relaxed);
    }

private:
    static constexpr int kSpinners = 4;  // per CPU; measured: 2 and 64 are worse

    void count(Seat<Sys>& seat, bool in) noexcept {
        if (seat.in_crowd == in) return;
        seat.in_crowd = in;
        count_.fetch_add(in ? 1 : -1, std::memory_order_relaxed);
    }

    typename Sys::template Atomic<int> count_{0};
    typename Sys::template Atomic<int> spinners_{0};
    typename Sys::template Atomic<int> takers_{0};  // of these
};

}  // namespace mc
