// The orderly end of a runtime whose host schedules: the coroutines are told, their sections are waited for,
// and those that go on in a section are given up. The coroutines themselves are the host's to end.
// SPDX-License-Identifier: BSL-1.0
#include <chrono>
#include <utility>

#include "core/own_scheduler.h"
#include "core/section.h"

namespace mc {
namespace {

// Lets the host run on until no other coroutine is in a section. By the holder.
void wait_for_sections(mc_runtime& rt, std::uint64_t deadline) noexcept {
    static mc_site here{__FILE__, "mc_runtime_shutdown", 0, 0, {nullptr, nullptr}};
    section_release(&here);
    const mc_task* me = this_thread().task;
    {
        const auto ended = [&] {
            for (const mc_task* task = rt.tasks; task; task = task->next_task)
                if (task != me && task->adopted && task->in_section()) return false;
            return true;
        };
        std::unique_lock lock(rt.mutex);
        if (me->holds_baton())
            ;  // the section is inline: nothing ends while this waits
        else if (deadline == kForever)
            rt.place_free.wait(lock, ended);
        else
            rt.place_free.wait_until(
                lock, std::chrono::steady_clock::time_point(std::chrono::nanoseconds(deadline)), ended);
    }
    section_acquire(&here);
}

}  // namespace

unsigned shut_hosted(mc_runtime& rt, std::uint64_t deadline) noexcept {
    if (deadline > now_ns()) wait_for_sections(rt, deadline);
    // From here on the baton stays: what waits for it does so for good.
    rt.can_lend.store(false, std::memory_order_seq_cst);
    rt.lends.store(false, std::memory_order_seq_cst);
    rt.closed.store(true, std::memory_order_seq_cst);
    rt.baton.drain();
    while (rt.baton.length() > 0) rt.baton.pop_front();
    end_orphans(rt);
    unsigned stragglers = 0;
    for (;;) {
        mc_task* task = nullptr;
        {
            std::lock_guard lock(rt.mutex);
            for (task = rt.tasks; task && !task->adopted;) task = task->next_task;
        }
        if (!task) break;
        if (task->in_section() && !task->holds_baton()) {
            ++stragglers;
            if (task->worker->seat.carrier) rt.stragglers.fetch_add(1, std::memory_order_seq_cst);
            give_up_straggler(*task);
        } else {
            HookScope scope(this_thread().task);  // for the destroy hook
            // C code that is amid a callback, maybe the one that shuts down, has yet to close its section.
            std::vector<Entered> entered = std::move(task->entered);
            end_task(*task, MC_ECANCELED);
            task->entered = std::move(entered);
            if (!task->entered.empty()) task->set_gate(gate::kAdopted);
        }
    }
    rt.baton.rouse_all();
    return stragglers;
}

}  // namespace mc
