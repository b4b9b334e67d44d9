// Guard pages.
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>

namespace mc {

// Makes every access to this page fault, as cheaply as the kernel allows. Where it does not allow it any
// more the page stays as it is and the process is told once, on standard error.
void guard_page(char* page, std::size_t size) noexcept;

}  // namespace mc
