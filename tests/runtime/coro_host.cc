// SPDX-License-Identifier: BSL-1.0
#include "coro_host.h"

#include <algorithm>
#include <utility>

#include <boost/context/detail/fcontext.hpp>

#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#elif defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#include <sanitizer/tsan_interface.h>
#define CORO_TSAN 1
#endif

namespace mctest {
namespace {

namespace context = boost::context::detail;

constexpr std::size_t stack_bytes = sanitized ? 512 * 1024 : 128 * 1024;

// The brackets that sanitizers need around a switch. Inlined: a frame of its own would be left by the switch.
[[gnu::always_inline]] inline void before_switch(Context& from, Context& to, bool for_good) {
    (void)from, (void)to, (void)for_good;
#if defined(CORO_TSAN)
    from.tsan_fiber = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(to.tsan_fiber, 0);
#elif defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
    __sanitizer_start_switch_fiber(for_good ? nullptr : &from.fake_stack, to.bottom, to.size);
#endif
}

[[gnu::always_inline]] inline void after_switch(Context& self, Context& left) {
    (void)self, (void)left;
#if !defined(CORO_TSAN) && (defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer))
    __sanitizer_finish_switch_fiber(self.fake_stack, &left.bottom, &left.size);
#endif
}

[[gnu::always_inline]] inline void jump(Context& from, Context& to, bool for_good) {
    from.to = &to;
    before_switch(from, to, for_good);
    const auto arrived = context::jump_fcontext(to.jump, &from);
    Context& left = *static_cast<Context*>(arrived.data);
    left.jump = arrived.fctx;
    after_switch(from, left);
}

}  // namespace

struct Entry {
    static void begin(context::transfer_t arrived) {
        Context& left = *static_cast<Context*>(arrived.data);
        Context& self = *left.to;
        left.jump = arrived.fctx;
        after_switch(self, left);
        CoroHost::coroutine_main(self.owner);
    }
};

mc_host CoroHost::hooks() {
    mc_host host = MC_HOST_INIT;
    host.flags = MC_HOST_OWN_SCHEDULER;
    host.self = this;
    host.current = on_current;
    host.ready = on_ready;
    host.run = on_run_hook;
    host.wake = on_wake;
    return host;
}

mc_task* CoroHost::on_current(void* self) {
    CoroHost& host = *static_cast<CoroHost*>(self);
    ++host.asked;
    return host.hide_current || !host.current_ ? nullptr : host.current_->task;
}

int CoroHost::on_ready(void* self) {
    const CoroHost& host = *static_cast<CoroHost*>(self);
    // Relaxed: the library allows it to be racy.
    return host.due_.load(std::memory_order_relaxed) || host.ready_.load(std::memory_order_relaxed) > 0;
}

void CoroHost::on_wake(void* self) {
    CoroHost& host = *static_cast<CoroHost*>(self);
    host.due_.store(true, std::memory_order_seq_cst);    // after the state that collect_due reads
    host.wakes.fetch_add(1, std::memory_order_seq_cst);  // whoever sees it finds the coroutine due
}

void CoroHost::on_run_hook(void* self, mc_task* lender) { static_cast<CoroHost*>(self)->run(lender); }

void CoroHost::run(mc_task* lender) {
    Coroutine* self = static_cast<Coroutine*>(mc_task_data(lender));
    EXPECT_EQ(self, current_);
    Context here;
    here.owner = self;
    self->where = &here;
    lenders_.push_back(self);
    const int thread = thread_id();
    ++runs;
    most_runs_open = std::max(most_runs_open, ++runs_open);
    if (on_run) on_run(lender);
    while (mc_task_state(lender) != MC_TASK_DUE) {
        Coroutine* to = next();
        if (to == self) {
            early_runs += mc_task_state(lender) != MC_TASK_DUE;
            break;
        }
        go_on(here, to);
    }
    --runs_open;
    moved_runs += thread_id() != thread;
    lenders_.erase(std::find(lenders_.begin(), lenders_.end(), self));
    self->where = &self->own;
}

void CoroHost::collect_due() {
    if (!due_.load(std::memory_order_relaxed)) return;  // what is missed is seen next time
    due_.store(false, std::memory_order_seq_cst);       // before the look: what comes later sets it again
    for (Coroutine* lender : lenders_)
        if (!lender->queued && mc_task_state(lender->task) == MC_TASK_DUE) {
            make_ready(lender);
            if (!due_first) continue;
            queue_.pop_back();
            queue_.push_front(lender);  // its thread waits
        }
}

// The main coroutine is the idle one: it goes on when nothing is queued.
Coroutine* CoroHost::next() {
    collect_due();
    if (queue_.empty()) return &main_;
    Coroutine* first = queue_.front();
    queue_.pop_front();
    ready_.fetch_sub(1, std::memory_order_relaxed);
    first->queued = false;
    return first;
}

void CoroHost::make_ready(Coroutine* coroutine) {
    if (coroutine->queued) return;
    coroutine->queued = true;
    queue_.push_back(coroutine);
    ready_.fetch_add(1, std::memory_order_relaxed);
}

// Leaves this stack; returns when its coroutine is scheduled again, maybe on another thread.
void CoroHost::go_on(Context& leaving, Coroutine* to) {
    current_ = to;
    jump(leaving, *to->where, false);
    arrive();
}

void CoroHost::arrive() {
    if (Coroutine* ended = std::exchange(dead_, nullptr)) drop(ended);
}

void CoroHost::park() {
    Coroutine* self = current_;
    Coroutine* to = next();
    if (to != self) go_on(self->own, to);
}

void CoroHost::cede() {
    make_ready(current_);
    park();
}

void CoroHost::adopt(Coroutine& coroutine) {
    mc_task_options options = MC_TASK_OPTIONS_INIT;
    options.name = coroutine.name.c_str();
    options.data = &coroutine;
    EXPECT_EQ(MC_OK, mc_task_adopt(*runtime_, &options, &coroutine.task));
    coroutine.host = this;
    coroutine.own.owner = &coroutine;
}

Coroutine* CoroHost::start(std::string name, std::function<void()> body) {
    Coroutine* fresh = all_.emplace_back(std::make_unique<Coroutine>()).get();
    fresh->name = std::move(name);
    fresh->body = std::move(body);
    adopt(*fresh);
    fresh->stack = std::make_unique<char[]>(stack_bytes);
    fresh->own.bottom = fresh->stack.get();
    fresh->own.size = stack_bytes;
    fresh->own.jump = context::make_fcontext(fresh->stack.get() + stack_bytes, stack_bytes, Entry::begin);
#if defined(CORO_TSAN)
    fresh->own.tsan_fiber = __tsan_create_fiber(0);
#endif
    ++alive_;
    make_ready(fresh);
    return fresh;
}

void CoroHost::coroutine_main(Coroutine* self) {
    CoroHost& host = *self->host;
    host.arrive();
    self->body();
    self->ended = true;
    if (--host.alive_ == 0) host.idle_.open();
    host.dead_ = self;
    host.current_ = host.next();
    jump(self->own, *host.current_->where, true);
    std::abort();
}

void CoroHost::drop(Coroutine* ended) {
    mc_task_unref(ended->task);
    ended->task = nullptr;
#if defined(CORO_TSAN)
    __tsan_destroy_fiber(ended->own.tsan_fiber);
#elif defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
    __asan_unpoison_memory_region(ended->stack.get(), stack_bytes);
#endif
    ended->stack.reset();
}

void CoroHost::join_all() {
    while (alive_ > 0) {
        collect_due();
        if (!queue_.empty()) {
            cede();
            continue;
        }
        mc_release();
        idle_.wait();
        mc_acquire();
    }
}

void CoroHost::main(Runtime& runtime, const std::function<void()>& body) {
    main_for_now(runtime, [&] {
        body();
        join_all();
    });
}

void CoroHost::main_for_now(Runtime& runtime, const std::function<void()>& body) {
    const int thread = thread_id();
    runtime_ = &runtime;
    ASSERT_EQ(MC_OK, mc_attach(runtime, nullptr, MC_FOREVER, nullptr));
    main_.name = "main";
    adopt(main_);
    current_ = &main_;
    body();
    current_ = nullptr;
    mc_task_unref(std::exchange(main_.task, nullptr));
    EXPECT_EQ(MC_OK, mc_detach());
    EXPECT_EQ(thread, thread_id());
}

}  // namespace mctest
