// The descriptor for event loops.
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "core/runtime.h"

namespace mc {

// Any thread, async-signal-safe: there is something to do for mc_runtime_dispatch. Nothing without a
// descriptor.
void ring(mc_runtime& rt) noexcept;

// By the holder, which was the last driver: nothing runs until another one comes.
void pause_runtime(Worker& worker) noexcept;

// In a forked child: the number stays, what it names is its own.
void renew_event_fd(mc_runtime& rt) noexcept;

}  // namespace mc
