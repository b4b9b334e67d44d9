// What the library knows about the calling thread: 24 bytes.
//
// Read it through these functions only, and again after anything that may switch: a task can wake on
// another thread, and compilers cache the address of a thread-local within a function.
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>

#include "multicore/multicore.h"

namespace mc {

struct Worker;

struct ThreadState {
    mc_task* task = nullptr;   // the task whose code runs on this thread now
    Worker* worker = nullptr;  // the thread's part in that task's runtime
    std::uint64_t number = 0;  // of the thread, never used again; 0: not given yet
};

extern thread_local constinit ThreadState tls_state;

[[gnu::noinline]] ThreadState& this_thread() noexcept;

std::uint64_t thread_number() noexcept;

}  // namespace mc
