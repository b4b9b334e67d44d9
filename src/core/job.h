// A job: `work` on a carrier without the baton, then `done` as a task.
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "core/runtime.h"

// The task that will call `done` exists from the submission on, so that nothing can fail later, but for its
// stack, which it gets when the work is over. Its handle is the job's.
struct mc_job : mc_task {
    mc_job(mc_runtime& runtime, const mc_task_options& options) noexcept
        : mc_task(runtime, options, Kind::job) {}

    enum class Phase : std::uint8_t { waits, works, worked };

    void (*work_fn)(void*) = nullptr;
    void (*done_fn)(void*, mc_status) = nullptr;
    void* work_arg = nullptr;
    // Guarded by rt.mutex.
    Phase phase = Phase::waits;
    mc_status status = MC_OK;  // what `done` is told
    mc_job* next_stackless = nullptr;
};

namespace mc {

inline mc_job& job_of(mc_task& task) noexcept { return static_cast<mc_job&>(task); }

// Takes one piece of work from the queue and does it, on a thread without the baton. False: there is none.
bool do_work(Worker& worker) noexcept;

// As mc_job_cancel, for another reason, too; a job that works on to its end keeps its own result.
mc_status cancel_job(mc_job& job, mc_status why) noexcept;

// The deadline has passed: the reactor's claim, which takes a reference, and what then is to be done.
bool claim_job_deadline(ReactorWait& self);
void end_job_in_time(mc_job& job) noexcept;

// With the baton: `done`, exactly once, where the job's task is not to run.
void call_done(mc_job& job) noexcept;

// In a forked child: it is over for its `done`, which is to be called as where its task is not to run; and no
// thread waits for one.
void lose_job(mc_job& job) noexcept;
void forget_job_waiters(mc_runtime& rt) noexcept;

// By a shutdown that waits no longer. False: it is not at work.
bool give_up_job(mc_job& job) noexcept;

// One whose work is over and that has no stack for `done`.
mc_job* take_stackless(mc_runtime& rt) noexcept;

// A stack is free: true, a job has taken it.
bool pass_stack_on(mc_runtime& rt, const Stack& stack) noexcept;

}  // namespace mc
