// All runtimes of the process.
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "core/runtime.h"

namespace mc {

void register_runtime(mc_runtime& rt) noexcept;
void unregister_runtime(mc_runtime& rt) noexcept;

// The list is the caller's, linked by registry_next, from lock_registry to unlock_registry.
void lock_registry() noexcept;
void unlock_registry() noexcept;
mc_runtime* registered() noexcept;         // meanwhile: the first
void strike_out(mc_runtime& rt) noexcept;  // meanwhile: off the list

// The reactor has no poller: one is sought in those other runtimes that wait for something there.
void seek_poller_in_others(mc_runtime& but) noexcept;

// Is this the thread that runs the exit handlers? The one above has taken the baton then, for good: what
// would wait for it is refused.
bool exits_here(const mc_runtime& rt) noexcept;

// Publishes the table for extensions, once. MC_EBUSY: another copy of the library did; the names of both
// files.
mc_status publish_api(const char** here, const char** other) noexcept;

}  // namespace mc
