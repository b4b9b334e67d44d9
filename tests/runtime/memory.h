// What the process has of memory. Not with a sanitizer, which has memory of its own.
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include <malloc.h>

namespace mctest {

// A stack is mapped apart from its neighbours, so one that is lost shows here.
inline std::size_t mappings() {
    std::ifstream maps("/proc/self/maps");
    return static_cast<std::size_t>(
        std::count(std::istreambuf_iterator<char>(maps), std::istreambuf_iterator<char>(), '\n'));
}

// Bytes of the heap in use, and of how many more nothing follows: threads keep some for themselves, but for
// GLIBC_TUNABLES=glibc.malloc.tcache_count=0, which ctest sets.
inline std::size_t heap_in_use() { return mallinfo2().uordblks; }
inline std::size_t heap_noise() { return (std::getenv("GLIBC_TUNABLES") ? 4 : 32) * std::size_t{1024}; }

}  // namespace mctest
