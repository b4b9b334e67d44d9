// Timers and file descriptors: one epoll set and one timer heap for the process.
//
// Nothing here blocks but poll(), and no thread belongs to it: threads without a baton take the
// poller's role in turn. It never touches tasks: a wait that fires is handed back to the poller.
// Timers use the library's clock (mc::now_ns). Never torn down. The epoll set is made when the first
// fd is waited for; timers and kicks need no descriptors, so they work when there are none left.
//
// I1  One mutex guards every wait, the heap and the fd table. It is never held across a blocking call.
// I2  A wait is claimed at most once per reactor_add, under the mutex, after it left heap and table.
// I3  A deadline fires at or after its time; a wait that is both ready and over is reported as ready.
// I4  errno is left as it was found.
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "multicore/multicore.h"

namespace mc {

// One thing waited for: a time, an fd, or both, whichever comes first. Embedded in its waiter.
// Guarded by the reactor's mutex while registered.
struct ReactorWait {
    // Called under the reactor's mutex when the wait fires (it is unregistered already): claims the
    // waiter. False: somebody else woke it first; the wait is then dropped. Must not block.
    bool (*claim)(ReactorWait& self) = nullptr;
    void* owner = nullptr;  // for the caller
    std::uint64_t deadline = UINT64_MAX;
    int fd = -1;
    std::uint32_t events = 0;           // MC_READABLE | MC_WRITABLE, wanted
    std::uint32_t ready = 0;            // got; 0 when the time was over
    ReactorWait* next_fired = nullptr;  // links the list that poll() returns

    // private to the reactor
    std::size_t heap_index = SIZE_MAX;
    ReactorWait* next_on_fd = nullptr;
    bool registered = false;
};

// Registers a wait. MC_OK: it will fire once, unless cancelled. MC_EAGAIN: ready at once (`ready` is
// set: regular files). MC_EINVAL: not a usable fd; MC_EBUSY: the fd has two waiters already, or this
// wait is registered; MC_ENOMEM: the kernel or the heap has no room. Any thread.
mc_status reactor_add(ReactorWait& wait) noexcept;

// Unregisters a wait if it still is registered. After it returns the reactor does not know the wait.
void reactor_cancel(ReactorWait& wait) noexcept;

// How many waits are registered. Racy.
std::size_t reactor_waits() noexcept;

// The earliest deadline, UINT64_MAX if none. Racy.
std::uint64_t reactor_next_deadline() noexcept;

// The poller's role: at most one thread has it.
bool reactor_take_role() noexcept;
void reactor_drop_role() noexcept;
bool reactor_has_poller() noexcept;

// The role is handed on with release/acquire: who takes it sees all that the last poller did. Whoever
// drops it must see to it that somebody polls while waits are left: has_poller (acquire) is a hint.

// With the role: waits until something fires, reactor_kick, a new earlier deadline, or `until`
// (0: does not wait). Returns the claimed waits as a list in order of firing, ready fds before timers,
// NULL if none. May also return NULL after a signal: look for work and call again.
ReactorWait* reactor_poll(std::uint64_t until) noexcept;

// Makes a poller return soon; without one, the next poll that would block returns at once instead. What
// the caller wrote before is visible to the poller after that return. Async-signal-safe, any thread.
void reactor_kick() noexcept;

// Around fork(). In the child nobody polls, the waits are those registered at the fork, and a new epoll
// set is made at the next need, so that nothing done there reaches the parent's. Waits which a poller
// had claimed and not yet delivered at the fork are unknown here, in both processes.
void reactor_before_fork() noexcept;  // takes the mutex; one of the two below gives it back
void reactor_after_fork_in_parent() noexcept;
void reactor_after_fork_in_child() noexcept;

}  // namespace mc
