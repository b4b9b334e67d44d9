// Everything that depends on the operating system, behind one small interface.
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace mc {

std::uint64_t now_ns() noexcept;  // CLOCK_MONOTONIC

unsigned cpus() noexcept;  // in the affinity mask of the process, at first use; at least 1

// Blocks while word == expected, until woken, a signal, or the time `until` (UINT64_MAX: for ever).
void futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected, std::uint64_t until) noexcept;
void futex_wake_one(std::atomic<std::uint32_t>& word) noexcept;  // async-signal-safe

// Orders the memory accesses of every running thread of the process against the caller's.
// False where the kernel has none: then releases use a full fence themselves.
bool membarrier_available() noexcept;
void membarrier() noexcept;

// Starts a detached thread. 0 or an errno value.
int thread_start(void (*fn)(void*), void* arg, std::size_t stack_size) noexcept;
void thread_name(const char* name) noexcept;

// Fault injection. A test sets a plan; production code asks before each call that can fail.
enum class Fault : unsigned { thread, stack, memory, epoll, count };
void fault_fail_next(Fault what, unsigned after,
                     unsigned times) noexcept;  // skip `after` calls, fail `times`
bool fault_hits(Fault what) noexcept;

}  // namespace mc
