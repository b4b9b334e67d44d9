// Sections of tasks that go to a carrier with their C stack, for hosts that must stay on one thread.
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "core/runtime.h"

namespace mc {

// Does the section that opens at this place leave its thread? By the holder, with nothing open.
bool ships_now(mc_task& task, mc_site* site) noexcept;

// Release: returns on a carrier, without the baton; or where it was, with it (gate::kInline).
void ship(mc_task& task) noexcept;
void ship_again(mc_task& task) noexcept;  // likewise, for a section that a callback has interrupted
// Acquire: returns at home, with the baton.
void ship_back(mc_task& task) noexcept;

// Home, after such a task has come there: sees that a carrier goes on with it.
void send(mc_task& task) noexcept;
// The carrier's part.
void carry(Worker& worker, mc_task& task) noexcept;

// By a shutdown that waits no longer: with the task's C code running, and before a carrier took it. False: it
// is neither.
bool give_up_shipped(mc_task& task) noexcept;
bool take_shipped_back(mc_task& task) noexcept;

// Around a fork: nobody is amid a look at the modules.
void lock_modules() noexcept;
void unlock_modules() noexcept;

// mc_support: the module of this place says that all its sections may move.
void note_module(const void* place, std::uint32_t flags) noexcept;

}  // namespace mc
