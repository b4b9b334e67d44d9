// Adopted tasks, from adoption to end, and the thread that is attached to a host that schedules.
// SPDX-License-Identifier: BSL-1.0
#include <new>

#include "core/own_scheduler.h"
#include "platform/platform.h"

namespace mc {
namespace {

// mc_task::refs of an adopted task: the last handle is gone. Whoever set it has the task's own reference.
constexpr std::uint32_t kEnding = 1u << 31;

mc_task* new_resident(mc_runtime& rt, const char* name) noexcept {
    mc_task_options options = MC_TASK_OPTIONS_INIT;
    options.name = name;
    mc_task* task = new (std::nothrow) mc_task(rt, options, mc_task::Kind::bound);
    if (task) task->set_gate(gate::kResident);
    return task;
}

bool has_baton(const mc_runtime& rt) noexcept {
    const mc_task* task = this_thread().task;
    return task && &task->rt == &rt && task->holds_baton();
}

// Its C code is in a section, maybe amid a callback.
bool is_in_use(const mc_task& task) noexcept { return task.in_section() || !task.entered.empty(); }

void end_adopted(mc_task& task) noexcept {
    {
        HookScope scope(this_thread().task);  // for the destroy hook
        if (task.result.load(std::memory_order_acquire) == MC_EAGAIN)
            end_task(task, task.wakeup.marks() & wait::LOST ? MC_EFORK : MC_OK);
    }
    mc_task_unref(&task);
}

void push_orphan(mc_task& task) noexcept {
    std::atomic<mc_task*>& head = task.rt.orphans;
    task.next_orphan = head.load(std::memory_order_relaxed);  // the CAS validates it
    // Release: pairs with end_orphans, which takes all.
    while (!head.compare_exchange_weak(task.next_orphan, &task, std::memory_order_release,
                                       std::memory_order_relaxed)) {
    }
}

}  // namespace

void unref_adopted(mc_task& task) noexcept {
    std::uint32_t refs = task.refs.load(std::memory_order_relaxed);  // the CAS validates it
    std::uint32_t left = 0;
    do {
        left = refs == 2 ? kEnding | 1 : refs - 1;
        // acq_rel: the last one sees everything the others did.
    } while (
        !task.refs.compare_exchange_weak(refs, left, std::memory_order_acq_rel, std::memory_order_relaxed));
    mc_runtime& rt = task.rt;
    if (left == kEnding) {
        delete &task;
        runtime_unref(rt);
    } else if (left == (kEnding | 1) && refs == 2) {
        // The destroy hook needs the baton, and the C code of a section what it would destroy.
        if (task.result.load(std::memory_order_acquire) != MC_EAGAIN)
            mc_task_unref(&task);  // ended by a shutdown
        else if (has_baton(rt) && !is_in_use(task))
            end_adopted(task);
        else
            push_orphan(task);
    }
}

void end_orphans(mc_runtime& rt) noexcept {
    // Acquire: what was done to them before. Those in a section are looked at again.
    mc_task* task = rt.orphans.exchange(nullptr, std::memory_order_acquire);
    while (task) {
        mc_task* following = task->next_orphan;
        is_in_use(*task) ? push_orphan(*task) : end_adopted(*task);
        task = following;
    }
}

bool prepare_hosted(mc_runtime& rt) noexcept {
    rt.host.switched = nullptr;  // that is the host's own doing
    rt.resident = new_resident(rt, "no coroutine");
    return rt.resident != nullptr;
}

void finish_hosted(mc_runtime& rt) noexcept {
    if (word::state(rt.baton.peek()) != word::PAUSED) return;
    Worker* worker = new_worker(rt, Part::guest);
    if (!worker) return;
    if (rt.baton.try_take(worker->seat)) {
        end_orphans(rt);
        rt.baton.pause(worker->seat, [] { return true; });
    }
    retire_worker(*worker);
}

mc_status attach_hosted(mc_runtime& rt, const mc_task_options& options, std::uint64_t timeout,
                        mc_task** out) noexcept {
    if (rt.host_attached.exchange(true, std::memory_order_seq_cst)) return MC_ENOTSUP;
    Stack stack;
    mc_status status = MC_ENOMEM;
    if (stack_allocate(rt.stack_size, stack)) {
        status = attach_thread(rt, options, timeout, Attach::guest, out);
        if (status != MC_OK) stack_release(stack);
    }
    if (status != MC_OK) {
        rt.host_attached.store(false, std::memory_order_seq_cst);
        return status;
    }
    mc_task& task = *this_thread().task;
    Worker& worker = *task.worker;
    task.stack = stack;
    task.set_gate(gate::kResident);
    worker.hosted = {};
    worker.hosted.resident = &task;
    worker.hosted.base = &worker.home;
    worker.home.prepare(stack, home_main, &worker);
    rt.host_thread = &worker;
    return MC_OK;
}

mc_status detach_hosted(mc_task& resident) noexcept {
    mc_runtime& rt = resident.rt;
    if (resident.gate_now() & (gate::kDepth | gate::kHook)) return MC_EPERM;
    mc_task& task = *hosted_task(resident);
    if (lost(rt) || !rt.host_thread) return MC_EFORK;
    Worker& home = *rt.host_thread;
    mc_task& bound = *home.hosted.resident;
    if (task.adopted && task.attached > 0) {
        --task.attached;
        return MC_OK;
    }
    if (bound.attached > 1) {
        --bound.attached;
        return MC_OK;
    }
    Worker& here = *this_thread().worker;
    if (&here == &home ? home.hosted.due_below : !home.hosted.at_home) return MC_EBUSY;
    if (&here != &home) {
        Fiber native;
        native.adopt_thread();
        home.hosted.native = &native;
        here.hosted.wanted = &home;
        Fiber::switch_to(native, *here.hosted.base);  // goes on in home_main's place
        native.forget_thread();
    }
    end_hosted_attachment(rt);
    return MC_OK;
}

void end_hosted_attachment(mc_runtime& rt) noexcept {
    Worker& home = *rt.host_thread;
    mc_task& bound = *home.hosted.resident;
    end_orphans(rt);
    rt.lender = nullptr;
    rt.host_thread = nullptr;
    home.home.finish();
    stack_release(bound.stack);
    end_attachment(bound);
    rt.host_attached.store(false, std::memory_order_seq_cst);  // only now: the runtime is paused
}

}  // namespace mc

using namespace mc;

extern "C" mc_status mc_task_adopt(mc_runtime* runtime, const mc_task_options* given, mc_task** out) {
    if (!runtime || !out) return MC_EINVAL;
    mc_runtime& rt = *runtime;
    if (!rt.own_scheduler()) return MC_ENOTSUP;
    if (lost(rt)) return MC_EFORK;
    mc_task_options options = MC_TASK_OPTIONS_INIT;
    if (given && !read_options(&options, sizeof options, given)) return MC_EINVAL;
    if (options.flags != 0 || options.stack_size != 0) return MC_EINVAL;
    if (fault_hits(Fault::memory)) return MC_ENOMEM;
    mc_task* task = new (std::nothrow) mc_task(rt, options, mc_task::Kind::bound);
    if (!task) return MC_ENOMEM;
    task->adopted = task->started = true;
    task->set_gate(gate::kAdopted);
    task->state.store(MC_TASK_RUNNING, std::memory_order_relaxed);
    if (!enlist_task(*task, false)) {
        task->refs.store(kEnding | 1, std::memory_order_relaxed);  // nobody else knows it
        mc_task_unref(task);
        return MC_ESHUTDOWN;
    }
    *out = mc_task_ref(task);
    return MC_OK;
}
