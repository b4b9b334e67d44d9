// C stacks for tasks: mapped lazily, guarded at the low end, pooled by size.
//
// One pool serves the process, so that a stack can come back after its runtime is gone.
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>

namespace mc {

struct Stack {
    char* base = nullptr;  // lowest usable byte; the guard page lies right below it
    std::size_t size = 0;  // usable bytes
};

// Smallest and default granularity: a page. Sizes are rounded up to a size class.
// Thread-safe. False: the kernel gave no memory (or the fault-injection seam said so).
bool stack_allocate(std::size_t size, Stack& out) noexcept;
void stack_release(const Stack& stack) noexcept;

}  // namespace mc
