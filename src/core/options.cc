// Versioned structs that callers hand in.
// SPDX-License-Identifier: BSL-1.0
#include <cstring>

#include "core/runtime.h"

namespace mc {

bool read_options(void* to, std::uint32_t to_size, const void* from) noexcept {
    std::uint32_t size = 0;
    std::memcpy(&size, from, sizeof size);
    if (size < sizeof size) return false;
    std::memcpy(to, from, size < to_size ? size : to_size);
    std::memcpy(to, &to_size, sizeof to_size);
    const auto* bytes = static_cast<const unsigned char*>(from);
    for (std::uint32_t at = to_size; at < size; ++at)
        if (bytes[at] != 0) return false;
    return true;
}

}  // namespace mc
