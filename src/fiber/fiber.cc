// The ends of a context's life. The switch itself is in the header.
// SPDX-License-Identifier: BSL-1.0
#include "fiber/fiber.h"

#include <cxxabi.h>
#include <cerrno>
#include <cstdlib>

namespace context = boost::context::detail;

namespace mc {

Fiber::Thread Fiber::this_thread() noexcept {
    // That __cxa_get_globals and &errno count as constants, so that compilers merge uses on both sides of a
    // switch, does no harm in here: this function is called once for each switch.
    // Two calls into other libraries would cost as much as the rest of the switch. Static thread-local
    // storage, of which a library loaded late finds only a little left: keep this small.
    [[gnu::tls_model("initial-exec")]] static constinit thread_local Thread known;
    Thread thread = known;
    if (thread.error == nullptr) [[unlikely]]
        known = thread = {reinterpret_cast<Exceptions*>(abi::__cxa_get_globals()), &errno};
    return thread;
}

struct FiberMain {
    // The first frame of every pooled stack. noexcept: nothing may unwind into the assembler below it.
    static void run(context::transfer_t transfer) noexcept {
        Fiber& left = *static_cast<Fiber*>(transfer.data);
        Fiber& self = *left.to_;
        annotate::after_switch(self.annotation_, left.annotation_);
        self.resume_after(left, transfer.fctx);
        self.entry_(self.arg_);
        std::abort();
    }
};

void Fiber::adopt_thread() noexcept {
    *this = Fiber{};
    annotate::adopt_thread(annotation_);
}

void Fiber::forget_thread() noexcept { finish(); }

void Fiber::prepare(const Stack& stack, Entry entry, void* arg) noexcept {
    *this = Fiber{};
    entry_ = entry;
    arg_ = arg;
    stack_ = stack;
    annotate::create(annotation_, stack.base, stack.size);
}

void* Fiber::begin() noexcept {
    return context::make_fcontext(stack_.base + stack_.size, stack_.size, FiberMain::run);
}

void Fiber::exit_to(Fiber& from, Fiber& to) noexcept {
    from.leave_for(to);
    void* const target = to.context();
    annotate::before_exit(from.annotation_, to.annotation_);
    context::jump_fcontext(target, &from);
    std::abort();
}

void Fiber::lose() noexcept { annotate::lose(annotation_, stack_.base, stack_.size); }

void Fiber::finish() noexcept {
    annotate::destroy(annotation_);
    *this = Fiber{};
}

}  // namespace mc
