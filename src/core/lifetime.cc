// Tasks: from spawn to end, and their handles.
// SPDX-License-Identifier: BSL-1.0
#include <algorithm>
#include <charconv>
#include <cstring>
#include <new>

#include "core/job.h"
#include "core/own_scheduler.h"
#include "core/suspend.h"
#include "core/worker.h"
#include "platform/platform.h"

using namespace mc;

// With snprintf this would be the dearest part of a spawn.
template <std::size_t size>
static void name_by_number(char (&name)[size], std::uint64_t number) noexcept {
    static_assert(size > sizeof "task " + 20);  // digits of the largest number
    *std::to_chars(std::copy_n("task ", 5, name), name + size - 1, number).ptr = '\0';
}

mc_task::mc_task(mc_runtime& runtime, const mc_task_options& options, Kind kind) noexcept
    : rt(runtime),
      bound(kind == Kind::bound),
      job(kind == Kind::job),
      data(options.data),
      destroy(options.destroy) {
    if (options.name)
        *std::copy_n(options.name, strnlen(options.name, sizeof name - 1), name) = '\0';
    else
        name_by_number(name, 1 + rt.named.fetch_add(1, std::memory_order_relaxed));  // only unique
    runtime_ref(rt);
}

namespace mc {

bool enlist_locked(mc_task& task, bool also_when_shutting) noexcept {
    mc_runtime& rt = task.rt;
    if (rt.shutting.load(std::memory_order_relaxed) && !also_when_shutting) return false;  // under the mutex
    task.next_task = rt.tasks;
    if (rt.tasks) rt.tasks->prev_task = &task;
    rt.tasks = &task;
    task.listed = true;
    (task.bound ? rt.attached : rt.unbound).fetch_add(1, std::memory_order_seq_cst);
    (task.job ? rt.jobs : rt.spawned).fetch_add(1, std::memory_order_relaxed);  // counters
    return true;
}

bool enlist_task(mc_task& task, bool also_when_shutting) noexcept {
    std::lock_guard lock(task.rt.mutex);
    return enlist_locked(task, also_when_shutting);
}

bool unlist_locked(mc_task& task) noexcept {
    mc_runtime& rt = task.rt;
    (task.prev_task ? task.prev_task->next_task : rt.tasks) = task.next_task;
    if (task.next_task) task.next_task->prev_task = task.prev_task;
    task.listed = false;
    if (rt.job_waiters) rt.job_over.notify_all();
    if (task.job) rt.jobs.fetch_sub(1, std::memory_order_relaxed);  // statistics
    return (task.bound ? rt.attached : rt.unbound).fetch_sub(1, std::memory_order_seq_cst) == 1 &&
           !task.bound;
}

void after_unlisting(mc_runtime& rt, bool last_unbound) noexcept {
    if (last_unbound)
        if (SeatT* runner = rt.runner.load(std::memory_order_seq_cst)) runner->wake();
    // seq_cst: of two that end last, an unbound and a bound one, the later sees both counted.
    if (mc_task* waiter = rt.shutdown_waiter.load(std::memory_order_seq_cst))
        if (alone(rt) && waiter->wakeup.claim(1u << wait::JOIN, wait::JOINED)) make_ready(*waiter);
}

void unlist_task(mc_task& task) noexcept {
    bool last = false;
    {
        std::lock_guard lock(task.rt.mutex);
        last = unlist_locked(task);
    }
    after_unlisting(task.rt, last);
}

mc_task* settle(mc_task& task, mc_status result) noexcept {
    if (task.result.load(std::memory_order_relaxed) != MC_EAGAIN) return nullptr;  // under the mutex
    task.result.store(result, std::memory_order_release);  // pairs with mc_task_result
    mc_task* claimed = nullptr;
    while (mc_task* joiner = task.joiners) {
        task.joiners = joiner->next_joiner;
        joiner->joining = nullptr;
        if (!joiner->wakeup.claim(1u << wait::JOIN, wait::JOINED)) continue;
        joiner->next_joiner = claimed;
        claimed = joiner;
    }
    return claimed;
}

void wake_joiners(mc_task* claimed) noexcept {
    while (claimed) {
        mc_task* joiner = claimed;
        claimed = joiner->next_joiner;  // once posted it may join again
        make_ready(*joiner);
    }
}

// What everybody may see of an end. Without a destroy hook that is all.
static void publish_end(mc_task& task, mc_status result, bool is_all) noexcept {
    task.state.store(MC_TASK_ENDED, std::memory_order_relaxed);
    if (task.rt.loaded == &task) task.rt.loaded = nullptr;
    mc_task* joiners = nullptr;
    bool last = false;
    {
        std::lock_guard lock(task.rt.mutex);
        joiners = settle(task, result);
        if (is_all) last = unlist_locked(task);
    }
    wake_joiners(joiners);
    if (is_all) after_unlisting(task.rt, last);
}

void leave_if_abandoned(mc_task& task) noexcept {
    if (!task.is_to_be_dropped() || (task.gate_now() & gate::kHook)) return;
    stop_waiting(task);
    end_task(task, MC_ECANCELED);
    leave_stack(task);
}

void give_up_straggler(mc_task& task) noexcept {
    // Its C code may still use what `data` holds, and the interpreter will be gone when that ends: no
    // destroy hook.
    publish_end(task, MC_ECANCELED, true);
}

void end_task(mc_task& task, mc_status result) noexcept {
    mc_runtime& rt = task.rt;
    if (task.in_section()) {
        if (task.started && !task.is_to_be_dropped())
            report(&rt, MC_EPERM, task.site, task.name,
                   "the task ended in a section: an mc_release without its mc_acquire");
        if (!task.holds_baton() && !rt.baton.reclaim(task.worker->seat)) take_back(task);
    }
    if (!task.entered.empty() && task.started && result == MC_OK)
        report(&rt, MC_EPERM, task.entered.back().site, task.name,
               "the task ended in a section: an mc_enter without its mc_leave");
    forget_options(task);
    task.entered.clear();
    task.scopes.clear();
    task.set_gate(gate::kHook);  // what the destroy hook releases is inline
    if (task.job)
        result = job_of(task).status;
    else if (result == MC_OK && (task.wakeup.marks() & wait::CANCEL))
        result = MC_ECANCELED;
    publish_end(task, result, !task.destroy);
    if (!task.destroy) return;
    call_hook("destroy", task.destroy, task.data.load(std::memory_order_relaxed));
    unlist_task(task);
}

void bury(mc_task& task) noexcept {
    task.fiber.finish();
    // A task that never ran may have none; nor has one that was bound to a thread which a fork left behind.
    if (task.stack.base && !pass_stack_on(task.rt, task.stack)) stack_release(task.stack);
    mc_task_unref(&task);
}

}  // namespace mc

