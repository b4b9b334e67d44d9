// SPDX-License-Identifier: BSL-1.0
#include "reactor/fd_waits.h"

#include <fcntl.h>

#include <cerrno>

namespace mc {

namespace {

// The fd is closed, names another file than when it was armed, or one that cannot be polled.
bool file_is_gone(int error) noexcept { return error == ENOENT || error == EBADF || error == EPERM; }

}  // namespace

mc_status FdWaits::add(ReactorWait& wait) noexcept {
    constexpr std::uint32_t kBoth = MC_READABLE | MC_WRITABLE;
    if (wait.events == 0 || (wait.events & ~kBoth) != 0) return MC_EINVAL;
    if (!open()) return MC_ENOMEM;
    if (set_.owns(wait.fd)) return MC_EINVAL;
    FdSlot* slot = table_.find(wait.fd);
    if (slot == nullptr) {
        // The table grows with the number: for fds that exist only.
        if (fcntl(wait.fd, F_GETFD) < 0) return MC_EINVAL;
        slot = table_.make(wait.fd);
        if (slot == nullptr) return MC_ENOMEM;
    }
    if (slot->full()) {
        rearm(*slot, wait.fd);  // are they for this file?
        if (slot->full()) return MC_EBUSY;
    }
    switch (arm_with(*slot, wait.fd, wait.events)) {
        case 0: break;
        case EPERM: wait.ready = wait.events; return MC_EAGAIN;
        case ENOMEM:
        case ENOSPC: return MC_ENOMEM;
        default: return MC_EINVAL;
    }
    slot->append(wait);
    ++size_;
    return MC_OK;
}

void FdWaits::remove(ReactorWait& wait) noexcept {
    FdSlot* slot = wait.fd < 0 ? nullptr : table_.find(wait.fd);
    if (slot == nullptr || !slot->remove(wait)) return;
    --size_;
    rearm(*slot, wait.fd);
}

// All or nothing: no wait stays behind unarmed in a set that is open.
bool FdWaits::open() noexcept {
    if (set_.is_open()) return true;
    if (set_.open() != 0) return false;
    bool complete = true;
    table_.each([&](int fd, FdSlot& slot) {
        if (!complete || slot.first == nullptr) return;
        // The set may have got the number of a file that was closed.
        const int error = set_.owns(fd) ? EBADF : arm_with(slot, fd, 0);
        if (file_is_gone(error)) {
            stray(slot);
        } else if (error != 0) {
            complete = false;
        }
    });
    if (!complete) lose(true);
    return complete;
}

void FdWaits::lose(bool close) noexcept {
    if (close) {
        set_.close();
    } else {
        set_.forget();
    }
    table_.each([](int, FdSlot& slot) { slot.in_set = false; });
}

// Arms an fd that the set should know. If it does not, the slot's waits were for another file.
int FdWaits::arm_known(FdSlot& slot, int fd, std::uint32_t events) noexcept {
    const int error = set_.modify(fd, events, slot.arming + 1);
    if (error == 0) ++slot.arming;
    if (file_is_gone(error)) {
        stray(slot);
        slot.in_set = false;
    }
    return error;
}

// Arms the fd for `events` and what the slot's waits want. The set may know less than the slot says
// (closing a file removes it) or more (a number can come back to a file that stayed open elsewhere).
int FdWaits::arm_with(FdSlot& slot, int fd, std::uint32_t events) noexcept {
    if (slot.in_set) {
        const int error = arm_known(slot, fd, events | slot.wanted());
        if (error != ENOENT) return error;
    }
    const std::uint32_t all = events | slot.wanted();
    int error = set_.insert(fd, all, slot.arming + 1);
    if (error == EEXIST) error = set_.modify(fd, all, slot.arming + 1);
    if (error == 0) {
        ++slot.arming;
        slot.in_set = true;
    }
    return error;
}

// Makes the kernel's interest match the waits that are left.
void FdWaits::rearm(FdSlot& slot, int fd) noexcept {
    if (!slot.in_set) return;
    if (slot.first == nullptr) {
        set_.remove(fd);
        slot.in_set = false;
    } else {
        arm_known(slot, fd, slot.wanted());
    }
}

void FdWaits::stray(FdSlot& slot) noexcept {
    while (slot.first != nullptr) {
        slot.remove(*slot.first);
        --size_;
    }
}

// Returns a list linked by next_on_fd.
ReactorWait* FdWaits::take_ready(const FdEvent& event) noexcept {
    FdSlot* slot = event.fd < 0 ? nullptr : table_.find(event.fd);
    if (slot == nullptr || slot->arming != event.arming) return nullptr;
    ReactorWait* ready = nullptr;
    ReactorWait** tail = &ready;
    for (ReactorWait* wait = slot->first; wait != nullptr;) {
        ReactorWait& candidate = *wait;
        wait = candidate.next_on_fd;
        if ((candidate.events & event.ready) == 0) continue;
        slot->remove(candidate);
        --size_;
        candidate.ready = candidate.events & event.ready;
        *tail = &candidate;
        tail = &candidate.next_on_fd;
    }
    // The event disarmed the fd. Without waits it stays known, for the next one.
    if (slot->first != nullptr) arm_known(*slot, event.fd, slot->wanted());
    return ready;
}

}  // namespace mc
