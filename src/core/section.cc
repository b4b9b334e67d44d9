// Sections: release and acquire, and callbacks within them.
//
// The fast path of release is: one thread-local load, one comparison, two checks, the baton's plain store
// and a load; of acquire: a comparison and a CAS. Everything else is in functions of its own.
// SPDX-License-Identifier: BSL-1.0
#include "core/section.h"

#include <cerrno>

#include "core/hosted_pair.h"
#include "core/own_scheduler.h"
#include "core/registry.h"
#include "core/ship.h"
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

// The outermost release where something is special.
void open_slow(mc_task& task, mc_site* site) noexcept {
    task.site = site;
    add(task.rt.sections, 1);
    const std::uint32_t gate = task.gate_now();
    if (lends_now(task)) {
        task.set_gate(gate + 1);
        task.rt.baton.lend(task.worker->seat);
    } else if (ships_now(task, site)) {
        ship(task);
    } else {
        add(task.rt.sections_inline, 1);
        task.set_gate((gate + 1) | gate::kInline);
    }
}

[[gnu::noinline]] void release_slow(mc_task* task, mc_site* site) noexcept {
    KeepErrno keep;
    if (task->gate_now() & gate::kResident) task = hosted_task(*task);
    const std::uint32_t gate = task->gate_now();
    if ((gate & gate::kDepth) == 0)
        (gate & (gate::kAdopted | gate::kHook)) == gate::kAdopted ? open_hosted(*task, site)
                                                                  : open_slow(*task, site);
    else if ((gate & gate::kDepth) != gate::kDepth)
        task->set_gate(gate + 1);
    else
        report(&task->rt, MC_EPERM, site, task->name,
               "mc_release nested 65,535 deep: releases without their acquires");
}

bool claim_deadline(ReactorWait& self) {
    mc_task& task = *static_cast<mc_task*>(self.owner);
    task.wakeup.mark(wait::DEADLINE, 0, wait::CANCELLED);
    return begin_unblock(task);
}

// For an unblock that is due already, but must not be called by this thread.
bool claim_now(ReactorWait& self) { return begin_unblock(*static_cast<mc_task*>(self.owner)); }

void arm_timer(mc_task& task, std::uint64_t when, bool (*claim)(ReactorWait&)) noexcept {
    TaskWait& timer = task.section.timer;
    timer.claim = claim;
    timer.owner = &task;
    timer.deadline = when;
    timer.ready = 0;
    // Without memory for the timer a deadline still counts; only nobody unblocks the section.
    (void)start_wait(task, timer);
}

// Whose options they are: of the section that is open now, in this depth of callbacks and hooks.
std::uint32_t level_of(const mc_task& task) noexcept {
    const std::uint32_t in_hook = task.gate_now() & gate::kHook ? 1u << 16 : 0;
    return static_cast<std::uint32_t>(task.entered.size()) + 1 + in_hook;
}

void arm_options(mc_task& task, const SectionOptions& options) noexcept {
    static_cast<SectionOptions&>(task.section) = options;
    // Publishes the line above to begin_unblock. seq_cst, as there and for the marks: either whoever sets a
    // mark finds this armed, or the look at the marks that follows sees it.
    if (options.unblock) task.section.unblock_state.store(unblock::ARMED, std::memory_order_seq_cst);
}

void arm_deadline(mc_task& task) noexcept {
    if (task.section.deadline != kForever) arm_timer(task, task.section.deadline, claim_deadline);
}

// Afterwards nobody calls the unblock function. True: nobody had.
bool disarm_options(mc_task& task) noexcept {
    end_wait(task, task.section.timer);
    std::uint32_t state = unblock::ARMED;
    std::atomic<std::uint32_t>& word = task.section.unblock_state;
    const bool unused = word.compare_exchange_strong(state, unblock::NONE, std::memory_order_acq_rel);
    if (!unused) {
        while (state == unblock::RUNNING) {
            futex_wait(word, unblock::RUNNING, kForever);
            state = word.load(std::memory_order_acquire);  // what unblock did is visible
        }
        word.store(unblock::NONE, std::memory_order_relaxed);  // nobody else writes NONE
    }
    task.wakeup.clear(wait::DEADLINE);
    task.section.level = 0;
    task.section.deadline = kForever;
    return unused;
}

