// What the library knows about the calling thread: 16 bytes.
//
// Read it through these functions only, and again after anything that may switch: a task can wake on
// another thread, and compilers cache the address of a thread-local within a function.
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "multicore/multicore.h"

namespace mc {

struct Worker;

struct ThreadState {
    mc_task* task = nullptr;   // the task whose code runs on this thread now
    Worker* worker = nullptr;  // the thread's part in that task's runtime
};

extern thread_local constinit ThreadState tls_state;

[[gnu::noinline]] ThreadState& this_thread() noexcept;

}  // namespace mc
