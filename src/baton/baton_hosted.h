// The baton where the host schedules: between two sections the interpreter always stands at one of them,
// the lender's, and only threads that go on from there may use it. So the baton goes to a thread by name, or
// back to the lender. See core/own_scheduler.h, and baton_slow.h for the labels.
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "baton/baton_slow.h"

namespace mc {

template <class Sys>
void Baton<Sys>::lend_with_work(SeatT& me) noexcept {
    // Whoever waits there takes the baton, and is the next to release it.
    if (!line_.empty()) return lend_slow(me);
    const word::Word lent = word_.load(std::memory_order_relaxed) + word::kLend;
    word_.store(lent, std::memory_order_seq_cst);  // L2
    if (hint_.load(std::memory_order_relaxed) == 0 || serve_hint(me, lent)) rouse();
}

template <class Sys>
void Baton<Sys>::acquire_waiting(SeatT& me, NodeT& node) noexcept {
    push_own(node);
    wait_in_line(
        me, node, kForever, [] { return true; }, true);
}

template <class Sys>
bool Baton<Sys>::hand_to(SeatT& me, SeatT& to) noexcept {
    return grant_seat(me, to);
}

template <class Sys>
bool Baton<Sys>::lend_back(SeatT& me, SeatT& lender) noexcept {
    for (;;) {
        drain();
        if (NodeT* head = live_head()) {
            if (!head->seat) return false;
            pop_front();
            if (grant_seat(me, *head->seat)) return true;
            client_.dropped(*head);
            continue;
        }
        const word::Word lent =
            word::with(word_.load(std::memory_order_relaxed), word::HELD, lender.id) + word::kLend;
        idle_lend_.store(lent, std::memory_order_relaxed);  // published by the next line
        word_.store(lent, std::memory_order_seq_cst);       // L3, with LENT in the place of FREE
        if (!(hint_.load(std::memory_order_seq_cst) & kInbox) || !retake(me, lent)) return true;
    }
}

template <class Sys>
bool Baton<Sys>::lend_back_refused(SeatT& me, SeatT& lender, const NodeT& node) noexcept {
    for (;;) {
        drain();
        if (node.linked) return false;
        const word::Word lent =
            word::with(word_.load(std::memory_order_relaxed), word::HELD, lender.id) + word::kLend;
        refused_.store(lent, std::memory_order_relaxed);  // only a hint to takers
        word_.store(lent, std::memory_order_seq_cst);     // L3, with LENT in the place of FREE
        if (!(hint_.load(std::memory_order_seq_cst) & kInbox) || !retake(me, lent)) return true;
    }
}

template <class Sys>
void Baton<Sys>::take_off(NodeT& node) noexcept {
    drain();
    if (node.linked) line_.remove(&node);
}

}  // namespace mc
