// All runtimes of the process.
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "core/runtime.h"

namespace mc {

void register_runtime(mc_runtime& rt) noexcept;
void unregister_runtime(mc_runtime& rt) noexcept;

// Wakes one idle thread of each other runtime, so that one of them polls the reactor.
void rouse_other_runtimes(mc_runtime& but) noexcept;

// Publishes the table for extensions, once. MC_EBUSY: another copy of the library did; the names of both
// files.
mc_status publish_api(const char** here, const char** other) noexcept;

}  // namespace mc