// By the outermost release of a callback, while the section that it is called back from has options: those
// rest until this one is closed. False: no memory.
bool stow_options(mc_task& task) noexcept {
    try {
        task.outer_options.push_back(task.section);
    } catch (...) {
        return false;
    }
    if (!disarm_options(task)) task.outer_options.back().unblock = nullptr;
    return true;
}

// The end of a section that mc_release_with opened.
void close_options(mc_task& task) noexcept {
    disarm_options(task);
    if (task.outer_options.empty()) return;
    const SectionOptions outer = task.outer_options.back();
    task.outer_options.pop_back();
    arm_options(task, outer);
    // What came meanwhile found the inner section only.
    if (outer.unblock && (task.wakeup.marks() & (wait::INTERRUPT | wait::CANCEL)))
        arm_timer(task, 1, claim_now);
    else
        arm_deadline(task);
}

// What became pending in the section is for the host to raise once the native function has returned.
[[gnu::noinline]] void tell_of_marks_slow(mc_task* task) noexcept {
    KeepErrno keep;
    leave_if_abandoned(*task);
    tell_of_marks(*task);
}

[[gnu::noinline]] void tell_after_hosted(mc_task* task) noexcept {
    if (task->rt.shutting.load(std::memory_order_relaxed)) tell_who_shuts_down(task->rt);  // as close_hosted
    if (task->wakeup.marks() & (wait::INTERRUPT | wait::CANCEL)) tell_of_marks_slow(task);
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
    } else if (gate & gate::kShipped) {
        ship_back(*task);
    } else {
        if (!task->rt.baton.reclaim(task->worker->seat)) take_back(*task);
        task->set_gate(task->gate_now() - 1);
    }
    if ((gate & (gate::kAdopted | gate::kHook)) == gate::kAdopted && close_hosted(*task))
        tell_who_shuts_down(task->rt);
    leave_if_abandoned(*task);
    const mc_status status = pending_status(*task);
    tell_of_marks(*task);
    if (task->section.level == level_of(*task)) close_options(*task);
    return status;
}

// With a host that schedules, most pairs are as simple as others, but that it is asked who runs.
[[gnu::noinline]] void release_special(mc_task* task, mc_site* site) noexcept {
    if (task->gate_now() == gate::kResident && release_hosted(*task, site)) [[likely]]
        return;
    release_slow(task, site);
}

bool can_release_as() noexcept {
    const mc_task* const resident = tls_state.task;
    return resident && resident->gate_now() == gate::kResident && is_plain(resident->rt, *tls_state.worker);
}

[[gnu::noinline]] void acquire_special(mc_task* task, mc_site* site) noexcept {
    if (task->gate_now() != (gate::kAdopted | 1) || task->section.level != 0 ||
        !task->rt.baton.reclaim(task->worker->seat))
        return static_cast<void>(acquire_slow(task, site));
    task->set_gate(gate::kAdopted);
    if (close_hosted(*task) || (task->wakeup.marks() & (wait::INTERRUPT | wait::CANCEL))) [[unlikely]]
        tell_after_hosted(task);
}

}  // namespace

bool lends_now(const mc_task& task) noexcept {
    const std::uint32_t gate = task.gate_now();
    if (gate & (gate::kAtomic | gate::kHook | gate::kDisabled | gate::kResident)) return false;
    // Relaxed: settings, no data depends on them.
    if (task.rt.lends.load(std::memory_order_relaxed)) return true;
    return (gate & gate::kEnabled) && task.rt.can_lend.load(std::memory_order_relaxed);
}

void forget_options(mc_task& task) noexcept {
    task.outer_options.clear();
    if (task.section.level != 0) disarm_options(task);
}

