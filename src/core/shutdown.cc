// Shutdown: cancels what can be cancelled, waits, and parks the rest for good.
// SPDX-License-Identifier: BSL-1.0
#include <unistd.h>

#include "core/job.h"
#include "core/own_scheduler.h"
#include "core/registry.h"
#include "core/section.h"
#include "core/ship.h"
#include "core/suspend.h"
#include "core/worker.h"

namespace mc {
namespace {

// Makes every other task notice that it is over.
void cancel_all(mc_runtime& rt, mc_task* but) noexcept {
    for (mc_task* at = nullptr;;) {
        mc_task* next = nullptr;
        {
            std::lock_guard lock(rt.mutex);
            next = at && at->listed ? at->next_task : rt.tasks;
            while (next && (next == but || (next->wakeup.marks() & wait::CANCEL))) next = next->next_task;
            if (next) mc_task_ref(next);
        }
        if (at) mc_task_unref(at);
        if (!next) return;
        if (next->job) {
            next->wakeup.mark(wait::CANCEL, 0, wait::CANCELLED);  // seen to
            cancel_job(job_of(*next), MC_ESHUTDOWN);
        } else if (cancel_task(*next, false) == MC_EBUSY && cancel_task(*next, true) == MC_ENOTSUP)
            make_notice(*next,
                        set_mark(*next, wait::CANCEL, wait::CANCELLED));  // bound: it hears of it later
        at = next;
    }
}

// A section that ends once the runtime is closed drops its task, which is still on the list then.
mc_task* keep_tasks(mc_runtime& rt) noexcept {
    std::lock_guard lock(rt.mutex);
    mc_task* held = nullptr;
    for (mc_task* task = rt.tasks; task; task = task->next_task) {
        task->next_held = held;
        held = mc_task_ref(task);
    }
    return held;
}

void let_go(mc_task* held) noexcept {
    while (held) {
        mc_task* task = held;
        held = task->next_held;
        mc_task_unref(task);
    }
}

// How long a visitor waits for the baton beyond its timeout.
constexpr std::uint64_t kPatience = 100'000'000;

// Waits, suspended, until nobody else is left or the time is over. False, for one that gives up: after that
// it did not get the baton back, and is attached no more.
bool wait_for_tasks(mc_runtime& rt, mc_task& me, std::uint64_t deadline, bool gives_up) noexcept {
    while (!alone(rt) && now_ns() < deadline) {
        me.seat = &me.worker->seat;
        me.returning = false;
        me.worker->seat.state.store(seat::SPIN, std::memory_order_relaxed);  // published by arm
        const std::uint32_t pending =
            me.wakeup.clear(wait::CANCEL | wait::INTERRUPT);  // this wait is not the script's
        if (me.wakeup.arm(wait::JOIN)) {                      // interrupted just now: once more
            me.worker->seat.state.store(seat::BUSY, std::memory_order_relaxed);  // nobody posts it
            me.wakeup.mark(pending, 0, wait::CANCELLED);
            continue;
        }
        bool back = true;
        if (!gives_up) start_timer(me, deadline);
        rt.shutdown_waiter.store(&me, std::memory_order_seq_cst);
        // The last one may have ended before it could see the waiter.
        if (alone(rt) && me.wakeup.claim(1u << wait::JOIN, wait::JOINED))
            me.worker->seat.state.store(seat::BUSY, std::memory_order_relaxed);
        else if (gives_up)
            back = suspend_or_give_up(me, deadline, later(deadline, kPatience));
        else
            suspend(me, deadline);
        rt.shutdown_waiter.store(nullptr, std::memory_order_seq_cst);
        if (!back) return false;
        end_wait(me, me.reactor_wait);
        me.wakeup.mark(pending, 0, wait::CANCELLED);
    }
    return true;
}

// With the baton, after `closed`: whatever still waits in the line ends. A ready task is dropped, a thread
// that waits gets the baton, sees that it is over, and passes it on.
void empty_line(mc_runtime& rt, mc_task& me) noexcept {
    while (rt.baton.anybody_waits()) {
        rt.baton.drain();
        if (NodeT* node = rt.baton.front_task()) {
            rt.baton.pop_front();
            drop_task(static_cast<mc_task&>(*node));
        } else if (rt.baton.asked_for_poller()) {
            rt.baton.poller_found();  // what waits for other runtimes is seen to when this thread leaves
        } else {
            yield_to_others(me);
        }
    }
}

void count_straggler(mc_runtime& rt, const mc_task& task) noexcept {
    const SeatT& seat = task.worker->seat;  // a stand-in's is neither: its thread is attached
    if (seat.carrier && seat.drives)
        rt.runner_straggles.store(true, std::memory_order_seq_cst);
    else if (seat.carrier)
        rt.stragglers.fetch_add(1, std::memory_order_seq_cst);
}

// With the baton: tasks still in a section and jobs still at work are given up. Their number.
unsigned give_up_stragglers(mc_runtime& rt, const mc_task* but) noexcept {
    unsigned count = 0;
    while (mc_job* job = take_stackless(rt)) drop_task(*job);
    for (;;) {
        mc_task* straggler = nullptr;
        {
            std::lock_guard lock(rt.mutex);
            for (mc_task* task = rt.tasks; task && !straggler; task = task->next_task)
                if (task != but) straggler = task;
        }
        if (!straggler) return count;
        if (take_shipped_back(*straggler)) {
            drop_task(*straggler);
            continue;
        }
        if ((straggler->job && give_up_job(job_of(*straggler))) || give_up_shipped(*straggler)) {
            ++count;
            count_straggler(rt, *straggler);
            continue;
        }
        if (!straggler->bound && !straggler->in_section()) {
            // Whoever ended its wait is about to post it.
            rt.baton.take_out(*straggler);
            drop_task(*straggler);
            continue;
        }
        ++count;
        if (!straggler->bound) count_straggler(rt, *straggler);
        give_up_straggler(*straggler);
    }
}

}  // namespace

void end_straggler(mc_task& task) noexcept {
    forget_options(task);
    if (!task.bound) leave_straggler(task);
    for (;;) pause();  // the thread's own stack: there is nowhere to go
}

}  // namespace mc

