// SPDX-License-Identifier: BSL-1.0
#include "core/tls.h"

#include <atomic>

namespace mc {

thread_local constinit ThreadState tls_state;

ThreadState& this_thread() noexcept {
    ThreadState* state = &tls_state;
    __asm__ volatile("" : "+r"(state));  // keeps callers from computing the address themselves
    return *state;
}

std::uint64_t thread_number() noexcept {
    static std::atomic<std::uint64_t> last{0};
    ThreadState& me = this_thread();
    if (me.number == 0) me.number = last.fetch_add(1, std::memory_order_relaxed) + 1;  // only unique
    return me.number;
}

}  // namespace mc
