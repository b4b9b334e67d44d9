// How a task stops running until something happens.
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "core/runtime.h"

namespace mc {

// Suspends the current task until it is claimed or `deadline` (absolute). By the holder, after the caller
// armed its wakeup; with task.reactor_wait registered or not. On return this task runs again, and
// task.wakeup.reason() says why.
void suspend(mc_task& task, std::uint64_t deadline) noexcept;

// The same for a bound task, which may fail to get the baton back after `deadline`, until `give_up_at`.
// False: then it is no task any more; whoever drops its node frees it.
bool suspend_or_give_up(mc_task& task, std::uint64_t deadline, std::uint64_t give_up_at) noexcept;

// By the holder: a suspended task that will not run again forgets what it waited for.
void stop_waiting(mc_task& task) noexcept;

// Has the reactor wait, and sees to it that somebody polls; and the reverse, whether or not it has fired.
mc_status start_wait(mc_task& task, TaskWait& wait) noexcept;
mc_status register_wait(mc_task& task, TaskWait& wait) noexcept;  // the first half
void find_poller(mc_runtime& rt) noexcept;                        // the second: without rt.mutex
void end_wait(mc_task& task, TaskWait& wait) noexcept;

// By a bound task that is armed and about to suspend, with the same deadline: it is kept though this thread
// may have to run tasks meanwhile. Then end_wait(task, task.reactor_wait).
void start_timer(mc_task& task, std::uint64_t deadline) noexcept;

// As mc_task_join, by the current task.
mc_status join_task(mc_task& target, std::uint64_t timeout) noexcept;

// Goes to the end of the line. By the holder.
void yield_to_others(mc_task& task) noexcept;

// now + duration, without overflow.
std::uint64_t deadline_after(std::uint64_t duration) noexcept;

// What a call that suspends, or could, answers for the marks.
inline mc_status status_of_mark(std::uint32_t marks) noexcept {
    if (marks & wait::CANCEL) return MC_ECANCELED;
    if (marks & wait::INTERRUPT) return MC_EINTR;
    return MC_OK;
}

}  // namespace mc
