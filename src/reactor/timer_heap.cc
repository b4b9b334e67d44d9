// SPDX-License-Identifier: BSL-1.0
#include "reactor/timer_heap.h"

#include <algorithm>
#include <cstdlib>

#include "platform/platform.h"

namespace mc {

namespace {
constexpr std::size_t kChildren = 4;
constexpr std::size_t kFirstCapacity = 64;
constexpr std::size_t kNowhere = SIZE_MAX;
}  // namespace

TimerHeap::~TimerHeap() { std::free(entries_); }

bool TimerHeap::reserve_one() noexcept {
    if (size_ < capacity_) return true;
    if (fault_hits(Fault::memory) || capacity_ > SIZE_MAX / 2 / sizeof(Entry)) return false;
    const std::size_t wanted = capacity_ == 0 ? kFirstCapacity : capacity_ * 2;
    void* grown = std::realloc(entries_, wanted * sizeof(Entry));
    if (grown == nullptr) return false;
    entries_ = static_cast<Entry*>(grown);
    capacity_ = wanted;
    return true;
}

void TimerHeap::push(ReactorWait& wait) noexcept { sift_up(size_++, Entry{wait.deadline, turn_++, &wait}); }

void TimerHeap::remove(ReactorWait& wait) noexcept {
    const std::size_t hole = wait.heap_index;
    if (hole == kNowhere) return;
    wait.heap_index = kNowhere;
    const Entry last = entries_[--size_];
    if (hole == size_) return;
    if (hole > 0 && last.before(entries_[(hole - 1) / kChildren])) {
        sift_up(hole, last);
    } else {
        sift_down(hole, last);
    }
}

void TimerHeap::place(std::size_t index, const Entry& entry) noexcept {
    entries_[index] = entry;
    entry.wait->heap_index = index;
}

void TimerHeap::sift_up(std::size_t index, const Entry& entry) noexcept {
    while (index > 0) {
        const std::size_t parent = (index - 1) / kChildren;
        if (!entry.before(entries_[parent])) break;
        place(index, entries_[parent]);
        index = parent;
    }
    place(index, entry);
}

void TimerHeap::sift_down(std::size_t index, const Entry& entry) noexcept {
    for (;;) {
        const std::size_t first = index * kChildren + 1;
        if (first >= size_) break;
        const std::size_t end = std::min(first + kChildren, size_);
        std::size_t least = first;
        for (std::size_t child = first + 1; child < end; ++child) {
            if (entries_[child].before(entries_[least])) least = child;
        }
        if (!entries_[least].before(entry)) break;
        place(index, entries_[least]);
        index = least;
    }
    place(index, entry);
}

}  // namespace mc
