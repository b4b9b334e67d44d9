// Threads and their part in a runtime.
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "core/runtime.h"

namespace mc {

// An idle carrier blocks all but synchronous signals; one that runs tasks or sections has the mask of the
// runtime's creator. One system call per change, none while nothing changes.
void block_signals(Worker& worker) noexcept;
void unblock_signals_now(Worker& worker) noexcept;
inline void unblock_signals(Worker& worker) noexcept {
    // Relaxed: see the field.
    if (worker.signals_blocked.load(std::memory_order_relaxed)) unblock_signals_now(worker);
}

}  // namespace mc