using namespace mc;

static mc_status not_reached(mc_runtime& rt) noexcept {
    report(
        &rt, MC_ETIMEDOUT, nullptr, nullptr,
        "mc_runtime_shutdown: a task computes and does not reach mc_checkpoint; it goes on, and nothing was "
        "given up: try again");
    return MC_ETIMEDOUT;
}

static mc_status end_all(mc_runtime& rt, mc_task* me, bool visitor, uint64_t timeout,
                         unsigned& stragglers) noexcept {
    const std::uint64_t deadline = deadline_after(timeout);
    const ThreadState outer = this_thread();
    if (rt.own_scheduler()) {
        cancel_all(rt, hosted_task(*me));
        stragglers = shut_hosted(rt, deadline);
        return MC_OK;
    }
    cancel_all(rt, visitor ? nullptr : me);
    if (visitor) {
        // Drives the runtime for as long as this takes. A holder that never lets go ends the attempt.
        mc_task_options options = MC_TASK_OPTIONS_INIT;
        options.name = "shutdown";
        const std::uint64_t patience = timeout < kPatience ? kPatience : timeout;
        const mc_status status = attach_thread(rt, options, patience, Attach::shutdown, nullptr);
        if (status == MC_ETIMEDOUT) return not_reached(rt);
        if (status != MC_OK) return status;
        me = this_thread().task;
    }
    cancel_all(rt, me);
    mc_task_ref(me);
    // A visitor at the home of the interpreter runs the tasks itself: nobody can keep the baton from it.
    const bool at_home = rt.host.way != MC_WAY_LEND && comes_home(rt);
    const bool holding = wait_for_tasks(rt, *me, deadline, visitor && !at_home);
    if (!holding) {
        unlist_task(*me);
        restore_thread(outer);
        rt.drivers.fetch_sub(1, std::memory_order_seq_cst);  // the last one: noticed at the next switch
        rt.baton.leave_poller();
    }
    mc_task_unref(me);
    if (!holding) return not_reached(rt);

    mc_task* const held = keep_tasks(rt);
    rt.closer.store(me, std::memory_order_seq_cst);
    rt.closed.store(true, std::memory_order_seq_cst);
    empty_line(rt, *me);
    stragglers = give_up_stragglers(rt, me);
    let_go(held);
    rt.baton.rouse_all();
    if (visitor) mc_detach();
    return MC_OK;
}

extern "C" mc_status mc_runtime_shutdown(mc_runtime* runtime, uint64_t timeout) {
    if (!runtime) return MC_EINVAL;
    mc_runtime& rt = *runtime;
    if (lost(rt)) return MC_EFORK;
    mc_task* me = this_thread().task;
    const mc_task* mine = attached_to(rt);
    if (mine && !mine->bound) return MC_EDEADLK;
    // Attached to another runtime in a section of this one, in a hook, or in an exit handler.
    if ((mine && mine != me) || (mine && (mine->gate_now() & (gate::kHook | gate::kNoSuspend))))
        return MC_EPERM;
    if (!mine && baton_held() == &rt) return MC_EPERM;  // in a hook that runs for no task
    if (mine && !mine->holds_baton()) {
        mc_status status = section_enter();
        if (status != MC_OK) return status;
        status = mc_runtime_shutdown(runtime, timeout);
        section_leave();
        return status;
    }
    if (!mine && rt.own_scheduler()) return MC_EPERM;
    if (exits_here(rt)) return MC_ESHUTDOWN;
    {
        std::lock_guard lock(rt.mutex);
        if (rt.closed.load(std::memory_order_relaxed)) return MC_ESHUTDOWN;
        if (rt.shutdown_runs) return MC_EBUSY;
        rt.shutdown_runs = true;
        rt.shutting.store(true, std::memory_order_seq_cst);
    }
    unsigned stragglers = 0;
    const mc_status status = end_all(rt, me, !mine, timeout, stragglers);
    {
        std::lock_guard lock(rt.mutex);
        rt.shutdown_runs = false;
    }
    if (status != MC_OK) return status;
    if (stragglers == 0) return MC_OK;
    report(&rt, MC_ETIMEDOUT, nullptr, nullptr,
           "mc_runtime_shutdown: %u task%s still in a section; %s parked when it ends", stragglers,
           stragglers == 1 ? " is" : "s are", stragglers == 1 ? "it is" : "each is");
    return MC_ETIMEDOUT;
}
