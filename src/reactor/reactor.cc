// Brings the parts together under one mutex: who waits for a time (TimerHeap), who for an fd (FdWaits),
// who polls (PollerRole).
//
// A new earlier deadline must reach a poller that sleeps already. Poller and reactor_add meet at the
// mutex: under it the poller announces how it sleeps and until when, so whoever adds later sees that,
// and whoever added before was seen by the poller. A new fd needs no such care: the kernel adds it to the
// running epoll_wait; except that a poller which sleeps in the futex must come over.
// SPDX-License-Identifier: BSL-1.0
#include "reactor/reactor.h"

#include <algorithm>
#include <atomic>
#include <cassert>
#include <cerrno>
#include <mutex>

#include "platform/platform.h"
#include "reactor/fd_waits.h"
#include "reactor/poller_role.h"
#include "reactor/timer_heap.h"

namespace mc {

namespace {

// How long a poller leaves fds unwatched before it tries again to get an epoll set. Only after a fork
// into a child that cannot have one.
constexpr std::uint64_t kRetryNanoseconds = 50'000'000;

class KeepErrno {
public:
    KeepErrno() noexcept = default;
    KeepErrno(const KeepErrno&) = delete;
    KeepErrno& operator=(const KeepErrno&) = delete;
    ~KeepErrno() { errno = saved_; }

private:
    int saved_ = errno;
};

class Reactor {
public:
    constexpr Reactor() noexcept = default;

    mc_status add(ReactorWait& wait) noexcept;
    void cancel(ReactorWait& wait) noexcept;
    ReactorWait* poll(std::uint64_t until) noexcept;
    void kick() noexcept;

    void before_fork() noexcept { mutex_.lock(); }
    void after_fork_in_parent() noexcept { mutex_.unlock(); }
    void after_fork_in_child() noexcept;

    PollerRole& role() noexcept { return role_; }
    // relaxed: these are hints for readers without the mutex
    std::size_t waits() const noexcept { return waits_.load(std::memory_order_relaxed); }
    std::uint64_t earliest() const noexcept { return earliest_.load(std::memory_order_relaxed); }

private:
    // The waits that were claimed, in order.
    class Fired {
    public:
        void append(ReactorWait& wait) noexcept {
            wait.next_fired = nullptr;
            *tail_ = &wait;
            tail_ = &wait.next_fired;
        }
        ReactorWait* first() const noexcept { return first_; }

    private:
        ReactorWait* first_ = nullptr;
        ReactorWait** tail_ = &first_;
    };

    PollerRole::Sleep fall_asleep(std::uint64_t until) noexcept;
    ReactorWait* collect(int events) noexcept;
    void unregister(ReactorWait& wait) noexcept;
    void fire(ReactorWait& wait, Fired& fired) noexcept;
    void publish() noexcept;
    void nobody_sleeps() noexcept {
        sleeps_until_ = 0;
        sleeps_in_futex_ = false;
    }

    std::mutex mutex_;
    TimerHeap timers_;       // guarded by mutex_
    FdWaits fds_;            // guarded by mutex_, but for wait() and kick()
    std::size_t count_ = 0;  // guarded by mutex_: registered waits
    // Guarded by mutex_: of the sleeping poller that an adder may have to disturb; 0 and false: none.
    std::uint64_t sleeps_until_ = 0;
    bool sleeps_in_futex_ = false;
    std::atomic<std::size_t> waits_{0};                // count_, for all
    std::atomic<std::uint64_t> earliest_{UINT64_MAX};  // of timers_, for all
    PollerRole role_;
};

mc_status Reactor::add(ReactorWait& wait) noexcept {
    const KeepErrno keep;
    if (wait.fd < -1 || wait.claim == nullptr) return MC_EINVAL;
    bool disturb = false;
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (wait.registered) return MC_EBUSY;
        const bool timed = wait.deadline != UINT64_MAX;
        wait.ready = 0;
        wait.next_fired = nullptr;
        if (timed && !timers_.reserve_one()) return MC_ENOMEM;
        if (wait.fd >= 0) {
            const mc_status status = fds_.add(wait);
            if (status != MC_OK) return status;
        }
        if (timed) timers_.push(wait);
        wait.registered = true;
        ++count_;
        publish();
        disturb = wait.deadline < sleeps_until_ || (wait.fd >= 0 && sleeps_in_futex_);
        if (disturb) nobody_sleeps();  // once is enough
    }
    if (disturb) kick();
    return MC_OK;
}

void Reactor::cancel(ReactorWait& wait) noexcept {
    const KeepErrno keep;
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!wait.registered) return;
    unregister(wait);
    publish();
}

