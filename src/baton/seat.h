// A seat: where one thread waits for the baton of one runtime.
//
// Responsible for: the seat's state word and the three things that can happen to a waiting thread
// (granted, woken, timed out). Never touches the baton's word.
//
//   BUSY     the thread does not wait: it holds the baton, or runs a section, or user code
//   SPIN     it waits and is awake
//   PARKED   it waits and is blocked, or about to block (Sys::block rechecks)
//   WOKEN    somebody asked it to look again; it has not looked yet
//   GRANTED  the holder gave it the baton
//   GONE     its wait timed out; whoever finds its node in the line drops the node
//
// S1  Only the holder moves a seat to GRANTED, and only a seat that waits: one whose node is in the line,
//     or the standby. Being GRANTED is holding the baton.
// S2  Only the seat's own thread leaves GRANTED and BUSY, enters PARKED and GONE.
//
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "baton/sys.h"

namespace mc {

namespace seat {
enum State : std::uint32_t { BUSY, SPIN, PARKED, WOKEN, GRANTED, GONE };
}

template <class Sys>
struct Seat {
    // All transitions are read-modify-writes with seq_cst: they are the slow path, and S1/S2 and the
    // lost-wake-up argument (docs/design/baton.md) rely on one order of them and the baton's word.
    typename Sys::template Atomic<std::uint32_t> state{seat::BUSY};
    typename Sys::template Atomic<bool> polling{false};  // it blocks in the reactor, not on `state`
    typename Sys::template Atomic<bool> scouts{false};   // it counts in Baton::scouts_
    std::uint32_t id = 0;   // names the thread in the baton's word; unique while the seat is used
    bool drives = false;    // its thread is attached or runs the runtime: it may take a paused baton
    bool carrier = false;   // its thread can run any ready task
    bool in_crowd = false;  // it counts in Baton::crowd_; by its own thread
    void* owner = nullptr;  // for the runtime

    // Guarded by the idle list's lock.
    Seat* idle_next = nullptr;
    Seat* idle_prev = nullptr;
    bool idle_listed = false;
    bool idle_can_run = false;
    bool idle_carries = false;

    bool granted() const noexcept { return state.load(std::memory_order_acquire) == seat::GRANTED; }

    // Gives this seat the baton. By the holder, for a seat whose node it took from the line. False: the
    // wait has timed out, the caller still holds.
    bool grant() noexcept {
        std::uint32_t old = state.load(std::memory_order_relaxed);  // the CAS below validates it
        do {
            if (old == seat::GONE || old == seat::BUSY) return false;
        } while (!state.compare_exchange_weak(old, seat::GRANTED, std::memory_order_seq_cst));
        if (old == seat::PARKED) Sys::unblock(*this);
        return true;
    }

    // Makes a waiting thread look again. True: it will; `*blocked` tells whether it slept.
    bool wake(bool* blocked = nullptr) noexcept {
        std::uint32_t old = state.load(std::memory_order_relaxed);  // the CAS below validates it
        do {
            if (old == seat::WOKEN) return true;
            if (old != seat::SPIN && old != seat::PARKED) return false;
        } while (!state.compare_exchange_weak(old, seat::WOKEN, std::memory_order_seq_cst));
        if (old == seat::PARKED) Sys::unblock(*this);
        if (blocked) *blocked = old == seat::PARKED;
        return true;
    }

    // By the own thread: SPIN to PARKED. False: granted, or woken since it last looked; then it is in SPIN
    // and must look again: whoever woke it relies on that.
    bool prepare_to_block() noexcept { return leave(seat::PARKED); }

    // By the own thread, after blocking or instead of it: back to SPIN unless granted. True: it had been
    // woken rather than timed out.
    bool look_again() noexcept {
        std::uint32_t old = state.load(std::memory_order_relaxed);
        do {
            if (old == seat::GRANTED) return true;
        } while (!state.compare_exchange_weak(old, seat::SPIN, std::memory_order_seq_cst));
        return old == seat::WOKEN;
    }

    // By the own thread, awake: stops waiting. False: as in prepare_to_block.
    bool leave(seat::State to) noexcept {
        std::uint32_t old = state.load(std::memory_order_relaxed);
        for (;;) {
            if (old == seat::GRANTED) return false;
            const bool woken = old == seat::WOKEN;
            const std::uint32_t fresh = woken ? seat::SPIN : to;
            if (state.compare_exchange_weak(old, fresh, std::memory_order_seq_cst)) return !woken;
        }
    }
};

}  // namespace mc
