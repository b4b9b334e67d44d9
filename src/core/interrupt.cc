// Interrupts: a payload that the host picks up in a frame of its own.
// SPDX-License-Identifier: BSL-1.0
#include "core/runtime.h"

namespace mc {

void notice_mark(mc_task& task, std::uint32_t mark, wait::Reason reason) noexcept {
    if (task.wakeup.mark(mark, wait::kAnyKind, reason)) {
        make_ready(task);
        return;
    }
    // It runs, waits for its turn, or is in a section.
    if (begin_unblock(task)) finish_unblock(task);
    if (task.state.load(std::memory_order_relaxed) == MC_TASK_RUNNING) call_attention(task.rt);
}

}  // namespace mc

using namespace mc;

extern "C" {

mc_status mc_task_interrupt(mc_task* task, void* payload) {
    if (!task) return MC_EINVAL;
    {
        std::lock_guard lock(task->rt.mutex);
        if (!task->listed) return MC_EINVAL;
        if (task->wakeup.marks() & wait::INTERRUPT) return MC_EBUSY;  // set and cleared under the mutex
        task->payload = payload;
        // The mark alone, so that the mutex covers it; whoever waits is woken below.
        task->wakeup.mark(wait::INTERRUPT, 0, wait::INTERRUPTED);
    }
    notice_mark(*task, wait::INTERRUPT, wait::INTERRUPTED);
    return MC_OK;
}

mc_status mc_task_take_interrupt(mc_task* task, void** payload) {
    if (!task) return MC_EINVAL;
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
