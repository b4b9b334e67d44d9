// The waits for file descriptors: at most two per fd, armed in the epoll set with the union of what
// they want.
//
// An fd number outlives the file it names, so nothing here trusts a number for longer than a call:
// I1  An event counts only if it carries the number of its slot's latest arming. Every arming makes the
//     kernel look at the file anew, so that dropping an older event loses nothing; and an event taken
//     from the kernel before a wait was added cannot end it.
// I2  When the kernel says that the file an fd was armed for is no longer there, the waits of that time
//     become strays: no slot knows them, their deadline or their owner ends them.
// I3  While the set is open, a slot is armed for what its waits want. One without waits is not armed.
// Does not lock: the reactor's mutex guards all of it but wait() and kick().
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "reactor/epoll_set.h"
#include "reactor/fd_table.h"
#include "reactor/reactor.h"

namespace mc {

class FdWaits {
public:
    constexpr FdWaits() noexcept = default;

    // The status of reactor_add for a wait with an fd; on MC_OK it is registered here.
    mc_status add(ReactorWait& wait) noexcept;

    // No-op if it is not registered here.
    void remove(ReactorWait& wait) noexcept;

    // How many waits there are, without strays.
    std::size_t size() const noexcept { return size_; }

    // Makes the epoll set if there is none. False: the system has no room; the waits stay.
    bool open() noexcept;
    bool is_open() const noexcept { return set_.is_open(); }

    // The poller only, while open, without the mutex. Returns how many events there are for fire().
    int wait(std::uint64_t until) noexcept { return set_.wait(until); }

    // Takes the waits which the events say are ready out, sets `ready`, and calls fired(wait) on each.
    template <typename Function>
    void fire(int events, Function fired) noexcept {
        if (events == EpollSet::kLost) lose(false);
        for (int i = 0; i < events; ++i) {
            ReactorWait* next = take_ready(set_.event(i));
            while (next != nullptr) {
                ReactorWait& wait = *next;
                next = wait.next_on_fd;
                wait.next_on_fd = nullptr;
                fired(wait);
            }
        }
    }

    void kick() noexcept { set_.kick(); }

    // The epoll set is not ours any more; `close`: but its descriptors are. open() makes another.
    void lose(bool close) noexcept;

private:
    int arm_known(FdSlot& slot, int fd, std::uint32_t events) noexcept;
    int arm_with(FdSlot& slot, int fd, std::uint32_t events) noexcept;
    void rearm(FdSlot& slot, int fd) noexcept;
    void stray(FdSlot& slot) noexcept;
    ReactorWait* take_ready(const FdEvent& event) noexcept;

    EpollSet set_;
    FdTable table_;
    std::size_t size_ = 0;
};

}  // namespace mc
