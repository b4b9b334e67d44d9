// Sections, as the table for extensions calls them.
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "core/runtime.h"

namespace mc {

void section_release(mc_site* site) noexcept;
void section_acquire(mc_site* site) noexcept;
mc_status section_acquire_status(mc_site* site) noexcept;
mc_status section_release_with(mc_site* site, const mc_section_options* options) noexcept;
mc_status section_cancelled() noexcept;
mc_status section_enter() noexcept;
mc_status section_leave() noexcept;

// Would a section of the task open now.
bool lends_now(const mc_task& task) noexcept;

// What is pending for the task: cancelled or past the section's deadline, interrupted, or nothing.
mc_status pending_status(const mc_task& task) noexcept;

// By a task of a closed runtime, without the baton: never returns.
[[noreturn]] void end_straggler(mc_task& task) noexcept;

}  // namespace mc
