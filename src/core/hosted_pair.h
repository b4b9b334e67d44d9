// A pair of a host that schedules, where nothing is special: what a plain one costs, and two questions to the
// host.
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cerrno>

#include "core/own_scheduler.h"

namespace mc {

inline bool host_is_ready(mc_runtime& rt) noexcept {
    return call_hook("ready", rt.host.ready, rt.host.self) != 0;
}

// The outermost release of the coroutine that runs, with the baton: nothing is special about the thread.
inline bool is_plain(const mc_runtime& rt, const Worker& worker) noexcept {
    // Relaxed: settings; and the pusher's own thread, or one whose turn comes later.
    return rt.lends.load(std::memory_order_relaxed) && !worker.hosted.due_below &&
           !rt.orphans.load(std::memory_order_relaxed);
}
// Nor about the coroutine.
inline bool is_plain(const mc_runtime& rt, const mc_task* task) noexcept {
    return task && &task->rt == &rt && task->gate_now() == gate::kAdopted;
}

[[gnu::always_inline]] inline void lend_hosted(Worker& worker, mc_task& task, bool others,
                                               mc_site* site) noexcept {
    mc_runtime& rt = task.rt;
    task.site = site;
    task.worker = &worker;
    task.set_gate(gate::kAdopted | 1);
    tls_state.task = &task;
    add(rt.sections, 1);
    rt.lender = &task;
    others ? rt.baton.lend_with_work(worker.seat) : rt.baton.lend(worker.seat);
}

// False: something is special, and nothing has been done.
[[gnu::always_inline]] inline bool release_hosted(mc_task& resident, mc_site* site) noexcept {
    mc_runtime& rt = resident.rt;
    Worker& worker = *tls_state.worker;  // nothing here switches
    if (!is_plain(rt, worker)) return false;
    const int saved = errno;
    resident.set_gate(gate::kResident | gate::kHook);  // as a HookScope, around both
    mc_task* task = call_hook("current", rt.host.current, rt.host.self);
    const bool simple = is_plain(rt, task);
    const bool others = simple && host_is_ready(rt);
    resident.set_gate(gate::kResident);
    if (!simple) {
        errno = saved;
        return false;
    }
    lend_hosted(worker, *task, others, site);
    if (errno != saved) errno = saved;
    return true;
}

// By a section's thread, with the baton again: it runs the host's code. True: tell_who_shuts_down.
inline bool close_hosted(mc_task& task) noexcept {
    tls_state.task = task.worker->hosted.resident;  // nothing here switches
    // Relaxed: set with the baton.
    return task.rt.shutting.load(std::memory_order_relaxed);
}

}  // namespace mc
