// Interrupts: a payload that the host picks up in a frame of its own.
// SPDX-License-Identifier: BSL-1.0
#include "core/runtime.h"

namespace mc {

Noticed set_mark(mc_task& task, std::uint32_t mark, wait::Reason reason) noexcept {
    if (task.wakeup.mark(mark, wait::kAnyKind, reason)) return Noticed::woken;
    // It runs, waits for its turn, or is in a section. A task that does this to itself does not block.
    if (&task != this_thread().task && begin_unblock(task)) return Noticed::unblocked;
    return Noticed::marked;
}

void make_notice(mc_task& task, Noticed noticed) noexcept {
    if (noticed == Noticed::woken) return make_ready(task);
    if (noticed == Noticed::unblocked) finish_unblock(task);
    // Pairs with the acquire that looks at the marks once it has the baton back, without a fence.
    RealSys::heavy_fence();
    if (task.state.load(std::memory_order_relaxed) == MC_TASK_RUNNING) call_attention(task.rt);
}

void tell_of_marks(const mc_task& task) noexcept {
    if (task.wakeup.marks() & (wait::INTERRUPT | wait::CANCEL)) [[unlikely]]
        call_attention(task.rt);
}

}  // namespace mc

using namespace mc;

extern "C" {

mc_status mc_task_interrupt(mc_task* task, void* payload) {
    if (!task) return MC_EINVAL;
    if (lost(task->rt)) return MC_EFORK;
    Noticed noticed{};
    {
        std::lock_guard lock(task->rt.mutex);
        if (!task->listed || task->result.load(std::memory_order_relaxed) != MC_EAGAIN) return MC_EINVAL;
        if (task->wakeup.marks() & wait::INTERRUPT) return MC_EBUSY;  // set and cleared under the mutex
        task->payload = payload;
        noticed = set_mark(*task, wait::INTERRUPT, wait::INTERRUPTED);
    }
    make_notice(*task, noticed);
    return MC_OK;
}

mc_status mc_task_take_interrupt(mc_task* task, void** payload) {
    if (!task) return MC_EINVAL;
    if (lost(task->rt)) return MC_EFORK;
    const mc_task* caller = holder_task();
    if (!caller || &caller->rt != &task->rt) return MC_EPERM;
    std::lock_guard lock(task->rt.mutex);
    if (!(task->wakeup.marks() & wait::INTERRUPT)) return MC_EAGAIN;
    if (payload) *payload = task->payload;
    task->payload = nullptr;
    task->wakeup.clear(wait::INTERRUPT);
    return MC_OK;
}

}  // extern "C"