ReactorWait* Reactor::poll(std::uint64_t until) noexcept {
    const KeepErrno keep;
    assert(role_.taken());
    std::unique_lock<std::mutex> lock(mutex_);
    const bool watch = fds_.size() != 0 && fds_.open();
    if (!watch && fds_.size() != 0) until = std::min(until, now_ns() + kRetryNanoseconds);
    until = std::min(until, timers_.earliest_deadline());
    const PollerRole::Sleep sleep = fall_asleep(until);
    int events = 0;
    if (sleep != PollerRole::kAwake || watch) {
        lock.unlock();
        if (sleep == PollerRole::kInFutex) {
            role_.sleep_in_futex(until);
        } else {
            events = fds_.wait(sleep == PollerRole::kAwake ? 0 : until);
        }
        lock.lock();
    }
    if (sleep != PollerRole::kAwake) {
        role_.wake_up();
        nobody_sleeps();
    }
    return collect(events);
}

// Under the mutex. How the poller is to sleep until then; kAwake: not at all.
PollerRole::Sleep Reactor::fall_asleep(std::uint64_t until) noexcept {
    if (until == 0 || (until != UINT64_MAX && until <= now_ns())) return PollerRole::kAwake;
    const PollerRole::Sleep how = fds_.is_open() ? PollerRole::kInEpoll : PollerRole::kInFutex;
    if (!role_.fall_asleep(how)) return PollerRole::kAwake;
    sleeps_until_ = until;
    sleeps_in_futex_ = how == PollerRole::kInFutex;
    return how;
}

// Under the mutex. Fds go first, so that a wait that is both ready and over is reported as ready.
ReactorWait* Reactor::collect(int events) noexcept {
    if (count_ == 0 && events == 0) return nullptr;
    Fired fired;
    fds_.fire(events, [&](ReactorWait& wait) { fire(wait, fired); });
    const std::uint64_t now = timers_.size() == 0 ? 0 : now_ns();
    while (timers_.earliest_deadline() <= now) fire(*timers_.earliest(), fired);
    publish();
    return fired.first();
}

void Reactor::unregister(ReactorWait& wait) noexcept {
    timers_.remove(wait);
    fds_.remove(wait);
    wait.registered = false;
    --count_;
}

void Reactor::fire(ReactorWait& wait, Fired& fired) noexcept {
    unregister(wait);
    if (wait.claim(wait)) fired.append(wait);
}

void Reactor::publish() noexcept {
    waits_.store(count_, std::memory_order_relaxed);
    earliest_.store(timers_.earliest_deadline(), std::memory_order_relaxed);
}

void Reactor::kick() noexcept {
    switch (role_.kick()) {
        case PollerRole::kInEpoll: fds_.kick(); break;
        case PollerRole::kInFutex: role_.wake_futex(); break;
        case PollerRole::kAwake: break;
    }
}

void Reactor::after_fork_in_child() noexcept {
    fds_.lose(true);
    nobody_sleeps();
    role_.reset();
    mutex_.unlock();
}

// Never destroyed: a thread may poll while the process exits.
union Immortal {
    constexpr Immortal() noexcept : reactor() {}
    ~Immortal() {}
    Reactor reactor;
};
constinit Immortal immortal;

Reactor& reactor() noexcept { return immortal.reactor; }

}  // namespace

mc_status reactor_add(ReactorWait& wait) noexcept { return reactor().add(wait); }

void reactor_cancel(ReactorWait& wait) noexcept { reactor().cancel(wait); }

std::size_t reactor_waits() noexcept { return reactor().waits(); }

std::uint64_t reactor_next_deadline() noexcept { return reactor().earliest(); }

bool reactor_take_role() noexcept { return reactor().role().take(); }

void reactor_drop_role() noexcept { reactor().role().drop(); }

bool reactor_has_poller() noexcept { return reactor().role().taken(); }

ReactorWait* reactor_poll(std::uint64_t until) noexcept { return reactor().poll(until); }

void reactor_kick() noexcept { reactor().kick(); }

void reactor_before_fork() noexcept { reactor().before_fork(); }

void reactor_after_fork_in_parent() noexcept { reactor().after_fork_in_parent(); }

void reactor_after_fork_in_child() noexcept { reactor().after_fork_in_child(); }

}  // namespace mc
