// The waits that have a deadline, earliest first; those with the same deadline in order of insertion.
//
// A 4-ary heap: half as deep as a binary one, and the four children lie in two cache lines. The keys
// are copied into it, so that sifting does not touch the waits but to tell them where they are now.
// I1  entries_[i].wait->heap_index == i; a wait that is not in the heap has SIZE_MAX.
// Does not lock. Keeps its memory when it shrinks.
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "reactor/reactor.h"

namespace mc {

class TimerHeap {
public:
    constexpr TimerHeap() noexcept = default;
    TimerHeap(const TimerHeap&) = delete;
    TimerHeap& operator=(const TimerHeap&) = delete;
    ~TimerHeap();

    // Makes room for one more. False: no memory.
    bool reserve_one() noexcept;

    void push(ReactorWait& wait) noexcept;    // after reserve_one, not in the heap
    void remove(ReactorWait& wait) noexcept;  // no-op if it is not in the heap
    ReactorWait* earliest() const noexcept { return size_ == 0 ? nullptr : entries_[0].wait; }
    std::uint64_t earliest_deadline() const noexcept {
        return size_ == 0 ? UINT64_MAX : entries_[0].deadline;
    }
    std::size_t size() const noexcept { return size_; }

private:
    struct Entry {
        std::uint64_t deadline;
        std::uint64_t turn;  // of insertion: makes equal deadlines first in, first out
        ReactorWait* wait;

        bool before(const Entry& other) const noexcept {
            return deadline != other.deadline ? deadline < other.deadline : turn < other.turn;
        }
    };

    void place(std::size_t index, const Entry& entry) noexcept;
    void sift_up(std::size_t index, const Entry& entry) noexcept;
    void sift_down(std::size_t index, const Entry& entry) noexcept;

    Entry* entries_ = nullptr;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;
    std::uint64_t turn_ = 0;
};

}  // namespace mc
