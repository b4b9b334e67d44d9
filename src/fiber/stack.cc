// The stack pool.
//
// Stacks are carved from arenas, large anonymous mappings that are reserved without being backed, so that
// a hundred thousand stacks need a few dozen mappings. Nothing is ever unmapped: what a burst left
// behind is address space, not memory.
//
// I1  A stack belongs to its size class for ever; the class follows from the size in the handle.
// I2  Free stacks are listed outside themselves, so that a free stack need not keep a page.
// I3  Room in both lists is made when a stack is carved: releasing never allocates and never fails.
// I4  What free stacks keep resident is bounded, kept_bytes a class and tier (but at least kept_least
//     stacks): `hot` ones keep every page they have touched, `warm` ones the top kept_top bytes, which is all
//     that most tasks touch, `cold` ones nothing. Hot ones are used first, and last used first. Taking pages
//     away costs tens of microseconds, and getting them back as much again.
// Rejected: a mapping per stack (two per guarded one, and the kernel's limit is 65,530); links inside free
// stacks (a resident page each).
// SPDX-License-Identifier: BSL-1.0
#include "fiber/stack.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdlib>
#include <mutex>

#include "fiber/annotate.h"
#include "fiber/guard.h"
#include "platform/platform.h"

namespace mc {
namespace {

constexpr std::size_t least_pages = 4;
constexpr std::size_t most_pages = std::size_t{1} << 24;
constexpr unsigned classes = 1 + 4 * (24 - 2);

constexpr std::size_t kept_bytes = std::size_t{256} << 20;
constexpr std::size_t kept_least = 16;
constexpr std::size_t kept_top = std::size_t{16} << 10;

constexpr std::size_t first_batch = 16;                      // stacks
constexpr std::size_t largest_run = 32;                      // stacks
constexpr std::size_t largest_arena = std::size_t{1} << 30;  // bytes

// Four sizes to each power of two.
struct SizeClass {
    unsigned index;
    std::size_t pages;
};

constexpr SizeClass size_class(std::size_t pages) noexcept {
    if (pages <= least_pages) return {0, least_pages};
    // 2^power < pages <= 2^(power+1)
    const auto power = static_cast<unsigned>(std::bit_width(pages - 1)) - 1;
    const std::size_t step = std::size_t{1} << (power - 2);
    const std::size_t steps = (pages - (std::size_t{1} << power) + step - 1) / step;  // 1 to 4
    return {(power - 2) * 4 + static_cast<unsigned>(steps), (4 + steps) * step};
}

static_assert(size_class(5).pages == 5 && size_class(8).pages == 8 && size_class(9).pages == 10);
static_assert(size_class(size_class(65).pages).index == size_class(65).index);
static_assert(size_class(most_pages).index + 1 == classes && size_class(most_pages).pages == most_pages);

struct List {
    char** stacks = nullptr;
    std::size_t count = 0;
    std::size_t room = 0;

