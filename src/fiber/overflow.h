// Reports a task that overflows its C stack by name, instead of a bare SIGSEGV.
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "fiber/stack.h"

namespace mc {

// Async-signal-safe: which pooled stack the calling thread runs on and whose it is; false if none.
using StackOwner = bool (*)(Stack& stack, const char*& task_name);

// Installs the SIGSEGV/SIGBUS handler, once per process; it chains to the handler found there.
void overflow_install(StackOwner owner) noexcept;

// Every thread that runs tasks gives its signals an alternate stack before the first, and takes it
// away after the last. A thread that has one already keeps it.
void overflow_enter_thread() noexcept;
void overflow_leave_thread() noexcept;

}  // namespace mc