extern "C" {

mc_status mc_task_spawn(mc_runtime* runtime, void (*fn)(void*), void* arg, const mc_task_options* given,
                        mc_task** out) {
    if (!runtime || !fn) return MC_EINVAL;
    mc_runtime& rt = *runtime;
    mc_task_options options = MC_TASK_OPTIONS_INIT;
    if (given && !read_options(&options, sizeof options, given)) return MC_EINVAL;
    if (options.flags != 0 || options.stack_size == kForever) return MC_EINVAL;
    if (lost(rt)) return MC_EFORK;
    if (rt.host.way == MC_WAY_JOB || rt.own_scheduler()) return MC_ENOTSUP;
    if (rt.shutting.load(std::memory_order_relaxed)) return MC_ESHUTDOWN;  // enlist_task looks again

    if (fault_hits(Fault::memory)) return MC_ENOMEM;
    mc_task* task = new (std::nothrow) mc_task(rt, options, mc_task::Kind::unbound);
    if (!task) return MC_ENOMEM;
    if (!stack_allocate(options.stack_size ? options.stack_size : rt.stack_size, task->stack)) {
        mc_task_unref(task);
        return MC_ENOMEM;
    }
    task->fn = fn;
    task->arg = arg;
    task->fiber.prepare(task->stack, task_main, task);
    if (!enlist_task(*task, false)) {
        bury(*task);
        return MC_ESHUTDOWN;
    }
    if (out) *out = mc_task_ref(task);
    make_ready(*task);
    return MC_OK;
}

mc_task* mc_task_current(void) {
    mc_task* task = this_thread().task;
    if (task && (task->gate_now() & gate::kResident)) task = hosted_task(*task);
    return task && task == task->rt.resident ? nullptr : task;
}

mc_task* mc_task_ref(mc_task* task) {
    if (task) task->refs.fetch_add(1, std::memory_order_relaxed);  // whoever adds one has one
    return task;
}

void mc_task_unref(mc_task* task) {
    if (task && task->adopted) return unref_adopted(*task);
    // acq_rel: the last one sees everything the others did.
    if (!task || task->refs.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    mc_runtime& rt = task->rt;
    if (task->job)
        delete static_cast<mc_job*>(task);
    else
        delete task;
    runtime_unref(rt);
}

mc_status mc_task_result(mc_task* task) {
    if (!task) return MC_EINVAL;
    const mc_status result = task->result.load(std::memory_order_acquire);
    if (result != MC_EAGAIN) return result;
    // A coroutine that a fork left behind: it ends when the host has dropped it.
    const bool left_behind = task->adopted && (task->wakeup.marks() & wait::LOST);
    return left_behind || lost(task->rt) ? MC_EFORK : MC_EAGAIN;
}

void* mc_task_data(mc_task* task) { return task ? task->data.load(std::memory_order_acquire) : nullptr; }

void mc_task_set_data(mc_task* task, void* data) {
    if (!task) return;
    const mc_task* caller = holder_task();
    if (!caller || &caller->rt != &task->rt)
        report(&task->rt, MC_EPERM, nullptr, task->name, "mc_task_set_data without the baton: ignored");
    else
        task->data.store(data, std::memory_order_release);  // pairs with mc_task_data
}

const char* mc_task_name(mc_task* task) { return task ? task->name : nullptr; }

uint32_t mc_task_state(mc_task* task) {
    if (!task || lost(task->rt)) return MC_TASK_ENDED;
    const std::uint32_t state = task->state.load(std::memory_order_relaxed);
    return state == MC_TASK_RUNNING && !task->holds_baton() ? static_cast<std::uint32_t>(MC_TASK_SECTION)
                                                            : state;
}

uint64_t mc_task_cpu_time(mc_task* task) {
    if (!task) return 0;
    if (task == this_thread().task) {
        stop_clock(*task);
        start_clock(*task);
    }
    return task->cpu_ns.load(std::memory_order_relaxed);
}

}  // extern "C"