mc_status pending_status(const mc_task& task) noexcept {
    const std::uint32_t marks = task.wakeup.marks();
    if (marks & (wait::CANCEL | wait::DEADLINE | wait::LOST))
        return marks & wait::LOST ? MC_EFORK : MC_ECANCELED;
    if (task.section.deadline != kForever && now_ns() >= task.section.deadline) return MC_ECANCELED;
    return marks & wait::INTERRUPT ? MC_EINTR : MC_OK;
}

void take_back(mc_task& task) noexcept {
    if (task.adopted) return take_back_hosted(task);
    mc_runtime& rt = task.rt;
    Worker& worker = *task.worker;
    if (lost(rt)) end_lost_section(task);
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
            task.is_to_be_dropped() ? take_over(worker, nullptr) : hold(worker, task);
            return;
        }
        // Shut down while it waited: it passes the baton on and goes.
        rt.baton.give_up(worker.seat, nullptr);
    }
    end_straggler(task);
}

bool begin_unblock(mc_task& task) noexcept {
    std::uint32_t armed = unblock::ARMED;
    // First, as a forked child drops one where it finds RUNNING. Not of an adopted task, whose end a
    // reference would put off until after this thread's next step: its acquire waits for DONE.
    if (!task.adopted) mc_task_ref(&task);
    // seq_cst: see arm_options; it also sees the function that arming published.
    if (task.section.unblock_state.compare_exchange_strong(armed, unblock::RUNNING,
                                                           std::memory_order_seq_cst))
        return true;
    if (!task.adopted) mc_task_unref(&task);
    return false;
}

void finish_unblock(mc_task& task) noexcept {
    const bool referred = !task.adopted;
    call_hook("unblock", task.section.unblock, task.section.unblock_arg);
    task.section.unblock_state.store(unblock::DONE, std::memory_order_release);
    futex_wake_one(task.section.unblock_state);  // of an adopted task that is gone: nobody waits there
    if (referred) mc_task_unref(&task);
}

void section_release(mc_site* site) noexcept {
    mc_task* task = tls_state.task;
    if (!task) return;
    mc_runtime& rt = task->rt;
    if (task->gate_now() != 0) [[unlikely]]
        return release_special(task, site);
    // Relaxed: a setting, no data depends on it.
    if (rt.lends.load(std::memory_order_relaxed)) [[likely]] {
        task->site = site;
        add(rt.sections, 1);
        task->set_gate(1);
        rt.baton.lend(task->worker->seat);
    } else if (rt.can_ship.load(std::memory_order_relaxed)) {  // likewise
        release_slow(task, site);
    } else {
        task->site = site;
        add(rt.sections, 1);
        add(rt.sections_inline, 1);
        task->set_gate(1 | gate::kInline);
    }
}

void section_acquire(mc_site* site) noexcept {
    mc_task* task = tls_state.task;
    if (!task) return;
    const std::uint32_t gate = task->gate_now();
    if (task->section.level == 0 && (gate == (1 | gate::kInline) ||
                                     (gate == 1 && task->rt.baton.reclaim(task->worker->seat)))) [[likely]] {
        task->set_gate(0);
        if (task->wakeup.marks() & (wait::INTERRUPT | wait::CANCEL)) [[unlikely]]
            tell_of_marks_slow(task);
    } else {
        acquire_special(task, site);
    }
}

mc_status section_acquire_status(mc_site* site) noexcept {
    mc_task* task = tls_state.task;
    return task ? acquire_slow(task, site) : MC_OK;
}

