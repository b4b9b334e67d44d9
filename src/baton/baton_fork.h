// The baton around a fork, by the thread that forks; the argument is in docs/design/fork.md.
//
// The child's copy of the line is whole only if nobody was at work on it. So the thread that forks holds the
// baton meanwhile: its own, or one that no thread held, borrowed for a seat that no thread has.
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "baton/baton_wait.h"

namespace mc {

template <class Sys>
bool Baton<Sys>::borrow(SeatT& nobody, word::Word& from) noexcept {
    from = word_.load(std::memory_order_seq_cst);
    do {
        if (word::state(from) == word::HELD) return false;
        // Acquire for the line, seq_cst for L2 and L3, as in try_take.
    } while (!word_.compare_exchange_weak(from, word::with(from, word::HELD, nobody.id),
                                          std::memory_order_seq_cst));
    return true;
}

// Those who saw HELD meanwhile rely on the holder to look at what they posted, and sleep: it does what a
// release, or one who gives up, would do.
template <class Sys>
template <class StillNone>
void Baton<Sys>::give_back(SeatT& nobody, word::Word from, StillNone still_none) noexcept {
    if (word::state(from) == word::PAUSED) return pause(nobody, still_none);
    SeatT* first = nullptr;
    if (word::state(from) == word::FREE) {
        give_up(nobody, nullptr);
    } else if (lend_again(nobody, from, first)) {
        if (first && !wake(*first)) rouse_all();
        if (has_work()) rouse();
    }
    const std::uint32_t hint = hint_.load(std::memory_order_relaxed);
    if (hint & kPoll) rouse_for_poll();
    if (hint & kSpare) serve_spare();
}

template <class Sys>
template <class Gone, class Lost>
void Baton<Sys>::after_fork_in_child(Gone gone, Lost lost) noexcept {
    drain_slow();  // whether or not the one who posted came to set the hint
    for (NodeT* node = line_.front(); node;) {
        NodeT* following = node->next;
        if (node->seat && gone(*node->seat)) {
            line_.remove(node);
            lost(*node);
        }
        node = following;
    }
    idle_.after_fork_in_child();
    // seq_cst for simplicity: there is one thread.
    standby_.store(nullptr, std::memory_order_seq_cst);
    granting_.store(nullptr, std::memory_order_seq_cst);
    watching_.store(false, std::memory_order_seq_cst);
    scouts_.forget();
    crowd_.forget();
}

}  // namespace mc
