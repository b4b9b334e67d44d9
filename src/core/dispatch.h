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

}  // namespace mc
