// Sections: release and acquire, and callbacks within them.
//
// The fast path of release is: one thread-local load, one comparison, two checks, the baton's plain store
// and a load; of acquire: a comparison and a CAS. Everything else is in functions of its own.
// SPDX-License-Identifier: BSL-1.0
#include "core/section.h"

#include <cerrno>

#include "core/suspend.h"
#include "core/worker.h"
#include "platform/platform.h"

namespace mc {
namespace {

class KeepErrno {
public:
    KeepErrno() noexcept : saved_(errno) {}
    ~KeepErrno() { restore(saved_); }
    KeepErrno(const KeepErrno&) = delete;
    KeepErrno& operator=(const KeepErrno&) = delete;

private:
    [[gnu::noinline]] static void restore(int value) noexcept { errno = value; }  // maybe another thread's
    int saved_;
};

bool lends_now(const mc_task& task) noexcept {
    const std::uint32_t gate = task.gate_now();
    if (gate & (gate::kAtomic | gate::kHook | gate::kDisabled)) return false;
    // Relaxed: settings, no data depends on them.
    if (task.rt.lends.load(std::memory_order_relaxed)) return true;
    return (gate & gate::kEnabled) && task.rt.can_lend.load(std::memory_order_relaxed);
}

// The outermost release where something is special.
void open_slow(mc_task& task, mc_site* site) noexcept {
    task.site = site;
    add(task.rt.sections, 1);
    const std::uint32_t gate = task.gate_now();
    if (lends_now(task)) {
        task.set_gate(gate + 1);
        task.rt.baton.lend(task.worker->seat);
    } else {
        add(task.rt.sections_inline, 1);
        task.set_gate((gate + 1) | gate::kInline);
    }
}

[[gnu::noinline]] void release_slow(mc_task* task, mc_site* site) noexcept {
    KeepErrno keep;
    const std::uint32_t gate = task->gate_now();
    if ((gate & gate::kDepth) == 0)
        open_slow(*task, site);
    else if ((gate & gate::kDepth) != gate::kDepth)
        task->set_gate(gate + 1);
    else
        report(&task->rt, MC_EPERM, site, task->name,
               "mc_release nested 65,535 deep: releases without their acquires");
}

// Disarms what mc_release_with armed.
void close_options(mc_task& task) noexcept {
    if (task.deadline != kForever) {
        reactor_cancel(task.section_timer);
        task.deadline = kForever;
    }
    std::uint32_t state = unblock::ARMED;
    if (!task.unblock_state.compare_exchange_strong(state, unblock::NONE, std::memory_order_acq_rel)) {
        while (state == unblock::RUNNING) {
            futex_wait(task.unblock_state, unblock::RUNNING, kForever);
            state = task.unblock_state.load(std::memory_order_acquire);  // what unblock did is visible
        }
        task.unblock_state.store(unblock::NONE, std::memory_order_relaxed);  // nobody else writes NONE
    }
    task.wakeup.clear(wait::DEADLINE);
    task.options_level = 0;
}

// What became pending in the section is for the host to raise once the native function has returned.
[[gnu::noinline]] void tell_of_mark(mc_task* task) noexcept {
    KeepErrno keep;
    call_attention(task->rt);
}

[[gnu::noinline]] mc_status acquire_slow(mc_task* task, mc_site* site) noexcept {
    KeepErrno keep;
    const std::uint32_t gate = task->gate_now();
    const std::uint32_t depth = gate & gate::kDepth;
    if (depth == 0) {
        report(&task->rt, MC_EPERM, site, task->name, "mc_acquire without an mc_release: ignored");
        return MC_EPERM;
    }
    if (depth > 1) {
        task->set_gate(gate - 1);
        return pending_status(*task);
    }
    if (gate & gate::kInline) {
        task->set_gate((gate - 1) & ~gate::kInline);
    } else {
        if (!task->rt.baton.reclaim(task->worker->seat)) take_back(*task);
        task->set_gate(task->gate_now() - 1);
    }
    const mc_status status = pending_status(*task);
    if (task->wakeup.marks() & (wait::INTERRUPT | wait::CANCEL)) call_attention(task->rt);
    if (task->options_level == task->entered.size() + 1) close_options(*task);
    return status;
}

bool claim_deadline(ReactorWait& self) {
    mc_task& task = *static_cast<mc_task*>(self.owner);
    task.wakeup.mark(wait::DEADLINE, 0, wait::CANCELLED);
    return begin_unblock(task);
}

}  // namespace

mc_status pending_status(const mc_task& task) noexcept {
    const std::uint32_t marks = task.wakeup.marks();
    if (marks & (wait::CANCEL | wait::DEADLINE)) return MC_ECANCELED;
    if (task.deadline != kForever && now_ns() >= task.deadline) return MC_ECANCELED;
    return marks & wait::INTERRUPT ? MC_EINTR : MC_OK;
}

void take_back(mc_task& task) noexcept {
    mc_runtime& rt = task.rt;
    Worker& worker = *task.worker;
    if (!rt.closed.load(std::memory_order_seq_cst)) {
        task.state.store(MC_TASK_DUE, std::memory_order_relaxed);
        const std::uint64_t start = now_ns();
        task.seat = &worker.seat;
        task.returning = true;
        rt.baton.acquire(worker.seat, task, kForever);
        task.returning = false;
        if (!task.bound) task.seat = nullptr;
        const std::uint64_t waited = now_ns() - start;
        if (waited > rt.longest_wait.load(std::memory_order_relaxed))
            rt.longest_wait.store(waited, std::memory_order_relaxed);  // single writer: the holder
        if (!rt.closed.load(std::memory_order_seq_cst)) {
            hold(worker, task);
            return;
        }
        // Shut down while it waited: it passes the baton on and goes.
        rt.baton.give_up(worker.seat, nullptr);
    }
    end_straggler(task);
}

bool begin_unblock(mc_task& task) noexcept {
    std::uint32_t armed = unblock::ARMED;
    // acq_rel: sees the function that arming published.
    if (!task.unblock_state.compare_exchange_strong(armed, unblock::RUNNING, std::memory_order_acq_rel))
        return false;
    mc_task_ref(&task);
    return true;
}

void finish_unblock(mc_task& task) noexcept {
    task.unblock_fn(task.unblock_arg);
    task.unblock_state.store(unblock::DONE, std::memory_order_release);
    futex_wake_one(task.unblock_state);
    mc_task_unref(&task);
}

void section_release(mc_site* site) noexcept {
    mc_task* task = tls_state.task;
    if (!task) return;
    mc_runtime& rt = task->rt;
    if (task->gate_now() != 0) [[unlikely]]
        return release_slow(task, site);
    task->site = site;
    add(rt.sections, 1);
    // Relaxed: a setting, no data depends on it.
    if (rt.lends.load(std::memory_order_relaxed)) [[likely]] {
        task->set_gate(1);
        rt.baton.lend(task->worker->seat);
    } else {
        add(rt.sections_inline, 1);
        task->set_gate(1 | gate::kInline);
    }
}

void section_acquire(mc_site* site) noexcept {
    mc_task* task = tls_state.task;
    if (!task) return;
    const std::uint32_t gate = task->gate_now();
    if (task->options_level == 0 && (gate == (1 | gate::kInline) ||
                                     (gate == 1 && task->rt.baton.reclaim(task->worker->seat)))) [[likely]] {
        task->set_gate(0);
        if (task->wakeup.marks() & (wait::INTERRUPT | wait::CANCEL)) [[unlikely]]
            tell_of_mark(task);
    } else {
        acquire_slow(task, site);
    }
}

mc_status section_acquire_status(mc_site* site) noexcept {
    mc_task* task = tls_state.task;
    return task ? acquire_slow(task, site) : MC_OK;
}

mc_status section_release_with(mc_site* site, const mc_section_options* given) noexcept {
    mc_task* task = tls_state.task;
    if (!task) return MC_OK;
    mc_section_options options = MC_SECTION_OPTIONS_INIT;
    const bool valid = !given || read_options(&options, sizeof options, given);
    const bool known = valid && !(options.flags & ~MC_SECTION_MIGRATABLE);
    const bool outermost = !task->in_section();
    if (known && outermost && given && task->options_level == 0) {
        KeepErrno keep;
        task->options_level = static_cast<std::uint32_t>(task->entered.size()) + 1;
        task->unblock_fn = options.unblock;
        task->unblock_arg = options.unblock_arg;
        // Release: publishes the two lines above to begin_unblock.
        if (options.unblock) task->unblock_state.store(unblock::ARMED, std::memory_order_release);
        if (options.deadline != 0 && options.deadline != kForever) {
            task->deadline = deadline_after(options.deadline);
            task->section_timer.claim = claim_deadline;
            task->section_timer.owner = task;
            task->section_timer.deadline = task->deadline;
            task->section_timer.ready = 0;
            // Without memory for the timer the deadline still counts; only nobody unblocks the section.
            if (reactor_add(task->section_timer) == MC_OK && !reactor_has_poller())
                task->rt.baton.ask_for_poller();
        }
    }
    const mc_status pending = pending_status(*task);
    section_release(site);
    if (!known) {
        report(&task->rt, MC_EINVAL, site, task->name,
               "mc_release_with: %s in mc_section_options; the section is open without options",
               valid ? "unknown flags" : "a wrong size or a nonzero unknown tail");
        return MC_EINVAL;
    }
    return pending;
}

mc_status section_cancelled() noexcept {
    const mc_task* task = tls_state.task;
    return task ? pending_status(*task) : MC_OK;
}

mc_status section_enter() noexcept {
    mc_task* task = tls_state.task;
    if (!task || !task->in_section()) return MC_EPERM;
    KeepErrno keep;
    const std::uint32_t gate = task->gate_now();
    try {
        task->entered.push_back({gate, task->site});
    } catch (...) {
        return MC_ENOMEM;
    }
    if (!(gate & gate::kInline) && !task->rt.baton.reclaim(task->worker->seat)) take_back(*task);
    task->set_gate(task->gate_now() & ~(gate::kDepth | gate::kInline));
    task->state.store(MC_TASK_RUNNING, std::memory_order_relaxed);
    return MC_OK;
}

mc_status section_leave() noexcept {
    mc_task* task = tls_state.task;
    if (!task || task->entered.empty()) return MC_EPERM;
    KeepErrno keep;
    if (task->in_section()) {
        report(&task->rt, MC_EPERM, task->site, task->name,
               "mc_leave in a section that the callback opened and did not close: call mc_acquire first");
        return MC_EPERM;
    }
    const Entered outer = task->entered.back();
    task->entered.pop_back();
    task->site = outer.site;
    const std::uint32_t scopes = task->gate_now();
    task->set_gate(scopes | (outer.gate & (gate::kDepth | gate::kInline)));
    if (!(outer.gate & gate::kInline)) task->rt.baton.lend(task->worker->seat);
    return MC_OK;
}

}  // namespace mc

using namespace mc;

static mc_site unknown_place{nullptr, nullptr, 0, 0, {nullptr, nullptr}};

#undef mc_release
#undef mc_acquire
#undef mc_enter
#undef mc_leave
#undef mc_release_with
#undef mc_acquire_status
#undef mc_cancelled
#undef mc_support

extern "C" {

void mc_release(void) { section_release(&unknown_place); }
void mc_acquire(void) { section_acquire(&unknown_place); }
mc_status mc_enter(void) { return section_enter(); }
mc_status mc_leave(void) { return section_leave(); }
mc_status mc_release_with(const mc_section_options* options) {
    return section_release_with(&unknown_place, options);
}
mc_status mc_acquire_status(void) { return section_acquire_status(&unknown_place); }
mc_status mc_cancelled(void) { return section_cancelled(); }
void mc_support(uint32_t) {}

}  // extern "C"