    bool make_room(std::size_t wanted) noexcept {
        if (wanted <= room) return true;
        const std::size_t larger = std::max(wanted, room + room / 2 + first_batch);
        void* moved = std::realloc(stacks, larger * sizeof *stacks);
        if (moved == nullptr) return false;
        stacks = static_cast<char**>(moved);
        room = larger;
        return true;
    }
    void push(char* stack) noexcept { stacks[count++] = stack; }
    char* pop() noexcept { return stacks[--count]; }
};

struct Class {
    List hot;
    List warm;
    List cold;
    std::size_t carved = 0;
    char* next = nullptr;  // of the arena being carved
    char* end = nullptr;
    std::size_t batch = first_batch;  // stacks in the next arena
};

// Guards `pool`. Held for a few loads and stores; for a system call only when an arena is used up.
constinit std::mutex lock;
constinit Class pool[classes];

// Made when the library is loaded, before any other thread can be here: a fork during a lazy initialisation
// would leave it unfinished in the child for ever.
struct Page {
    Page() noexcept : size(static_cast<std::size_t>(sysconf(_SC_PAGESIZE))) {
        // A fork must not catch the lock in another thread's hands.
        pthread_atfork([] { lock.lock(); }, [] { lock.unlock(); }, [] { lock.unlock(); });
    }
    std::size_t size;
};
[[gnu::init_priority(200)]] const Page loaded_page;

std::size_t page_size() noexcept { return loaded_page.size; }

std::size_t hot_limit(std::size_t size) noexcept { return std::max(kept_bytes / size, kept_least); }
constexpr std::size_t warm_limit = kept_bytes / kept_top;

// With the lock. Takes what it gets: near a limit on address space an arena may shrink to one stack.
bool map_arena(Class& c, std::size_t slot) noexcept {
    std::size_t count = std::clamp(largest_arena / slot, std::size_t{1}, c.batch);
    for (;; count /= 2) {
        if (count == 0) return false;
        void* memory = mmap(nullptr, count * slot, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
        if (memory == MAP_FAILED) continue;
        // A huge page would back dozens of stacks when one is touched.
        madvise(memory, count * slot, MADV_NOHUGEPAGE);
        c.next = static_cast<char*>(memory);
        c.end = c.next + count * slot;
        c.batch *= 2;
        return true;
    }
}

// With the lock: address space for up to `count` new stacks, and fewer near a limit: null, 0.
struct Carved {
    char* first;
    std::size_t count;
};

Carved carve(Class& c, std::size_t slot, std::size_t count, std::size_t hot_most) noexcept {
    if (c.next == c.end && !map_arena(c, slot)) return {};
    count = std::min(count, static_cast<std::size_t>(c.end - c.next) / slot);
    const std::size_t total = c.carved + count;
    if (!c.cold.make_room(total) || !c.warm.make_room(std::min(total, warm_limit)) ||
        !c.hot.make_room(std::min(total, hot_most)))
        return {};
    char* const first = c.next;
    c.next += count * slot;
    c.carved = total;
    return {first, count};
}

// A guard below, and the top page, which every task touches, in memory: asked for, it costs half of a page
// fault, and a run of neighbours half of that again, as they share a page table. Without the
// memory, or on a kernel that does not know the request, the fault comes later.
void prepare(char* slot, std::size_t page, std::size_t usable) noexcept {
    const int saved = errno;
    guard_page(slot, page);
    madvise(slot + usable, page, MADV_POPULATE_WRITE);
    annotate::stack_mapped(slot + page, usable);
    errno = saved;
}

}  // namespace

bool stack_allocate(std::size_t size, Stack& out) noexcept {
    const std::size_t page = page_size();
    if (size > most_pages * page / annotate::stack_factor) return false;
    if (fault_hits(Fault::stack)) return false;
    const SizeClass sc = size_class((size * annotate::stack_factor + page - 1) / page);
    const std::size_t usable = sc.pages * page;
    Class& c = pool[sc.index];

    const std::size_t slot = page + usable;
    Carved fresh;
    {
        const std::lock_guard hold(lock);
        for (List* list : {&c.hot, &c.warm, &c.cold}) {
            if (list->count == 0) continue;
            out = {list->pop(), usable};
            return true;
        }
        fresh = carve(c, slot, std::clamp(c.carved / 8, std::size_t{1}, largest_run), hot_limit(usable));
    }
    if (fresh.count == 0) return false;
    for (std::size_t i = 0; i < fresh.count; ++i) prepare(fresh.first + i * slot, page, usable);
    out = {fresh.first + page, usable};
    const std::lock_guard hold(lock);
    // Last used first: the second one is to be next.
    for (std::size_t i = fresh.count; --i > 0;)
        (c.warm.count < warm_limit ? c.warm : c.cold).push(fresh.first + i * slot + page);
    return true;
}

void stack_release(const Stack& stack) noexcept {
    const std::size_t page = page_size();
    Class& c = pool[size_class(stack.size / page).index];
    bool warm = false;
    {
        const std::lock_guard hold(lock);
        if (c.hot.count < hot_limit(stack.size)) {
            c.hot.push(stack.base);
            return;
        }
        warm = c.warm.count < warm_limit && stack.size > kept_top;
    }
    madvise(stack.base, warm ? stack.size - kept_top : stack.size, MADV_DONTNEED);
    const std::lock_guard hold(lock);
    if (warm && c.warm.count < warm_limit)  // others may have filled it meanwhile
        c.warm.push(stack.base);
    else
        c.cold.push(stack.base);
}

}  // namespace mc
