// Scopes: whether sections open in a stretch of a task, and whether it may suspend.
// SPDX-License-Identifier: BSL-1.0
#include "core/runtime.h"

using namespace mc;

namespace {

// The gate's bits for the scopes that are open now.
void apply(mc_task& task) noexcept {
    std::uint32_t gate = task.gate_now() & ~(gate::kAtomic | gate::kDisabled | gate::kEnabled);
    std::uint32_t innermost = 0;
    for (const std::uint8_t kind : task.scopes) {
        if (kind == MC_SCOPE_ATOMIC)
            gate |= gate::kAtomic;
        else
            innermost = kind == MC_SCOPE_ENABLE ? gate::kEnabled : gate::kDisabled;
    }
    task.set_gate(gate | innermost);
}

}  // namespace

extern "C" {

int mc_scope_enter(uint32_t kind) {
    if (kind > MC_SCOPE_ATOMIC) return MC_EINVAL;
    mc_task* task = holder_task();
    if (!task) return no_holder();
    try {
        task->scopes.push_back(static_cast<std::uint8_t>(kind));
    } catch (...) {
        return MC_ENOMEM;
    }
    apply(*task);
    return static_cast<int>(task->scopes.size() - 1);
}

mc_status mc_scope_leave(int token) {
    mc_task* task = holder_task();
    if (!task) return no_holder();
    if (token < 0 || static_cast<std::size_t>(token) >= task->scopes.size()) return MC_EINVAL;
    task->scopes.resize(static_cast<std::size_t>(token));
    apply(*task);
    return MC_OK;
}

}  // extern "C"
