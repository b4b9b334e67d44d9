// All that sanitizers and Valgrind must be told about stacks and switches.
//
// Responsible for: which tool is built in, the brackets around a switch, the state they keep per
// context, and the care a stack needs before it is pooled. Without a sanitizer everything here is empty
// but the registration of a stack with Valgrind, once in the stack's life.
// The brackets must be inlined: a sanitizer's own function exit between bracket and jump would be
// accounted to the wrong stack.
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MC_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define MC_TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define MC_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__)
#define MC_TSAN 1
#endif

#if defined(MC_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#elif defined(MC_TSAN)
#include <sanitizer/tsan_interface.h>
#include <sys/mman.h>

#include <mutex>
#elif defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#define MC_VALGRIND 1
#include <valgrind/valgrind.h>
#endif
#endif

#define MC_BRACKET [[gnu::always_inline]] inline

namespace mc::annotate {

// Instrumented frames are larger.
#if defined(MC_ASAN) || defined(MC_TSAN)
inline constexpr std::size_t stack_factor = 4;
#else
inline constexpr std::size_t stack_factor = 1;
#endif

// What a tool keeps for one context.
struct Context {
#if defined(MC_ASAN)
    void* fake_stack = nullptr;    // while it is suspended
    const void* bottom = nullptr;  // of the real stack; of a thread's own one known once it was left
    std::size_t size = 0;
    bool pooled = false;
#elif defined(MC_TSAN)
    void* fiber = nullptr;
    unsigned uses = 0;  // of the fiber; 0 for a thread's own
    bool exited = false;
#endif
};

#if defined(MC_TSAN)
// Making a fiber costs the thread sanitizer milliseconds, so those that exited are used again. The calls
// they never returned from stay on their shadow stack, of 65,536: hence a limit. What the former user did
// counts as done before the new one, but so it does already because both had their stacks from one pool.
struct SpareFibers {
    static constexpr unsigned most = 256;
    static constexpr unsigned most_uses = 256;

    std::mutex lock;  // only tried, so that a fork that catches it taken does no harm
    struct {
        void* fiber;
        unsigned uses;
    } list[most];
    unsigned count = 0;
};
inline SpareFibers spare_fibers;

inline void take_fiber(Context& self) noexcept {
    const std::unique_lock hold(spare_fibers.lock, std::try_to_lock);
    if (hold && spare_fibers.count != 0) {
        const auto& spare = spare_fibers.list[--spare_fibers.count];
        self.fiber = spare.fiber;
        self.uses = spare.uses + 1;
    } else {
        self.fiber = __tsan_create_fiber(0);
        self.uses = 1;
    }
}

inline void drop_fiber(Context& self) noexcept {
    if (self.exited && self.uses < SpareFibers::most_uses) {
        const std::unique_lock hold(spare_fibers.lock, std::try_to_lock);
        if (hold && spare_fibers.count < SpareFibers::most) {
            spare_fibers.list[spare_fibers.count++] = {self.fiber, self.uses};
            return;
        }
    }
    __tsan_destroy_fiber(self.fiber);
}
#endif

MC_BRACKET void adopt_thread([[maybe_unused]] Context& self) noexcept {
    self = Context{};
#if defined(MC_TSAN)
    self.fiber = __tsan_get_current_fiber();
#endif
}

MC_BRACKET void create([[maybe_unused]] Context& self, [[maybe_unused]] char* base,
                       [[maybe_unused]] std::size_t size) noexcept {
    self = Context{};
#if defined(MC_ASAN)
    self.bottom = base;
    self.size = size;
    self.pooled = true;
    __lsan_register_root_region(base, size);  // what only a suspended task refers to is no leak
#elif defined(MC_TSAN)
    take_fiber(self);
#endif
}

MC_BRACKET void before_switch([[maybe_unused]] Context& from, [[maybe_unused]] Context& to) noexcept {
#if defined(MC_ASAN)
    __sanitizer_start_switch_fiber(&from.fake_stack, to.bottom, to.size);
#elif defined(MC_TSAN)
    __tsan_switch_to_fiber(to.fiber, 0);  // 0: the switch orders memory; anything else gives false races
#endif
}

MC_BRACKET void before_exit([[maybe_unused]] Context& from, [[maybe_unused]] Context& to) noexcept {
#if defined(MC_ASAN)
    __sanitizer_start_switch_fiber(nullptr, to.bottom, to.size);  // nullptr: frees the fake stack
#elif defined(MC_TSAN)
    from.exited = true;
    __tsan_switch_to_fiber(to.fiber, 0);
#endif
}

// First thing on the other side: `self` runs again (or for the first time), `left` was left for it.
MC_BRACKET void after_switch([[maybe_unused]] Context& self, [[maybe_unused]] Context& left) noexcept {
#if defined(MC_ASAN)
    __sanitizer_finish_switch_fiber(self.fake_stack, &left.bottom, &left.size);
#endif
}

// A context that will not run again. Under ASan the fake stack of one that was suspended stays allocated:
// there is no call that frees it from outside.
inline void destroy([[maybe_unused]] Context& self) noexcept {
#if defined(MC_ASAN)
    if (self.pooled) {
        __lsan_unregister_root_region(self.bottom, self.size);
        __asan_unpoison_memory_region(self.bottom, self.size);
    }
#elif defined(MC_TSAN)
    if (self.uses != 0) drop_fiber(self);
#endif
    self = Context{};
}

// In a forked child: a context that runs on a thread which is not there. TSan keeps the fiber wired to that
// thread, so it must not be destroyed, and what the thread did to the stack would race with the next user's
// doings: a new mapping counts as written by the caller.
inline void lose([[maybe_unused]] Context& self, [[maybe_unused]] char* base,
                 [[maybe_unused]] std::size_t size) noexcept {
#if defined(MC_TSAN)
    self.uses = 0;
    if (size != 0)
        (void)mmap(base, size, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK | MAP_FIXED, -1, 0);
#endif
}

// A new stack of the pool. It is never unmapped, so nothing undoes this.
inline void stack_mapped([[maybe_unused]] char* base, [[maybe_unused]] std::size_t size) noexcept {
#if defined(MC_VALGRIND)
    (void)VALGRIND_STACK_REGISTER(base, base + size);
#endif
}

}  // namespace mc::annotate

#undef MC_BRACKET
