// How a task stops running until something happens.
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "core/runtime.h"

namespace mc {

// Suspends the current task until it is claimed or `deadline` (absolute). By the holder, after the caller
// armed its wakeup; with task.reactor_wait registered or not. On return this task runs again, and
// task.wakeup.reason() says why.
void suspend(mc_task& task, std::uint64_t deadline) noexcept;

// By the holder: a suspended task that will not run again forgets what it waited for.
void stop_waiting(mc_task& task) noexcept;

// Goes to the end of the line. By the holder.
void yield_to_others(mc_task& task) noexcept;

// now + duration, without overflow.
std::uint64_t deadline_after(std::uint64_t duration) noexcept;

}  // namespace mc
