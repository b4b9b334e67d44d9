// How many threads have something to do here: they hold, are in sections, or wait awake. Not those that
// sleep, for the baton or for work. With more of them than CPUs, a crowd, a thread that waits may not be
// running: who gives it the baton by name leaves the interpreter idle until the system runs it, and a thread
// that spins keeps another one from running. A guess: the system's other threads are not counted, and those
// whose section blocks are.
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "baton/seat.h"

namespace mc {

template <class Sys>
class Spin;

template <class Sys>
class Crowd {
public:
    // By the seat's own thread.
    void count_in(Seat<Sys>& seat) noexcept { count(seat, true); }
    void count_out(Seat<Sys>& seat) noexcept { count(seat, false); }

    // Relaxed: a guess.
    bool is_crowd() const noexcept { return count_.load(std::memory_order_relaxed) > Sys::cpus(); }

    // After the baton was lent (seq_cst): does one spin that will look at the word again, and take it?
    bool any_takes() const noexcept { return is_crowd() && takers_.load(std::memory_order_seq_cst) > 0; }

    // In a forked child, for which the others are not there. Its own thread may count as one too few then.
    void forget() noexcept {
        count_.store(0, std::memory_order_relaxed);
        spinners_.store(0, std::memory_order_relaxed);
        takers_.store(0, std::memory_order_relaxed);
    }

private:
    friend class Spin<Sys>;
    static constexpr int kSpinners = 4;  // per CPU; measured: 2 and 64 are worse

    void count(Seat<Sys>& seat, bool in) noexcept {
        if (seat.in_crowd == in) return;
        seat.in_crowd = in;
        count_.fetch_add(in ? 1 : -1, std::memory_order_relaxed);
    }

    // False: enough spin, and more would only take turns before the one they wait for has its own.
    bool begin_to_spin(bool takes) noexcept {
        // Relaxed: one too many does no harm.
        if (spinners_.load(std::memory_order_relaxed) >= kSpinners * Sys::cpus()) return false;
        spinners_.fetch_add(1, std::memory_order_relaxed);
        // Relaxed: one that is seen too late costs a wake.
        if (takes) takers_.fetch_add(1, std::memory_order_relaxed);
        return true;
    }
    void end_to_spin(bool takes) noexcept {
        spinners_.fetch_sub(1, std::memory_order_relaxed);
        // seq_cst: it looks at the word afterwards. Whoever lent it and still saw this one counted did so
        // before, and so this one sees the lend (L2).
        if (takes) takers_.fetch_sub(1, std::memory_order_seq_cst);
    }

    typename Sys::template Atomic<int> count_{0};
    typename Sys::template Atomic<int> spinners_{0};
    typename Sys::template Atomic<int> takers_{0};  // of these
};

// How long a thread goes on waiting awake: in a crowd it gives way to others, else it keeps its CPU.
template <class Sys>
class Spin {
public:
    // What for: ready tasks (one thread at a time); its turn, where that may take more than the baton; or the
    // baton, which it takes once it can be taken, whatever comes.
    enum class For { tasks, turn, baton };

    Spin(Crowd<Sys>& crowd, For what) noexcept : crowd_(crowd), what_(what) { start(); }
    ~Spin() { end(); }
    Spin(const Spin&) = delete;
    Spin& operator=(const Spin&) = delete;

    void start() noexcept {
        since_ = Sys::one_cpu() ? 0 : Sys::now();
        yields_ = 0;
    }

    // Lets some time pass. False: it has been awake for long enough.
    bool goes_on(std::uint64_t now) noexcept {
        if (since_ == 0) return false;
        if (now < since_ + kBrief || !crowd_.is_crowd()) {
            if (now >= since_ + kLong) return false;
            Sys::pause();
        } else {
            if (yields_ == Sys::kYields || !counts()) return false;
            ++yields_;
            Sys::yield_cpu();
        }
        return true;
    }

    // Before the last look at the word.
    void end() noexcept {
        if (counted_) crowd_.end_to_spin(what_ == For::baton);
        counted_ = false;
    }

private:
    static constexpr std::uint64_t kLong = 50'000;  // ns
    static constexpr std::uint64_t kBrief = 3'000;  // ns of these in which it keeps its CPU in a crowd

    bool counts() noexcept {
        if (what_ == For::tasks) return true;
        if (!counted_) counted_ = crowd_.begin_to_spin(what_ == For::baton);
        return counted_;
    }

    Crowd<Sys>& crowd_;
    const For what_;
    std::uint64_t since_;  // 0: it does not spin
    unsigned yields_;
    bool counted_ = false;
};

}  // namespace mc
