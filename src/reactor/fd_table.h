// Which waits belong to which fd: at most two each, in order of arrival.
//
// A directory of pages, so that a high fd number costs a page and not an array of its length. Pages
// are never freed: a slot found once stays where it is. Does not lock and makes no system call.
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "reactor/reactor.h"

namespace mc {

struct FdSlot {
    ReactorWait* first = nullptr;
    std::uint32_t arming = 0;  // number of the last arming; tells its event from those of earlier ones
    bool in_set = false;       // the epoll set probably knows the fd (it forgets closed files)

    bool full() const noexcept { return first != nullptr && first->next_on_fd != nullptr; }

    // What all waits together want.
    std::uint32_t wanted() const noexcept {
        std::uint32_t events = 0;
        for (const ReactorWait* wait = first; wait != nullptr; wait = wait->next_on_fd) {
            events |= wait->events;
        }
        return events;
    }

    void append(ReactorWait& wait) noexcept;
    bool remove(ReactorWait& wait) noexcept;  // false: it is not here
};

class FdTable {
public:
    constexpr FdTable() noexcept = default;
    FdTable(const FdTable&) = delete;
    FdTable& operator=(const FdTable&) = delete;
    ~FdTable();

    FdSlot* find(int fd) const noexcept;  // NULL: never made
    FdSlot* make(int fd) noexcept;        // NULL: no memory

    template <typename Function>  // function(int fd, FdSlot&)
    void each(Function function) const noexcept {
        for (std::size_t page = 0; page < pages_; ++page) {
            if (directory_[page] == nullptr) continue;
            for (std::size_t i = 0; i < kPageSlots; ++i) {
                function(static_cast<int>(page * kPageSlots + i), directory_[page][i]);
            }
        }
    }

private:
    static constexpr std::size_t kPageSlots = 256;

    FdSlot** directory_ = nullptr;
    std::size_t pages_ = 0;  // entries in the directory
};

}  // namespace mc
