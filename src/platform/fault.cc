// Fault injection: one plan per kind of call that can fail.
//
// Unused it costs a relaxed load. Plans are for tests: set one before the threads it is meant for start.
// SPDX-License-Identifier: BSL-1.0
#include "platform/platform.h"

namespace mc {
namespace {

constexpr auto kinds = static_cast<unsigned>(Fault::count);

// A plan is {calls to skip : 32 | calls to fail : 32}, in one word so that racing callers share it out.
constinit std::atomic<std::uint64_t> plans[kinds] = {};
constinit std::atomic<std::uint32_t> armed{0};  // bit per kind

}  // namespace

void fault_fail_next(Fault what, unsigned after, unsigned times) noexcept {
    const auto kind = static_cast<unsigned>(what);
    plans[kind].store(std::uint64_t{after} << 32 | times, std::memory_order_relaxed);
    // Release pairs with the acquire in fault_hits: whoever sees the bit sees the plan.
    if (times != 0)
        armed.fetch_or(1u << kind, std::memory_order_release);
    else
        armed.fetch_and(~(1u << kind), std::memory_order_release);
}

bool fault_hits(Fault what) noexcept {
    const auto kind = static_cast<unsigned>(what);
    // Relaxed: outside of tests the word never changes; a late sight of a plan only skips a call.
    if (armed.load(std::memory_order_relaxed) == 0) [[likely]]
        return false;
    if ((armed.load(std::memory_order_acquire) >> kind & 1u) == 0) return false;
    // Relaxed: the word guards nothing but itself.
    std::uint64_t plan = plans[kind].load(std::memory_order_relaxed);
    for (;;) {
        const auto after = static_cast<std::uint32_t>(plan >> 32);
        const auto times = static_cast<std::uint32_t>(plan);
        if (times == 0) return false;
        const std::uint64_t next = after != 0 ? plan - (std::uint64_t{1} << 32) : plan - 1;
        if (plans[kind].compare_exchange_weak(plan, next, std::memory_order_relaxed)) return after == 0;
    }
}

}  // namespace mc
