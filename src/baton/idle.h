// The list of blocked threads that may be woken to take the baton or to poll the reactor.
//
// Last in, first out: the warm ones work, the cold ones time out. rouse() is async-signal-safe: it never
// waits for the list's lock. If the lock is taken, it leaves its wish, and whoever holds the lock sees
// to it before it is done. If there is nobody to wake, it says so (an open wish), and its caller has to
// find somebody: the one whose wish it was has gone.
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "baton/seat.h"

namespace mc {

template <class Sys>
class IdleList {
public:
    explicit IdleList(typename Sys::template Atomic<Seat<Sys>*>& standby) noexcept : standby_(standby) {}

    // `can_run`: its thread waits for any ready task; else it waits with a task of its own, and is listed
    // only so that rouse_any and rouse_all find it. True, here and below: a wish is left open.
    // can_run: it may take the baton for ready tasks. in_line: it waits for its own turn, and does nothing
    // else.
    bool add(Seat<Sys>& seat, bool can_run, bool in_line = false) noexcept {
        lock();
        if (!seat.idle_listed) {
            seat.idle_prev = nullptr;
            seat.idle_next = head_;
            if (head_) head_->idle_prev = &seat;
            head_ = &seat;
            seat.idle_listed = true;
            seat.idle_can_run = can_run;
            seat.idle_carries = seat.carrier && !in_line;
            if (seat.idle_carries) count_carriers(+1);
        }
        return unlock();
    }

    bool remove(Seat<Sys>& seat) noexcept {
        lock();
        if (seat.idle_listed) unlink(seat);
        return unlock();
    }

    // Removes the seat if more than `keep` carriers are listed. True: removed; it has to look for work once
    // more, as there may have been a wish that it could have served.
    bool remove_surplus(Seat<Sys>& seat, std::uint32_t keep) noexcept {
        lock();
        const bool surplus = seat.idle_listed && more_than(keep);
        if (surplus) unlink(seat);
        unlock();
        return surplus;
    }

    // Are more carriers listed than that? Racy.
    bool more_than(std::uint32_t keep) const noexcept {
        return carriers_.load(std::memory_order_relaxed) > keep;  // a number of its own
    }

    // Wakes one listed carrier, and makes it the standby if there is none.
    struct Roused {
        bool found;  // one is awake now, or whoever holds the lock sees to it
        bool open;   // there was none for others who wished
    };
    Roused rouse_carrier(bool* blocked) noexcept {  // `*blocked`: it slept
        // seq_cst: the wish stands before try_lock looks at the lock; unlock frees the lock before it
        // looks for a wish. So one of the two sees the other.
        const std::uint32_t own = wishes_.fetch_add(1, std::memory_order_seq_cst) + 1;
        return try_lock() ? grant_wishes(own, blocked) : Roused{true, false};
    }

    // Wakes one listed carrier, for a job. It is a scout before it is awake.
    template <class Scouts>
    Roused rouse_worker(Scouts& scouts) noexcept {
        lock();
        Seat<Sys>* seat = head_;
        for (; seat; seat = seat->idle_next) {
            if (!seat->idle_carries || seat->drives) continue;
            scouts.count_in(*seat);
            if (seat->wake()) break;
            scouts.count_out(*seat);
        }
        if (seat) unlink(*seat);
        return {seat != nullptr, unlock()};
    }

    // Wakes one listed thread of any kind.
    Roused rouse_any() noexcept {
        lock();
        Seat<Sys>* seat = head_;
        if (seat) {
            unlink(*seat);
            seat->wake();
        }
        return {seat != nullptr, unlock()};
    }

    // Wakes all, unless somebody is at the list: for signal handlers.
    bool try_rouse_all() noexcept { return try_lock() && wake_all(); }

    // Wakes all.
    bool rouse_all() noexcept {
        lock();
        return wake_all();
    }

    // Around fork(), by the thread that forks: nobody changes the list meanwhile. True, as above.
    void before_fork() noexcept { lock(); }
    bool after_fork_in_parent() noexcept { return unlock(); }
    // The listed threads, and those that wished, are not there.
    void after_fork_in_child() noexcept {
        while (head_) unlink(*head_);
        granted_ = wishes_.load(std::memory_order_seq_cst);
        lock_.store(false, std::memory_order_seq_cst);
    }

private:
    bool wake_all() noexcept {
        while (head_) {
            Seat<Sys>* seat = head_;
            unlink(*seat);
            seat->wake();
        }
        return unlock();
    }

    // With the lock: serves wishes, and lets go of the lock. `own`: the number of the caller's.
    Roused grant_wishes(std::uint32_t own, bool* blocked) noexcept {
        Roused roused{true, false};
        for (;;) {
            const std::uint32_t wishes = wishes_.load(std::memory_order_seq_cst);
            if (const std::uint32_t count = wishes - granted_) {
                const bool mine = own != 0 && own - granted_ - 1 < count;
                granted_ = wishes;
                if (wake_one(blocked)) {
                    roused = {true, false};
                } else {
                    if (mine) roused.found = false;
                    if (!mine || count > 1) roused.open = true;
                }
            }
            lock_.store(false, std::memory_order_seq_cst);
            if (wishes_.load(std::memory_order_seq_cst) == wishes || !try_lock()) return roused;
        }
    }

    bool wake_one(bool* blocked) noexcept {
        Seat<Sys>* next = nullptr;
        for (Seat<Sys>* seat = head_; seat; seat = next) {
            next = seat->idle_next;
            if (!seat->idle_can_run) continue;
            unlink(*seat);
            if (seat->wake(blocked)) {
                // Before the lock is free: the seat takes itself off the list, and only then looks
                // whether it is the standby.
                Seat<Sys>* none = nullptr;
                standby_.compare_exchange_strong(none, seat, std::memory_order_seq_cst);
                return true;
            }
        }
        return false;
    }

    void unlink(Seat<Sys>& seat) noexcept {
        (seat.idle_prev ? seat.idle_prev->idle_next : head_) = seat.idle_next;
        if (seat.idle_next) seat.idle_next->idle_prev = seat.idle_prev;
        seat.idle_next = seat.idle_prev = nullptr;
        seat.idle_listed = false;
        if (seat.idle_carries) count_carriers(-1);
    }

    void count_carriers(int by) noexcept {
        carriers_.store(carriers_.load(std::memory_order_relaxed) + static_cast<std::uint32_t>(by),
                        std::memory_order_relaxed);
    }

    bool try_lock() noexcept { return !lock_.exchange(true, std::memory_order_seq_cst); }
    void lock() noexcept {
        for (unsigned spins = 0; !try_lock(); ++spins) {
            if (spins < 64 && !Sys::one_cpu())
                Sys::pause();
            else
                Sys::yield_cpu();
        }
    }
    bool unlock() noexcept { return grant_wishes(0, nullptr).open; }

    typename Sys::template Atomic<bool> lock_{false};
    typename Sys::template Atomic<std::uint32_t> wishes_{0};  // made so far
    std::uint32_t granted_ = 0;                               // of these, seen to
    typename Sys::template Atomic<Seat<Sys>*>& standby_;
    Seat<Sys>* head_ = nullptr;
    typename Sys::template Atomic<std::uint32_t> carriers_{0};  // written with the lock
};

}  // namespace mc
