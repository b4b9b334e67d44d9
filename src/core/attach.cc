// Threads that become bound tasks, and stop being one.
// SPDX-License-Identifier: BSL-1.0
#include <pthread.h>

#include <new>

#include "core/dispatch.h"
#include "core/own_scheduler.h"
#include "core/registry.h"
#include "core/section.h"
#include "core/suspend.h"
#include "core/worker.h"
#include "platform/platform.h"

namespace mc {
namespace {

// A thread that ends while attached, perhaps to several runtimes.
void thread_ends(void*) {
    for (;;) {
        mc_task* task = this_thread().task;
        if (!task || !task->bound) return;
        if (lost(task->rt)) {
            restore_thread(task->worker->outer);
            continue;
        }
        const bool section = task->in_section();
        report(&task->rt, MC_EPERM, section ? task->site : nullptr, task->name,
               "a thread ended while attached: call mc_detach before it returns");
        if (section && !task->holds_baton() && !task->rt.baton.reclaim(task->worker->seat)) take_back(*task);
        task->set_gate(task->gate_now() & (gate::kAdopted | gate::kResident));
        if (task->rt.own_scheduler()) {
            forget_options(*task);  // of the coroutine that was in the section
            this_thread().task = task->worker->hosted.resident;
            end_hosted_attachment(task->rt);
            continue;
        }
        end_attachment(*task);
    }
}

// Made when the library is loaded: a fork during a lazy initialisation would leave it unfinished in the
// child.
const pthread_key_t exit_key = [] {
    pthread_key_t made{};
    pthread_key_create(&made, thread_ends);
    return made;
}();

}  // namespace

void end_attachment(mc_task& task) noexcept {
    Worker& worker = *task.worker;
    end_task(task, MC_OK);
    stop_clock(task);
    restore_thread(worker.outer);
    leave_runtime(worker);
    mc_task_unref(&task);
}

void leave_runtime(Worker& worker) noexcept {
    mc_runtime& rt = *worker.rt;
    // A closed one is not paused: sections that end now find their way out.
    if (rt.drivers.fetch_sub(1, std::memory_order_seq_cst) == 1 && !rt.closed.load(std::memory_order_seq_cst))
        pause_runtime(worker);
    else
        rt.baton.give_up(worker.seat, nullptr);
    rt.baton.leave_poller();
    retire_worker(worker);
}

void restore_thread(const ThreadState& outer) noexcept {
    this_thread().task = outer.task;
    this_thread().worker = outer.worker;
    if (!outer.task || !outer.task->bound) pthread_setspecific(exit_key, nullptr);
}

const mc_task* attached_to(const mc_runtime& rt) noexcept {
    for (ThreadState state = this_thread(); state.task; state = state.worker->outer)
        if (&state.task->rt == &rt) return state.task;
    return nullptr;
}

const mc_runtime* baton_held() noexcept {
    const ThreadState& me = this_thread();
    if (me.task) return me.task->holds_baton() ? &me.task->rt : nullptr;
    // In a hook that runs for no task.
    if (!me.worker) return nullptr;
    const word::Word w = me.worker->rt->baton.peek();
    return word::state(w) == word::HELD && word::seat(w) == me.worker->seat.id ? me.worker->rt : nullptr;
}

bool comes_home(mc_runtime& rt) noexcept {
    if (rt.host.way == MC_WAY_LEND) return true;
    std::uint64_t nobody = 0;
    // seq_cst for simplicity: a rare call.
    return rt.home.compare_exchange_strong(nobody, thread_number(), std::memory_order_seq_cst) ||
           nobody == thread_number();
}

mc_status attach_thread(mc_runtime& rt, const mc_task_options& options, std::uint64_t timeout, Attach as,
                        mc_task** out) noexcept {
    if (fault_hits(Fault::memory)) return MC_ENOMEM;
    mc_task* task = new (std::nothrow) mc_task(rt, options, mc_task::Kind::bound);
    if (!task) return MC_ENOMEM;
    Worker* worker = new_worker(rt, Part::guest);
    if (!worker) {
        mc_task_unref(task);
        return MC_ENOMEM;
    }
    worker->outer = this_thread();
    task->worker = worker;
    task->seat = &worker->seat;
    start_driving(rt);  // before it looks at the word; see Baton::pause
    if (!rt.baton.acquire(worker->seat, *task, timeout == 0 ? 0 : deadline_after(timeout))) {
        rt.drivers.fetch_sub(1, std::memory_order_seq_cst);
        // Queued, the node belongs to the line, which drops it; else it is ours.
        if (timeout == 0) {
            retire_worker(*worker);
            mc_task_unref(task);
        }
        return MC_ETIMEDOUT;
    }
    if (!enlist_task(*task, as == Attach::shutdown)) {
        leave_runtime(*worker);
        mc_task_unref(task);
        return MC_ESHUTDOWN;
    }
    task->attached = 1;
    task->started = true;
    this_thread().task = task;
    this_thread().worker = worker;
    pthread_setspecific(exit_key, &rt);
    start_clock(*task);
    hold(*worker, *task);
    if (out) *out = mc_task_ref(task);
    return MC_OK;
}

}  // namespace mc

using namespace mc;

extern "C" {

mc_status mc_attach(mc_runtime* runtime, const mc_task_options* given, uint64_t timeout, mc_task** out) {
    if (!runtime) return MC_EINVAL;
    if (lost(*runtime)) return MC_EFORK;
    mc_task_options options = MC_TASK_OPTIONS_INIT;
    if (given && !read_options(&options, sizeof options, given)) return MC_EINVAL;
    if (options.flags != 0) return MC_EINVAL;
    mc_task* task = this_thread().task;
    if (const mc_task* mine = attached_to(*runtime)) {
        // In a section mc_enter is the way back in.
        if (mine != task || task->in_section()) return MC_EPERM;
        if (task->gate_now() & gate::kResident) task = hosted_task(*task);
        if (task == runtime->resident) return MC_EPERM;  // no coroutine: nobody to count for
        ++task->attached;
        if (out) *out = mc_task_ref(task);
        return MC_OK;
    }
    if (baton_held()) return MC_EPERM;
    if (exits_here(*runtime)) return MC_ESHUTDOWN;
    if (!comes_home(*runtime)) return MC_ENOTSUP;
    if (runtime->shutting.load(std::memory_order_relaxed)) return MC_ESHUTDOWN;
    if (runtime->own_scheduler()) return attach_hosted(*runtime, options, timeout, out);
    return attach_thread(*runtime, options, timeout, Attach::guest, out);
}

mc_status mc_detach(void) {
    mc_task* task = this_thread().task;
    if (task && (task->gate_now() & gate::kResident)) return detach_hosted(*task);
    task = holder_task();
    if (!task) return no_holder();
    if (task->attached == 0) return MC_EPERM;
    if (task->attached > 1 || !task->bound) {
        --task->attached;
        return MC_OK;
    }
    if (task->gate_now() & (gate::kHook | gate::kNoSuspend)) return MC_EPERM;
    end_attachment(*task);
    return MC_OK;
}

}  // extern "C"
