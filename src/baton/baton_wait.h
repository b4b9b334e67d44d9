// The baton's slowest paths: waiting for it; see baton.h, and baton_slow.h for the labels L1 to L3.
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "baton/baton_slow.h"

namespace mc {

template <class Sys>
template <class Posted>
bool Baton<Sys>::await(SeatT& me, NodeT& node, std::uint64_t until, Posted posted) noexcept {
    return wait_in_line(me, node, until, posted, false);
}

template <class Sys>
bool Baton<Sys>::acquire(SeatT& me, NodeT& node, std::uint64_t until) noexcept {
    if (try_take(me)) return true;
    if (until == 0) return false;
    me.state.store(seat::SPIN, std::memory_order_relaxed);  // the push publishes
    push_own(node);
    client_.queued();
    return wait_in_line(
        me, node, until, [] { return true; }, true);
}

template <class Sys>
void Baton<Sys>::push_own(NodeT& node) noexcept {
    node.since = Sys::now();
    inbox_.push(&node);
    hint_.fetch_or(kInbox, std::memory_order_seq_cst);
}

// The poller's role may have been this thread's.
template <class Sys>
void Baton<Sys>::leave_poller() noexcept {
    if (!client_.needs_poller()) return;
    seek_poller();
    client_.seek_poller_elsewhere();
}

// True: a thread is awake that will see to the role, before it sleeps.
template <class Sys>
bool Baton<Sys>::seek_poller() noexcept {
    ask_for_poller();
    Sys::heavy_fence();  // as in post: a holder sees it at its next release, switch or checkpoint. L1
    const word::State now = word::state(word_.load(std::memory_order_seq_cst));
    if (rouse_any()) return true;
    if (client_.always_polls()) return rouse_for_job();
    return now != word::HELD && now != word::PAUSED && rouse();
}

// By a thread that got the baton and polls no more.
template <class Sys>
void Baton<Sys>::pass_poller_on() noexcept {
    if (!client_.needs_poller()) return;
    ask_for_poller();
    client_.seek_poller_elsewhere();
}

template <class Sys>
template <class Posted>
bool Baton<Sys>::wait_in_line(SeatT& me, NodeT& node, std::uint64_t until, Posted posted,
                              bool own_node) noexcept {
    using Spins = Spin<Sys>;
    Spins spins(crowd_, own_node ? Spins::For::baton : Spins::For::turn);
    std::uint64_t waits_since = 0;
    const auto over = [&](std::uint64_t now) {
        return own_node && (now >= until || client_.waits_in_vain(me));
    };
    bool fenced = !own_node;  // who posts it, or was the holder, has seen to L1
    for (;;) {
        if (me.granted()) break;
        const bool queued = posted();
        if (queued && try_take(me)) {
            take_out(node);
            break;
        }
        const std::uint64_t now = Sys::now();
        if (queued && waits_since == 0) waits_since = now;
        const bool ask = queued && times_.attention && now - waits_since >= slice_of(node);
        if (ask) {
            const word::Word w = word_.load(std::memory_order_relaxed);
            if (word::state(w) == word::HELD) client_.attention(word::seat(w));
        }
        if (spins.goes_on(now)) continue;
        spins.end();
        if (!queued && (now >= until || client_.stranded())) return false;
        if (queued && over(now)) {
            // The hint may be this thread's, and others who post rely on it to look: L1.
            Sys::heavy_fence();
            if (!takeable(me, word_.load(std::memory_order_seq_cst)) && me.leave(seat::GONE)) {
                leave_poller();
                return false;
            }
            continue;
        }
        // Once somebody else has posted the node, it is in the line for good.
        std::uint64_t block_until = queued && !own_node ? kForever : until;
        // Listed before the last look, so that rouse_all finds whoever has looked.
        serve_wish(idle_.add(me, false, true));
        // In a pause nobody computes, and whoever ends it wakes all.
        if (queued && times_.attention &&
            word::state(word_.load(std::memory_order_seq_cst)) != word::PAUSED) {
            const std::uint64_t tick = later(now, ask ? times_.slice : slice_of(node));
            if (tick < block_until) block_until = tick;
        }
        if (me.prepare_to_block()) {
            if (!fenced) {
                // Once: a release from now on sees the hint, and afterwards the node in the line. L1.
                Sys::heavy_fence();
                fenced = true;
            }
            if (posted() == queued &&
                !(queued ? takeable(me, word_.load(std::memory_order_seq_cst)) || over(0)
                         : client_.stranded())) {
                crowd_.count_out(me);
                Sys::block(me, block_until);
                crowd_.count_in(me);
            }
        }
        const bool open_wish = idle_.remove(me);
        if (me.look_again()) spins.start();
        if (!me.granted()) serve_wish(open_wish);  // who holds looks itself
    }
    me.state.store(seat::BUSY, std::memory_order_relaxed);  // own transition (S2)
    crowd_.count_in(me);
    pass_poller_on();
    return true;
}

template <class Sys>
void Baton<Sys>::room_for_carrier() noexcept {
    const word::State now = word::state(word_.load(std::memory_order_seq_cst));
    if ((now == word::FREE || now == word::LENT) && has_work()) rouse();
}

template <class Sys>
bool Baton<Sys>::has_work() noexcept {
    if (line_.ready_tasks() > 0 || (hint_.load(std::memory_order_seq_cst) & kInbox)) return true;
    // Relaxed: whoever sees the word of that lend sees it marked.
    return word_.load(std::memory_order_seq_cst) != idle_lend_.load(std::memory_order_relaxed) &&
           client_.has_other_work();
}

// Afterwards nobody grants it the baton but as the owner of a node.
template <class Sys>
void Baton<Sys>::stop_standing_by(SeatT& me) noexcept {
    SeatT* self = &me;
    standby_.compare_exchange_strong(self, nullptr, std::memory_order_seq_cst);
    while (granting_.load(std::memory_order_seq_cst) == &me && !me.granted()) Sys::yield_cpu();
}

// By a carrier: stops waiting. False: it has been granted, or has to look again.
template <class Sys>
bool Baton<Sys>::stop_waiting(SeatT& me) noexcept {
    serve_wish(idle_.remove(me));  // off the list, so that nobody makes it the standby any more
    stop_standing_by(me);
    return me.leave(seat::BUSY);
}

// A seat that waits for any ready task has something to do. The word first: what its last writer did to
// the line is visible then (L2).
template <class Sys>
bool Baton<Sys>::can_work(const SeatT& me) noexcept {
    return takeable(me, word_.load(std::memory_order_seq_cst)) && has_work();
}

template <class Sys>
Idle Baton<Sys>::acquire_as_carrier(SeatT& me) noexcept {
    const bool may_run = times_.anywhere || me.drives;
    std::uint32_t first = seat::BUSY;
    me.state.compare_exchange_strong(first, seat::SPIN, std::memory_order_seq_cst);  // fresh ones are WOKEN
    crowd_.count_out(me);
    Spin<Sys> spins(crowd_, Spin<Sys>::For::tasks);
    std::uint64_t idle_since = Sys::now();
    std::uint64_t wanted_since = idle_since;
    std::uint64_t lent_since = 0;
    word::Word lent = 0;
    std::uint64_t turn = 0;
    unsigned quiet_ticks = 0;
    Idle outcome = Idle::holds;
    for (;;) {
        if (me.scouts.load(std::memory_order_seq_cst)) scouts_.count_out(me);
        if (me.granted()) break;
        const bool leaves = client_.should_leave(me.drives);
        const bool job = !leaves && client_.has_job(me.drives) && !can_work(me);
        if ((job || leaves) && stop_waiting(me)) {
            outcome = job ? Idle::works : Idle::leaves;
            break;
        }
        SeatT* none = nullptr;
        const bool standby =
            may_run && (standby_.load(std::memory_order_seq_cst) == &me ||
                        standby_.compare_exchange_strong(none, &me, std::memory_order_seq_cst));
        const std::uint64_t now = Sys::now();
        const word::Word w = word_.load(std::memory_order_seq_cst);
        const bool work = has_work();
        if (!work) wanted_since = now;
        if (work && takeable(me, w)) {
            const bool lend = word::state(w) == word::LENT;
            if (lend && w != lent) {
                lent = w;
                lent_since = now;
            }
            // A young lend is left alone: most end at once, and taking one costs both sides a cache miss
            // and the section a wait. After a slice of none but young ones the next release is asked to
            // hand over, as it does by itself where the work is in the line.
            if (!lend || now - lent_since >= kGrace) {
                if (try_take(me)) break;
            } else {
                if (now - wanted_since >= times_.slice && client_.has_other_work()) {
                    wanted_since = now;
                    hint_.fetch_or(kTurn, std::memory_order_relaxed);  // only an advice
                }
                Sys::pause();
                continue;
            }
        }
        if (standby && spins.goes_on(now)) continue;

        // The standby watches, while there is work, that the holder lets others in. Nobody holds in a pause.
        const bool watch =
            standby && watched() && word::state(w) != word::PAUSED && (work || ++quiet_ticks < kWatchTicks);
        if (work) {
            quiet_ticks = 0;
            idle_since = now;
        }
        if (watch && work && word::state(w) == word::HELD) {
            const std::uint64_t turn_now = turn_.load(std::memory_order_relaxed);
            if (turn_now == turn) client_.attention(word::seat(w));
            turn = turn_now;
        }
        if (standby) watching_.store(watch, std::memory_order_relaxed);  // a stale value costs one wake

        if (!standby) idle_.add(me, may_run);
        if (!me.prepare_to_block()) continue;
        if (hint_.load(std::memory_order_seq_cst) & kInbox) Sys::heavy_fence();               // L1, for post
        if (can_work(me) || client_.should_leave(me.drives) || client_.has_job(me.drives)) {  // L2
            me.look_again();
            continue;
        }
        // One of those to keep has no time limit: it is listed, and whoever is listed beyond them later has
        // one.
        const bool surplus = me.carrier && !me.drives && !standby && idle_.more_than(times_.keep_idle - 1);
        std::uint64_t until = kForever;
        if (watch)
            until = later(now, times_.slice);
        else if (surplus)
            until = later(idle_since, times_.idle_timeout);
        Sys::block(me, until);
        if (me.look_again()) {
            spins.start();
            idle_since = Sys::now();
        } else if (surplus && Sys::now() >= until) {
            idle_since = Sys::now();
            if (!idle_.remove_surplus(me, times_.keep_idle - 1)) continue;
            // Nobody can rouse it any more. What it was roused for just before it sees in `work`.
            if (!can_work(me) && !client_.has_job(me.drives) && !lacks_spare() && stop_waiting(me)) {
                outcome = Idle::leaves;
                break;
            }
        }
    }
    if (outcome == Idle::holds) {
        // Who wished for a carrier meanwhile has one: the holder looks.
        idle_.remove(me);
        stop_standing_by(me);
        if (granting_.load(std::memory_order_relaxed) == &me)
            granting_.store(nullptr, std::memory_order_seq_cst);
        me.state.exchange(seat::BUSY, std::memory_order_seq_cst);  // own transition (S2)
    }
    scouts_.count_out(me);  // from here on nobody wakes it: what it was counted in for is passed on
    watching_.store(false, std::memory_order_relaxed);
    if (outcome != Idle::leaves) crowd_.count_in(me);
    if (outcome == Idle::holds) {
        if (client_.wants_spare()) ask_for_spare();
        pass_poller_on();
        if (me.carrier && !me.drives && client_.has_job(false)) rouse_for_job();  // J1
        return outcome;
    }
    leave_poller();
    if (outcome == Idle::works) {
        // Those who counted on this thread, as the standby, need another one.
        if (can_work(me)) rouse();
        if (client_.wants_spare()) serve_spare();
        if (has_work()) rouse_watcher(true);
    } else if (client_.has_job(false)) {
        rouse_for_job();  // J1
    }
    return outcome;
}

}  // namespace mc
