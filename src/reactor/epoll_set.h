// The system calls: one epoll instance and the eventfd that interrupts a wait on it.
//
// Every interest is one-shot: after an event the fd is silent until it is armed again. Decides
// nothing, allocates nothing. Errors are errno values.
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <sys/epoll.h>

#include <atomic>
#include <cstdint>

namespace mc {

struct FdEvent {
    int fd;
    std::uint32_t arming;  // as given to insert or modify
    std::uint32_t ready;   // MC_READABLE | MC_WRITABLE; both after an error or a hangup
};

class EpollSet {
public:
    constexpr EpollSet() noexcept = default;

    int open() noexcept;     // 0 or an error
    void close() noexcept;   // the descriptors of this process; others that share the set keep it
    void forget() noexcept;  // the same, for descriptors that somebody else closed
    bool is_open() const noexcept { return epoll_fd_ >= 0; }

    // `events` is MC_READABLE | MC_WRITABLE.
    int insert(int fd, std::uint32_t events, std::uint32_t arming) noexcept;
    int modify(int fd, std::uint32_t events, std::uint32_t arming) noexcept;
    void remove(int fd) noexcept;

    // The poller only. Waits until an fd is ready, kick, a signal, or the time `until` (0: does not
    // wait; UINT64_MAX: for ever). Returns the number of events, to be read with event(), or kLost: the
    // process closed the descriptors behind the library's back.
    static constexpr int kLost = -1;
    int wait(std::uint64_t until) noexcept;
    FdEvent event(int index) const noexcept;  // fd is -1 for a kick

    // Ends a wait, the next one if there is none. Async-signal-safe, any thread, while open.
    void kick() noexcept;

    // Its own descriptors must not be waited for.
    bool owns(int fd) const noexcept { return fd == epoll_fd_ || fd == kick_fd(); }

private:
    static constexpr int kBatch = 256;

    int kick_fd() const noexcept { return kick_fd_.load(std::memory_order_relaxed); }
    int control(int operation, int fd, std::uint32_t events, std::uint32_t arming) noexcept;

    int epoll_fd_ = -1;  // guarded by the reactor's mutex; read by the poller while it cannot change
    // relaxed: a kicker comes here only after it saw, with acquire, that a poller sleeps on this set
    std::atomic<int> kick_fd_{-1};
    bool precise_ = true;           // the poller's: the kernel has epoll_pwait2
    epoll_event events_[kBatch]{};  // the poller's
};

}  // namespace mc
