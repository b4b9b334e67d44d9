// Scouts: carriers that are awake, or about to be, and will look for a job before they sleep. While there is
// one, nobody needs to be woken or started for another job: whoever takes one of several passes that on.
//
// C1  A thread is counted in before it is woken, or before others can see the room that it leaves; one that
// is
//     new only when it has really been started, since nobody could take back what others relied on. It may
//     have counted itself out by then: the number is that of the scouts or less.
// C2  A thread counts itself out before it looks. So who reads a positive number after having pushed a job
//     knows that somebody will look after the push.
//
// All accesses are seq_cst: C1 and C2 need one order of them, the push and the look.
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "baton/seat.h"

namespace mc {

template <class Sys>
class Scouts {
public:
    void count_in(Seat<Sys>& seat) noexcept {
        if (!seat.scouts.exchange(true, std::memory_order_seq_cst))
            count_.fetch_add(1, std::memory_order_seq_cst);
    }
    void count_out(Seat<Sys>& seat) noexcept {
        if (seat.scouts.exchange(false, std::memory_order_seq_cst))
            count_.fetch_sub(1, std::memory_order_seq_cst);
    }
    // Of a new thread: before its start, and after it.
    void announce(Seat<Sys>& seat) noexcept { seat.scouts.store(true, std::memory_order_seq_cst); }
    void started() noexcept { count_.fetch_add(1, std::memory_order_seq_cst); }

    bool any() const noexcept { return count_.load(std::memory_order_seq_cst) > 0; }

    // In a forked child, for which the others are not there.
    void forget() noexcept { count_.store(0, std::memory_order_seq_cst); }

private:
    typename Sys::template Atomic<std::int32_t> count_{0};
};

}  // namespace mc
