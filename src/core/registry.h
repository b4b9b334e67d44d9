// All runtimes of the process.
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "core/runtime.h"

namespace mc {

void register_runtime(mc_runtime& rt) noexcept;
void unregister_runtime(mc_runtime& rt) noexcept;

// The reactor has no poller: one is sought in those other runtimes that wait for something there.
void seek_poller_in_others(mc_runtime& but) noexcept;

// Publishes the table for extensions, once. MC_EBUSY: another copy of the library did; the names of both
// files.
mc_status publish_api(const char** here, const char** other) noexcept;

}  // namespace mc
