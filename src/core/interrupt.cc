// Interrupts: a payload that the host picks up in a frame of its own.
// SPDX-License-Identifier: BSL-1.0
#include "core/runtime.h"

namespace mc {

void make_notice(mc_task& task, bool claimed) noexcept {
    if (claimed) {
        make_ready(task);
        return;
    }
    // It runs, waits for its turn, or is in a section. A task that does this to itself does not block.
    if (&task != this_thread().task && begin_unblock(task)) finish_unblock(task);
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
    bool claimed = false;
    {
        std::lock_guard lock(task->rt.mutex);
        if (!task->listed) return MC_EINVAL;
        if (task->wakeup.marks() & wait::INTERRUPT) return MC_EBUSY;  // set and cleared under the mutex
        task->payload = payload;
        claimed = task->wakeup.mark(wait::INTERRUPT, wait::kAnyKind, wait::INTERRUPTED);
    }
    make_notice(*task, claimed);
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
