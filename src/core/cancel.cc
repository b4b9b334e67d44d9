// Cancellation: a mark that stays, and for an abandoned task the end of everything but its C code.
//
// A cancelled task goes on and is told by whatever suspends it and by its checkpoints. An abandoned one has
// its result at once, and never runs on: where it waits it is dropped; where it computes or is in a section,
// it leaves its stack at the next checkpoint, suspension or acquire (leave_if_abandoned). A callback within a
// section is told as if it were cancelled, until the C code that called it has reached its acquire.
// SPDX-License-Identifier: BSL-1.0
#include "core/runtime.h"

namespace mc {
namespace {

// In C code that cannot be made to return. Racy without the baton: then it was so a moment ago.
bool beyond_reach(const mc_task& task) noexcept {
    return task.in_section() && !task.holds_baton() &&
           task.state.load(std::memory_order_relaxed) != MC_TASK_DUE &&  // its C code has returned
           task.section.unblock_state.load(std::memory_order_seq_cst) == unblock::NONE;
}

}  // namespace

mc_status cancel_task(mc_task& task, bool abandon) noexcept {
    Noticed noticed{};
    mc_task* joiners = nullptr;
    {
        std::lock_guard lock(task.rt.mutex);
        if (!task.listed || task.result.load(std::memory_order_relaxed) != MC_EAGAIN) return MC_OK;
        if (abandon && task.bound) return MC_ENOTSUP;
        if (!abandon && beyond_reach(task)) return MC_EBUSY;
        noticed = set_mark(task, abandon ? wait::CANCEL | wait::ABANDON : wait::CANCEL, wait::CANCELLED);
        if (abandon) joiners = settle(task, MC_ECANCELED);
        mc_task_ref(&task);  // once its wait is over it may end
    }
    wake_joiners(joiners);
    make_notice(task, noticed);
    mc_task_unref(&task);
    return MC_OK;
}

}  // namespace mc

extern "C" mc_status mc_task_cancel(mc_task* task, uint32_t mode) {
    if (!task || mode > MC_CANCEL_ABANDON) return MC_EINVAL;
    if (mc::lost(task->rt)) return MC_EFORK;
    return mc::cancel_task(*task, mode == MC_CANCEL_ABANDON);
}
