// A context that can be switched to: a thread's own stack, or a C stack from the pool.
//
// Responsible for: the switch itself, what must travel with a stack (C++ exception globals, errno)
// and what sanitizers and Valgrind must be told. Knows nothing of tasks, the baton or threads' roles.
//
// I1  A context that is switched to learns which one was left through the transfer's data, and stores
//     where that one continues. Until then nobody else may switch to the one that was left.
// I2  Nothing thread-local is looked up after the jump: that code may run on another thread, and compilers
//     keep addresses of thread-locals. The side that leaves looks it up, in a function of its own; the side
//     that goes on runs on the same thread and takes it from there.
// Rejected: boost::context::fiber. Destroying an unfinished one unwinds its stack by an exception, which
// would go through C frames.
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <boost/context/detail/fcontext.hpp>

#include "fiber/annotate.h"
#include "fiber/stack.h"

namespace mc {

class Fiber {
public:
    using Entry = void (*)(void* arg);  // must not return: it ends with exit_to

    // Makes this the context of the calling thread's own stack. Undone by forget_thread on that thread.
    void adopt_thread() noexcept;
    void forget_thread() noexcept;

    // Makes this a new context that calls entry(arg) on `stack` when it is first switched to. The stack is
    // not touched before: by then it is another thread's, and its cache's.
    void prepare(const Stack& stack, Entry entry, void* arg) noexcept;

    // Stops here as `from`, which must be the running context, and continues `to`. Returns when
    // somebody switches to `from`, maybe on another OS thread.
    static void switch_to(Fiber& from, Fiber& to) noexcept;

    // The same, but `from` never runs again.
    [[noreturn]] static void exit_to(Fiber& from, Fiber& to) noexcept;

    // In a forked child, for a context that ran on a thread that is not there: finish and the release of its
    // stack are all that may follow.
    void lose() noexcept;

    // After exit_to, or for a prepared or suspended context that is to be dropped without unwinding,
    // on any other context: forgets it. Only then may its stack be released.
    void finish() noexcept;

private:
    friend struct FiberMain;

    // What the C++ runtime keeps per thread about exceptions in flight (__cxa_eh_globals).
    struct Exceptions {
        void* caught = nullptr;
        unsigned uncaught = 0;
    };

    // Where a thread keeps what must travel.
    struct Thread {
        Exceptions* exceptions = nullptr;
        int* error = nullptr;
    };
    [[gnu::noinline]] static Thread this_thread() noexcept;

    void* context() noexcept {
        if (context_ == nullptr) [[unlikely]]
            context_ = begin();
        return context_;
    }
    [[gnu::noinline]] void* begin() noexcept;
    void leave_for(Fiber& to) noexcept;
    void resume_after(Fiber& left, void* left_context) noexcept;

    // Valid while this is suspended; null before the first switch. Whoever is switched to fills in context_
    // of the one it left.
    void* context_ = nullptr;
    Fiber* to_ = nullptr;  // the one it was left for; tells a new context which one it is
    Thread thread_;        // the one it was left on
    Exceptions exceptions_;
    int errno_ = 0;
    [[no_unique_address]] annotate::Context annotation_;

    Stack stack_;
    Entry entry_ = nullptr;
    void* arg_ = nullptr;
};

inline void Fiber::leave_for(Fiber& to) noexcept {
    to_ = &to;
    thread_ = this_thread();
    exceptions_ = *thread_.exceptions;
    errno_ = *thread_.error;
}

inline void Fiber::resume_after(Fiber& left, void* left_context) noexcept {
    left.context_ = left_context;
    *left.thread_.exceptions = exceptions_;
    *left.thread_.error = errno_;
}

// Inline, because the return from a function that switched is one that the processor predicts wrongly.
inline void Fiber::switch_to(Fiber& from, Fiber& to) noexcept {
    from.leave_for(to);
    void* const target = to.context();
    annotate::before_switch(from.annotation_, to.annotation_);
    const auto transfer = boost::context::detail::jump_fcontext(target, &from);
    Fiber& left = *static_cast<Fiber*>(transfer.data);
    annotate::after_switch(from.annotation_, left.annotation_);
    from.resume_after(left, transfer.fctx);
}

}  // namespace mc
