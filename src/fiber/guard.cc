// Guard pages, by page-table markers (Linux 6.13 and later, no mapping) or by protection (two mappings).
//
// By protection they are limited: a process has 65,530 mappings by default, and one that has used them up
// can neither start a thread nor grow its heap. So a quarter of them is left to others.
// SPDX-License-Identifier: BSL-1.0
#include "fiber/guard.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>

namespace mc {
namespace {

constexpr int guard_install = 102;  // MADV_GUARD_INSTALL, newer than many C libraries

constinit std::atomic<bool> markers_missing{false};
constinit std::atomic<long> protected_pages{0};
constinit std::atomic<bool> told{false};

long mappings_allowed() noexcept {
    char text[32] = "65530";
    const int fd = open("/proc/sys/vm/max_map_count", O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        const ssize_t length = read(fd, text, sizeof text - 1);
        if (length > 0) text[length] = '\0';
        close(fd);
    }
    return std::atol(text);
}

bool mark(char* page, std::size_t size) noexcept {
    // Relaxed: a stale answer costs a system call. An error other than EINVAL may pass.
    if (markers_missing.load(std::memory_order_relaxed)) return false;
    if (madvise(page, size, guard_install) == 0) return true;
    if (errno == EINVAL) markers_missing.store(true, std::memory_order_relaxed);
    return false;
}

bool protect(char* page, std::size_t size) noexcept {
    static const long limit = mappings_allowed() / 8 * 3;
    // Relaxed: a count, and not a strict one.
    if (protected_pages.load(std::memory_order_relaxed) >= limit) return false;
    if (mprotect(page, size, PROT_NONE) != 0) return false;
    protected_pages.fetch_add(1, std::memory_order_relaxed);
    return true;
}

}  // namespace

void guard_page(char* page, std::size_t size) noexcept {
    const int saved = errno;
    if (!mark(page, size) && !protect(page, size) && !told.exchange(true, std::memory_order_relaxed)) {
        static constexpr char text[] =
            "multicore: the kernel's limit on mappings (vm.max_map_count) is near: further C stacks have no "
            "guard page\n";
        if (write(STDERR_FILENO, text, sizeof text - 1) < 0) {
            // Nobody to tell.
        }
    }
    errno = saved;
}

}  // namespace mc
