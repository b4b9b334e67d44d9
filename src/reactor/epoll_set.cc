// SPDX-License-Identifier: BSL-1.0
#include "reactor/epoll_set.h"

#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <climits>

#include "multicore/multicore.h"
#include "platform/platform.h"

namespace mc {

namespace {

constexpr std::uint64_t kKickToken = UINT64_MAX;  // as an fd it would be -1
constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kMillisecond = 1'000'000;

// By number: the C library has a wrapper only since glibc 2.35.
int wait_precisely(int epoll_fd, epoll_event* events, int room, std::uint64_t nanoseconds) noexcept {
#ifdef SYS_epoll_pwait2
    struct {  // the kernel's __kernel_timespec, 64 bits wide everywhere
        std::int64_t seconds, nanoseconds;
    } timeout{static_cast<std::int64_t>(nanoseconds / kSecond),
              static_cast<std::int64_t>(nanoseconds % kSecond)};
    void* limit = nanoseconds == UINT64_MAX ? nullptr : &timeout;
    constexpr std::size_t kNoSignals = 0;
    return static_cast<int>(syscall(SYS_epoll_pwait2, epoll_fd, events, room, limit, nullptr, kNoSignals));
#else
    (void)epoll_fd, (void)events, (void)room, (void)nanoseconds;
    errno = ENOSYS;
    return -1;
#endif
}

int wait_roughly(int epoll_fd, epoll_event* events, int room, std::uint64_t nanoseconds) noexcept {
    int timeout = -1;
    if (nanoseconds != UINT64_MAX) {
        const std::uint64_t rounded = nanoseconds / kMillisecond + (nanoseconds % kMillisecond != 0);
        timeout = rounded < INT_MAX ? static_cast<int>(rounded) : INT_MAX;
    }
    return epoll_wait(epoll_fd, events, room, timeout);
}

}  // namespace

int EpollSet::open() noexcept {
    if (fault_hits(Fault::epoll)) return EMFILE;
    const int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd < 0) return errno;
    int error = EMFILE;
    const int kick_fd = fault_hits(Fault::epoll) ? -1 : eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (kick_fd >= 0) {
        epoll_event event{};
        // Edge-triggered: each write is reported once, so the counter need never be read back.
        event.events = EPOLLIN | EPOLLET;
        event.data.u64 = kKickToken;
        if (!fault_hits(Fault::epoll) && epoll_ctl(epoll_fd, EPOLL_CTL_ADD, kick_fd, &event) == 0) {
            epoll_fd_ = epoll_fd;
            kick_fd_.store(kick_fd, std::memory_order_relaxed);
            return 0;
        }
        error = ENOSPC;
        ::close(kick_fd);
    }
    ::close(epoll_fd);
    return error;
}

void EpollSet::close() noexcept {
    if (!is_open()) return;
    ::close(kick_fd());
    ::close(epoll_fd_);
    forget();
}

void EpollSet::forget() noexcept {
    kick_fd_.store(-1, std::memory_order_relaxed);
    epoll_fd_ = -1;
}

int EpollSet::control(int operation, int fd, std::uint32_t events, std::uint32_t arming) noexcept {
    epoll_event event{};
    event.events = EPOLLONESHOT;
    if ((events & MC_READABLE) != 0) event.events |= EPOLLIN;
    if ((events & MC_WRITABLE) != 0) event.events |= EPOLLOUT;
    event.data.u64 = std::uint64_t{arming} << 32 | static_cast<std::uint32_t>(fd);
    return epoll_ctl(epoll_fd_, operation, fd, &event) == 0 ? 0 : errno;
}

int EpollSet::insert(int fd, std::uint32_t events, std::uint32_t arming) noexcept {
    if (fault_hits(Fault::epoll)) return ENOSPC;
    return control(EPOLL_CTL_ADD, fd, events, arming);
}

// No fault here: it takes no memory, and fails only when the file is gone.
int EpollSet::modify(int fd, std::uint32_t events, std::uint32_t arming) noexcept {
    return control(EPOLL_CTL_MOD, fd, events, arming);
}

void EpollSet::remove(int fd) noexcept { control(EPOLL_CTL_DEL, fd, 0, 0); }

int EpollSet::wait(std::uint64_t until) noexcept {
    std::uint64_t timeout = until;  // 0 and UINT64_MAX mean the same in both
    if (until != 0 && until != UINT64_MAX) {
        const std::uint64_t now = now_ns();
        timeout = until > now ? until - now : 0;
    }
    int count = -1;
    if (precise_) {
        count = wait_precisely(epoll_fd_, events_, kBatch, timeout);
        // EPERM is what some sandboxes say of system calls they do not know.
        if (count < 0 && (errno == ENOSYS || errno == EPERM)) precise_ = false;
    }
    if (!precise_) count = wait_roughly(epoll_fd_, events_, kBatch, timeout);
    if (count >= 0) return count;
    return errno == EBADF || errno == EINVAL ? kLost : 0;
}

FdEvent EpollSet::event(int index) const noexcept {
    const std::uint64_t token = events_[index].data.u64;
    const std::uint32_t events = events_[index].events;
    std::uint32_t ready = 0;
    if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0) ready |= MC_READABLE;
    if ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0) ready |= MC_WRITABLE;
    const auto fd = static_cast<int>(static_cast<std::uint32_t>(token));
    return {fd, static_cast<std::uint32_t>(token >> 32), ready};
}

void EpollSet::kick() noexcept {
    const int saved = errno;
    const std::uint64_t one = 1;
    // Non-blocking; it can only fail when the counter is full, and then the poller has enough to see.
    while (write(kick_fd(), &one, sizeof one) < 0 && errno == EINTR) {
    }
    errno = saved;
}

}  // namespace mc