mc_status section_release_with(mc_site* site, const mc_section_options* given) noexcept {
    mc_task* task = tls_state.task;
    if (!task) return MC_OK;
    if (task->gate_now() & gate::kResident) task = hosted_task(*task);
    mc_section_options options = MC_SECTION_OPTIONS_INIT;
    KeepErrno keep;
    const bool valid = !given || read_options(&options, sizeof options, given);
    const bool known = valid && !(options.flags & ~MC_SECTION_MIGRATABLE);
    bool no_room = false;
    if (known && given && !task->in_section()) {
        no_room = task->section.level != 0 && !stow_options(*task);
        const bool timed = options.deadline != 0 && options.deadline != kForever;
        if (!no_room) {
            arm_options(*task, {level_of(*task), options.unblock, options.unblock_arg,
                                timed ? deadline_after(options.deadline) : kForever});
            arm_deadline(*task);
        }
    }
    task->migratable = known && (options.flags & MC_SECTION_MIGRATABLE) && !task->in_section();
    const mc_status pending = pending_status(*task);  // only now: what comes later finds the unblock armed
    section_release(site);
    // Nobody looks after the reactor where the baton is kept, unless an idle thread is told to.
    if ((task->gate_now() & gate::kInline) && task->rt.baton.asked_for_poller()) task->rt.baton.rouse_any();
    if (!known) {
        report(&task->rt, MC_EINVAL, site, task->name,
               "mc_release_with: %s in mc_section_options; the section is open without options",
               valid ? "unknown flags" : "a wrong size or a nonzero unknown tail");
        return MC_EINVAL;
    }
    return no_room ? MC_ENOMEM : pending;
}

mc_status section_cancelled() noexcept {
    const mc_task* task = tls_state.task;
    return task ? pending_status(*task) : MC_OK;
}

// The end of a callback, or no callback after all: the section goes on.
static void go_back_to(mc_task& task, const Entered& outer) noexcept {
    task.site = outer.site;
    const std::uint32_t scopes = task.gate_now();
    task.set_gate(scopes | (outer.gate & (gate::kDepth | gate::kInline | gate::kShipped)));
    if (task.adopted) return reopen_hosted(task, outer.gate & gate::kInline);
    if (outer.gate & gate::kInline) return;
    if (scopes & gate::kAtomic)
        // Opened in the callback and open still.
        task.set_gate((task.gate_now() | gate::kInline) & ~gate::kShipped);
    else if (outer.gate & gate::kShipped)
        ship_again(task);
    else
        task.rt.baton.lend(task.worker->seat);
}

mc_status section_enter() noexcept {
    mc_task* task = tls_state.task;
    if (!task || !task->in_section()) return MC_EPERM;
    if (lost(task->rt)) return MC_EFORK;
    if (exits_here(task->rt)) return MC_ESHUTDOWN;
    KeepErrno keep;
    if (task->wakeup.marks() & wait::ABANDON) return MC_ECANCELED;  // no script for it any more
    const Entered outer{task->gate_now(), task->site};
    if (outer.gate & gate::kShipped)
        ship_back(*task);
    else if (!(outer.gate & gate::kInline) && !task->rt.baton.reclaim(task->worker->seat))
        take_back(*task);
    task->set_gate(task->gate_now() & ~(gate::kDepth | gate::kInline));
    try {
        // With the baton: a fork on another thread that meets this amid its work could not leave it to the
        // child.
        task->entered.push_back(outer);
    } catch (...) {
        go_back_to(*task, outer);
        return MC_ENOMEM;
    }
    if (task->adopted && close_hosted(*task)) tell_who_shuts_down(task->rt);
    task->state.store(MC_TASK_RUNNING, std::memory_order_relaxed);
    tell_of_marks(*task);
    return MC_OK;
}

mc_status section_leave() noexcept {
    mc_task* task = tls_state.task;
    if (!task) return MC_EPERM;
    if (lost(task->rt)) return MC_EFORK;
    if (task->gate_now() & gate::kResident) task = hosted_task(*task);
    if (task->entered.empty()) return MC_EPERM;
    KeepErrno keep;
    if (task->in_section()) {
        report(&task->rt, MC_EPERM, task->site, task->name,
               "mc_leave in a section that the callback opened and did not close: call mc_acquire first");
        return MC_EPERM;
    }
    const Entered outer = task->entered.back();
    task->entered.pop_back();
    go_back_to(*task, outer);
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

int mc_can_release_as(void) { return can_release_as(); }

void mc_release_as(mc_task* task, int others_ready, mc_site* site) {
    if (can_release_as() && is_plain(tls_state.task->rt, task)) [[likely]]
        lend_hosted(*tls_state.worker, *task, others_ready != 0, site);
    else
        section_release(site);
}
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
