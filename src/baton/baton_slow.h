// The baton's slow paths: taking it and giving it away; see baton.h. The labels L1, L2 and L3 are the pairs
// of accesses on which the lost-wake-up argument rests:
//
//   L1  release: store LENT, load hint_     |  waiter, poster: set hint_, heavy_fence, load word_
//   L2  store LENT or FREE (seq_cst), load the sleeper's state  |  sleeper: PARKED (seq_cst), load word_
//   L3  store FREE (seq_cst), load hint_    |  poster: set hint_ (seq_cst), load word_
//
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "baton/baton.h"

namespace mc {

// ---- taking ----

template <class Sys>
bool Baton<Sys>::takeable(const SeatT& me, word::Word w) noexcept {
    if (!times_.anywhere && !me.drives) return false;
    switch (word::state(w)) {
        case word::FREE: return true;
        case word::LENT:
            // Relaxed: a stale value costs one more question to the host.
            return word::seat(w) == me.id || w != refused_.load(std::memory_order_relaxed);
        case word::PAUSED: return me.drives;
        default: return false;
    }
}

template <class Sys>
bool Baton<Sys>::try_take(SeatT& me) noexcept {
    word::Word w = word_.load(std::memory_order_seq_cst);
    if (!takeable(me, w)) return false;
    if (!word_.compare_exchange_strong(w, word::with(w, word::HELD, me.id), std::memory_order_seq_cst))
        return false;
    if (word::state(w) == word::LENT && word::seat(w) != me.id && !client_.may_lend()) {
        put_back(me, w);
        return false;
    }
    if (word::state(w) == word::PAUSED) end_pause();
    crowd_.count_in(me);
    return true;
}

// By the holder: nobody watched meanwhile, nor looked how long he waits.
template <class Sys>
void Baton<Sys>::end_pause() noexcept {
    if (has_work()) rouse_watcher(false);
    if (times_.attention && anybody_waits()) rouse_all();
}

// Gives a lend back untaken: the interpreter can run nothing else now.
template <class Sys>
void Baton<Sys>::put_back(SeatT& me, word::Word lent) noexcept {
    refused_.store(lent, std::memory_order_relaxed);  // only a hint to other takers
    SeatT* first = nullptr;
    lend_again(me, lent, first);
}

// The lender may have come back meanwhile and queued; then it gets the baton: false. True: it is lent again,
// and `first` is the first thread that waits in the line.
template <class Sys>
bool Baton<Sys>::lend_again(SeatT& me, word::Word lent, SeatT*& first) noexcept {
    do {
        drain();
        for (NodeT* node = line_.front(); node; node = node->next) {
            SeatT* seat = client_.seat_of(*node);
            if (!seat || seat->id != word::seat(lent)) continue;
            line_.remove(node);
            if (grant_seat(me, *seat)) return false;
            break;
        }
        first = line_.first_seat();
        word_.store(lent, std::memory_order_seq_cst);  // L3, with LENT in the place of FREE
    } while ((hint_.load(std::memory_order_seq_cst) & kInbox) && retake(me, lent));
    return true;
}

template <class Sys>
bool Baton<Sys>::retake(SeatT& me, word::Word from) noexcept {
    return word_.compare_exchange_strong(from, word::with(from, word::HELD, me.id),
                                         std::memory_order_seq_cst);
}

template <class Sys>
void Baton<Sys>::drain_slow() noexcept {
    // The hint first: a node pushed after the exchange sets it again.
    hint_.fetch_and(~static_cast<std::uint32_t>(kInbox), std::memory_order_seq_cst);
    empty_inbox();
}

template <class Sys>
void Baton<Sys>::empty_inbox() noexcept {
    empty_drains_ = 0;
    for (NodeT* node = inbox_.take_all(); node;) {
        NodeT* following = node->next;
        line_.push_back(node);
        node = following;
    }
}

// By a thread that runs one task after the other, and looks here between them. It leaves the hint on for a
// while: where posts come thick and fast, each would otherwise turn it on anew, and pay the heavy_fence of
// the first. The others rely on the holder to look, which it does until it has cleared the hint: before every
// release.
template <class Sys>
void Baton<Sys>::drain_between_tasks() noexcept {
    if (!(hint_.load(std::memory_order_relaxed) & kInbox)) return;
    if (!inbox_.newest()) {
        if (line_.empty() || ++empty_drains_ >= kEmptyDrains) drain_slow();
        return;
    }
    empty_inbox();
}

// The node was claimed for posting, but its poster may be between the claim and the push: only then this
// waits, for a few instructions of that thread.
template <class Sys>
void Baton<Sys>::take_out(NodeT& node) noexcept {
    drain_slow();
    while (!node.linked) {
        Sys::yield_cpu();
        drain_slow();
    }
    line_.remove(&node);
}

// ---- giving ----

template <class Sys>
bool Baton<Sys>::grant_seat(SeatT& me, SeatT& to) noexcept {
    // The word first: once granted, the other thread holds and may write it. Relaxed: the grant publishes.
    const word::Word mine = word_.load(std::memory_order_relaxed);
    word_.store(word::with(mine, word::HELD, to.id), std::memory_order_relaxed);
    bool blocked = to.state.load(std::memory_order_relaxed) == seat::PARKED;
    if (to.grant()) {
        if (blocked) client_.woke();
        return true;
    }
    word_.store(word::with(mine, word::HELD, me.id), std::memory_order_relaxed);
    return false;
}

// A standby that leaves might be granted the baton later, when its seat waits with a node: it clears
// standby_ first and then waits while granting_ names it (stop_standing_by). Only the holder writes
// granting_: this one, or the one that it was granted to.
template <class Sys>
bool Baton<Sys>::grant_standby(SeatT& me) noexcept {
    SeatT* standby = standby_.load(std::memory_order_seq_cst);
    if (!standby) return false;
    granting_.store(standby, std::memory_order_seq_cst);  // before the second look
    if (standby_.load(std::memory_order_seq_cst) == standby && grant_seat(me, *standby)) return true;
    granting_.store(nullptr, std::memory_order_seq_cst);
    return false;
}

template <class Sys>
bool Baton<Sys>::free(SeatT& me) noexcept {
    const word::Word none = word::with(word_.load(std::memory_order_relaxed), word::FREE, 0);
    word_.store(none, std::memory_order_seq_cst);  // L3
    return !(hint_.load(std::memory_order_seq_cst) & kInbox) || !retake(me, none);
}

// By a carrier that holds and will look for work next: before the baton is free, so that whoever posts then,
// maybe in a signal handler on this very thread, finds somebody.
template <class Sys>
bool Baton<Sys>::stand_by(SeatT& me) noexcept {
    me.state.store(seat::SPIN, std::memory_order_relaxed);  // own transition (S2); the CAS publishes
    SeatT* none = nullptr;
    if (standby_.compare_exchange_strong(none, &me, std::memory_order_seq_cst)) return true;
    me.state.store(seat::BUSY, std::memory_order_relaxed);  // nobody knew
    return false;
}

// The same carrier, which holds again: nobody else can grant it the baton.
template <class Sys>
void Baton<Sys>::sit_down(SeatT& me) noexcept {
    SeatT* self = &me;
    standby_.compare_exchange_strong(self, nullptr, std::memory_order_seq_cst);
    me.state.store(seat::BUSY, std::memory_order_relaxed);      // own transition (S2)
    if (!me.drives && client_.has_job(false)) rouse_for_job();  // J1
}

template <class Sys>
bool Baton<Sys>::wake(SeatT& seat) noexcept {
    bool blocked = false;
    const bool awake = seat.wake(&blocked);
    if (blocked) client_.woke();
    return awake;
}

// Makes sure that a thread which can run ready tasks is awake and will look. False: there is none.
template <class Sys>
bool Baton<Sys>::rouse(bool may_start) noexcept {
    if (SeatT* standby = standby_.load(std::memory_order_seq_cst)) {
        // Not PARKED: it is awake, or has just got the baton itself. L2.
        if (standby->state.load(std::memory_order_seq_cst) == seat::PARKED) wake(*standby);
        return true;
    }
    bool blocked = false;
    const auto [found, open] = idle_.rouse_carrier(&blocked);
    if (blocked) client_.woke();
    if (found && !open) return true;
    if (may_start) {
        if (start_carrier()) return true;
        if (open) rouse_all();
    } else if (open || (!found && client_.stranded())) {
        idle_.try_rouse_all();  // who is at the list looks itself before it sleeps
    }
    return found;
}

// For whoever wished for a carrier where there was none.
template <class Sys>
void Baton<Sys>::serve_wish(bool open) noexcept {
    if (open && !rouse()) rouse_all();
}

template <class Sys>
bool Baton<Sys>::start_carrier() noexcept {
    SeatT* fresh = times_.anywhere ? client_.prepare_carrier() : nullptr;
    if (!fresh) {
        // An attached thread may have to run the tasks, or a section's thread to schedule; it sleeps until it
        // is told.
        if (client_.stranded() || client_.has_other_work()) rouse_all();
        return false;
    }
    fresh->state.store(seat::WOKEN, std::memory_order_relaxed);  // published by the CAS
    SeatT* none = nullptr;
    // In the standby's place before it runs, so that nobody starts a second one meanwhile.
    if (!standby_.compare_exchange_strong(none, fresh, std::memory_order_seq_cst)) {
        client_.discard_carrier(*fresh);
        return true;
    }
    if (client_.launch_carrier(*fresh)) return true;
    stop_standing_by(*fresh);
    while (!fresh->leave(seat::BUSY)) {
        if (!fresh->granted()) continue;  // it was WOKEN
        // It was granted the baton before it existed. Nobody looks at the hint for it: all are woken below.
        granting_.store(nullptr, std::memory_order_seq_cst);
        fresh->state.store(seat::BUSY, std::memory_order_relaxed);  // own transition (S2), on its behalf
        word_.store(word::with(word_.load(std::memory_order_relaxed), word::FREE, 0),
                    std::memory_order_seq_cst);
        break;
    }
    client_.discard_carrier(*fresh);
    rouse_all();  // others may have relied on it
    return false;
}

// The standby that is awake looks for jobs before it sleeps, and passes on what it does not take itself. So
// do scouts.
template <class Sys>
bool Baton<Sys>::rouse_for_job() noexcept {
    if (scouts_.any()) return true;
    const auto [found, open] = idle_.rouse_worker(scouts_);
    serve_wish(open);
    if (found) return true;
    SeatT* standby = standby_.load(std::memory_order_seq_cst);
    if (standby && !standby->drives) {
        if (standby->state.load(std::memory_order_seq_cst) == seat::PARKED) wake(*standby);
        return true;
    }
    SeatT* fresh = client_.prepare_carrier();
    if (!fresh) return false;
    fresh->state.store(seat::WOKEN, std::memory_order_relaxed);  // starting a thread publishes
    scouts_.announce(*fresh);
    if (client_.launch_carrier(*fresh)) {
        scouts_.started();
        return true;
    }
    client_.discard_carrier(*fresh);
    room_for_carrier();  // somebody may have been refused its place
    return false;
}

template <class Sys>
void Baton<Sys>::will_look_for_job(SeatT& me) noexcept {
    if (!me.drives) scouts_.count_in(me);  // who drives leaves jobs to carriers
}

template <class Sys>
void Baton<Sys>::rouse_for_poll() noexcept {
    if (!poller_wanted()) return;
    if (!rouse()) rouse_any();
}

// The hint goes first: a role that is given up after the look is asked for anew.
template <class Sys>
bool Baton<Sys>::poller_wanted() noexcept {
    poller_found();
    if (!client_.needs_poller()) return false;
    ask_for_poller();
    return true;
}

// False: there is none.
template <class Sys>
bool Baton<Sys>::rouse_any() noexcept {
    if (SeatT* standby = standby_.load(std::memory_order_seq_cst)) return wake(*standby);
    const auto [found, open] = idle_.rouse_any();
    serve_wish(open);
    return found;
}

template <class Sys>
void Baton<Sys>::rouse_all() noexcept {
    const bool open = idle_.rouse_all();
    if (SeatT* standby = standby_.load(std::memory_order_seq_cst)) wake(*standby);
    if (open) rouse();
}

template <class Sys>
bool Baton<Sys>::head_due(NodeT* head, std::uint64_t now) noexcept {
    if (head->since == 0) {
        // First look. Yields thus need no clock; a slice starts at most one look late.
        head->since = now;
        return false;
    }
    return now - head->since >= slice_of(*head);
}

// After a lend. False: the baton may be anybody's by now, and whoever has it sees to the line.
template <class Sys>
bool Baton<Sys>::serve_hint(SeatT& me, word::Word lent) noexcept {
    const std::uint32_t hint = hint_.load(std::memory_order_relaxed);
    if ((hint & (kInbox | kTurn)) && retake(me, lent)) {
        if ((hint & kTurn) && lend_to_standby(me)) return false;
        lend_slow(me);
        return !(hint & kInbox);
    }
    if (hint & kPoll) rouse_for_poll();
    if (hint & kSpare) serve_spare();
    return !(hint & kInbox);
}

// By the holder. False: there is none any more, or the host does not let it.
template <class Sys>
bool Baton<Sys>::lend_to_standby(SeatT& me) noexcept {
    hint_.fetch_and(~static_cast<std::uint32_t>(kTurn), std::memory_order_relaxed);  // only an advice
    return client_.may_lend() && grant_standby(me);
}

// Nobody holds, so whoever posts a ready task needs a thread that is idle. Those that stop being idle ask
// again.
template <class Sys>
void Baton<Sys>::serve_spare() noexcept {
    hint_.fetch_and(~static_cast<std::uint32_t>(kSpare), std::memory_order_seq_cst);
    if (lacks_spare()) start_carrier();
}

template <class Sys>
bool Baton<Sys>::lacks_spare() noexcept {
    return client_.wants_spare() && !standby_.load(std::memory_order_seq_cst) && !idle_.more_than(0);
}

// By the holder, about the head of the line and the thread that it waits for. A thread that sleeps is woken,
// and for as long as that takes the baton is not kept for it. Only then is it granted, awake or not.
template <class Sys>
bool Baton<Sys>::on_its_way(NodeT& head, SeatT& thread) noexcept {
    // Relaxed: read again by whoever grants it.
    const std::uint32_t state = thread.state.load(std::memory_order_relaxed);
    if (state != seat::PARKED && state != seat::WOKEN) return false;
    const std::uint64_t now = Sys::now();
    if (head.passed != 0) return now - head.passed < kWakeTime;
    head.passed = now;
    return wake(thread);
}

// By the holder, which releases: whoever waits awake for its turn takes the lend if it runs. In a crowd it
// may not; then it is given its turn by name only so much later.
template <class Sys>
bool Baton<Sys>::takes_by_itself(const NodeT& head, std::uint64_t now) noexcept {
    if (!head.seat || !crowd_.is_crowd()) return false;
    return now - head.since < kCrowdSlice || now - named_ < kCrowdSlice;
}

// By the holder: removes a node whose thread does not wait any more.
template <class Sys>
bool Baton<Sys>::drop_if_gone(NodeT& node) noexcept {
    if (!node.seat) return false;
    // Relaxed: read again by whoever grants or wakes it.
    const std::uint32_t state = node.seat->state.load(std::memory_order_relaxed);
    if (state != seat::GONE && state != seat::BUSY) return false;
    line_.remove(&node);
    client_.dropped(node);
    return true;
}

// The first node in the line that still waits.
template <class Sys>
Node<Sys>* Baton<Sys>::live_head() noexcept {
    for (;;) {
        NodeT* head = line_.front();
        if (!head || !drop_if_gone(*head)) return head;
    }
}

// A lend that the host's state forbids. It is the lender's until he comes back: everybody else sleeps on, and
// his next release looks at the line again.
template <class Sys>
void Baton<Sys>::lend_refused() noexcept {
    const word::Word lent = word_.load(std::memory_order_relaxed) + word::kLend;
    refused_.store(lent, std::memory_order_relaxed);  // only a hint to takers: they would ask again
    word_.store(lent, std::memory_order_seq_cst);
}

template <class Sys>
void Baton<Sys>::lend_slow(SeatT& me) noexcept {
    for (;;) {
        drain();
        NodeT* head = live_head();
        const std::uint64_t now = head ? Sys::now() : 0;
        if (head && head_due(head, now) && !takes_by_itself(*head, now)) {
            SeatT* thread = head->seat ? head->seat : standby_.load(std::memory_order_seq_cst);
            if (thread && !on_its_way(*head, *thread)) {
                if (!client_.may_lend()) {
                    lend_refused();
                    break;
                }
                if (!head->seat) {
                    if (grant_standby(me)) return;
                } else {
                    named_ = now;
                    pop_front();
                    if (grant_seat(me, *head->seat)) return;
                    client_.dropped(*head);
                    continue;
                }
            }
        }
        const bool head_is_thread = head && head->seat;
        SeatT* first = line_.first_seat();  // seats outlive the runtime's use of them: safe to wake later
        const word::Word lent = word_.load(std::memory_order_relaxed) + word::kLend;
        word_.store(lent, std::memory_order_seq_cst);  // L2, L3
        if ((hint_.load(std::memory_order_seq_cst) & kInbox) && retake(me, lent)) continue;
        // Whoever comes first takes it. A thread at the head takes it itself; it only has to be awake. If its
        // wait has just ended, those behind it must not sleep on.
        if (head_is_thread) {
            if (!crowd_.any_takes() && !wake(*first) && retake(me, lent)) continue;
        } else if (line_.ready_tasks() > 0 && !rouse() && first && !wake(*first)) {
            rouse_all();
        }
        break;
    }
    const std::uint32_t hint = hint_.load(std::memory_order_relaxed);
    if (hint & kPoll) rouse_for_poll();
    if (hint & kSpare) serve_spare();
}

template <class Sys>
Node<Sys>* Baton<Sys>::next(SeatT& me, NodeT* self) noexcept {
    for (;;) {
        drain_between_tasks();
        NodeT* head = line_.front();
        if (!head) {
            const bool stands_by = me.carrier && stand_by(me);
            if (free(me)) {
                if (!stands_by && (hint_.load(std::memory_order_relaxed) & kSpare)) serve_spare();
                return nullptr;
            }
            if (stands_by) sit_down(me);
            continue;
        }
        if (!head->seat || head == self) return pop_front();
        // A thread is next. While it wakes this one goes on: a wake takes much longer than a switch. But not
        // if this was the first look for long: the next one may be as far away.
        NodeT* meanwhile = head->next;
        const bool looks_often = head->since == 0 || Sys::now() - head->since < kLooksOften;
        if (meanwhile && !meanwhile->seat && looks_often && on_its_way(*head, *head->seat)) {
            line_.remove(meanwhile);
            return meanwhile;
        }
        pop_front();
        if (grant_seat(me, *head->seat)) return nullptr;
        client_.dropped(*head);
    }
}

template <class Sys>
GaveUp Baton<Sys>::give_up(SeatT& me, NodeT* self) noexcept {
    crowd_.count_out(me);
    for (;;) {
        drain();
        NodeT* head = line_.front();
        if (!head) {
            if (!free(me)) continue;
            if (hint_.load(std::memory_order_relaxed) & kSpare) serve_spare();
            return GaveUp::yes;
        }
        if (head == self) {
            pop_front();
            return GaveUp::own_turn;
        }
        if (head->seat) {
            pop_front();
            if (grant_seat(me, *head->seat)) return GaveUp::yes;
            client_.dropped(*head);
            continue;
        }
        // Handed to a carrier, even to one that has yet to wake or to start: if the baton were free
        // meanwhile, the caller could take it back before its turn.
        if (grant_standby(me) || (rouse() && grant_standby(me))) return GaveUp::yes;
        SeatT* first = line_.first_seat();
        if (!free(me)) continue;
        if (rouse()) return GaveUp::yes;
        if (first && first != &me && !wake(*first)) rouse_all();
        return GaveUp::stuck;
    }
}

template <class Sys>
void Baton<Sys>::drop_gone() noexcept {
    drain();
    for (NodeT* node = line_.front(); node;) {
        NodeT* following = node->next;
        drop_if_gone(*node);
        node = following;
    }
}

template <class Sys>
template <class StillNone>
void Baton<Sys>::pause(SeatT& me, StillNone still_none) noexcept {
    crowd_.count_out(me);
    drop_gone();  // nobody looks at the line for long
    const word::Word paused = word::with(word_.load(std::memory_order_relaxed), word::PAUSED, 0);
    word_.store(paused, std::memory_order_seq_cst);
    // A driver that arrived before the store saw HELD and queued.
    if (!still_none() && retake(me, paused)) {
        end_pause();
        give_up(me, nullptr);
    }
}

template <class Sys>
void Baton<Sys>::push(NodeT* node) noexcept {
    drain();  // those that came before
    line_.push_back(node);
    rouse_watcher(true);
}

template <class Sys>
void Baton<Sys>::push_from_anywhere(NodeT* node) noexcept {
    inbox_.push(node);
    // Relaxed: only this thread, which holds, clears it; a drain that this interrupts has yet to empty
    // the inbox.
    if (!(hint_.load(std::memory_order_relaxed) & kInbox)) hint_.fetch_or(kInbox, std::memory_order_seq_cst);
    rouse_watcher(false);
}

// Where the host can be told to let others in, a thread watches that the holder does. It stays awake for
// some slices, so that this is no wake per push.
template <class Sys>
void Baton<Sys>::rouse_watcher(bool may_start) noexcept {
    if (!watched() || watching_.load(std::memory_order_relaxed)) return;
    // Acquire: the seat is used, and may be new.
    if (SeatT* standby = standby_.load(std::memory_order_acquire)) {
        wake(*standby);
        return;
    }
    const auto [found, open] = idle_.rouse_carrier(nullptr);
    if (!found && may_start) start_carrier();
    serve_wish(open);
}

template <class Sys>
bool Baton<Sys>::due() noexcept {
    if (!anybody_waits()) return false;
    drain();
    NodeT* head = line_.front();
    return head && head_due(head, Sys::now());
}

template <class Sys>
void Baton<Sys>::post(NodeT* node, bool may_start) noexcept {
    SeatT* thread = node->seat;  // before the push: afterwards the node may be gone
    inbox_.push(node);
    const bool first = !(hint_.fetch_or(kInbox, std::memory_order_seq_cst) & kInbox);
    word::Word w = word_.load(std::memory_order_seq_cst);  // L3
    if (word::state(w) == word::HELD) {
        // The first sees to it that somebody looks. But it may find nobody, and a thread can help itself.
        if (!first && !thread) return rouse_watcher(may_start);  // the hint may be older than this node
        SeatT* standby = standby_.load(std::memory_order_seq_cst);
        // An awake standby sees the hint before it sleeps, and then calls heavy_fence in our place.
        if (!standby || standby->state.load(std::memory_order_seq_cst) != seat::SPIN) {
            Sys::heavy_fence();  // L1
            w = word_.load(std::memory_order_seq_cst);
        }
        if (word::state(w) == word::HELD) {
            if (!thread) rouse_watcher(may_start);
            return;
        }
    }
    if (word::state(w) == word::PAUSED) return;
    if (thread) wake(*thread);
    // A thread may have taken its node out before the hint was set, which then says more than there is. Those
    // who post now rely on this thread all the same.
    if (!thread || (first && inbox_.newest() != node)) rouse(may_start);
}

}  // namespace mc
