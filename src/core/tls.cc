// SPDX-License-Identifier: BSL-1.0
#include "core/tls.h"

namespace mc {

thread_local constinit ThreadState tls_state;

ThreadState& this_thread() noexcept {
    ThreadState* state = &tls_state;
    __asm__ volatile("" : "+r"(state));  // keeps callers from computing the address themselves
    return *state;
}

}  // namespace mc
