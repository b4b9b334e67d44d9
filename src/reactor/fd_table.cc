// SPDX-License-Identifier: BSL-1.0
#include "reactor/fd_table.h"

#include <algorithm>
#include <cstdlib>
#include <new>

#include "platform/platform.h"

namespace mc {

void FdSlot::append(ReactorWait& wait) noexcept {
    ReactorWait** link = &first;
    while (*link != nullptr) link = &(*link)->next_on_fd;
    wait.next_on_fd = nullptr;
    *link = &wait;
}

bool FdSlot::remove(ReactorWait& wait) noexcept {
    for (ReactorWait** link = &first; *link != nullptr; link = &(*link)->next_on_fd) {
        if (*link == &wait) {
            *link = wait.next_on_fd;
            wait.next_on_fd = nullptr;
            return true;
        }
    }
    return false;
}

FdTable::~FdTable() {
    for (std::size_t page = 0; page < pages_; ++page) delete[] directory_[page];
    std::free(directory_);
}

FdSlot* FdTable::find(int fd) const noexcept {
    const std::size_t page = static_cast<std::size_t>(fd) / kPageSlots;
    if (page >= pages_ || directory_[page] == nullptr) return nullptr;
    return &directory_[page][static_cast<std::size_t>(fd) % kPageSlots];
}

FdSlot* FdTable::make(int fd) noexcept {
    if (FdSlot* slot = find(fd)) return slot;
    if (fault_hits(Fault::memory)) return nullptr;
    const std::size_t page = static_cast<std::size_t>(fd) / kPageSlots;
    if (page >= pages_) {
        const std::size_t wanted = std::max(page + 1, pages_ * 2);
        void* grown = std::realloc(directory_, wanted * sizeof(FdSlot*));
        if (grown == nullptr) return nullptr;
        directory_ = static_cast<FdSlot**>(grown);
        std::fill(directory_ + pages_, directory_ + wanted, nullptr);
        pages_ = wanted;
    }
    directory_[page] = new (std::nothrow) FdSlot[kPageSlots];
    return find(fd);
}

}  // namespace mc
