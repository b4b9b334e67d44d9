// Jobs: from the submission to `done`.
//
// J2  A job is in the queue (waits), with the thread that does its work (works), or over (worked); it leaves
//     each for the next under rt.mutex, once. Whoever makes it `worked` completes it.
// J3  `done` is called by the job's task, or where that is dropped (drop_task): both have taken it from the
//     line, so once.
// SPDX-License-Identifier: BSL-1.0
#include "core/job.h"

#include <chrono>
#include <new>

#include "core/section.h"
#include "core/ship.h"
#include "core/suspend.h"
#include "core/worker.h"
#include "platform/platform.h"

namespace mc {
namespace {

void task_of_job(void* argument) noexcept {
    mc_job& job = *static_cast<mc_job*>(argument);
    job.set_gate(gate::kNoSuspend);
    call_done(job);
}

bool find_stack(mc_job& job) noexcept {
    mc_runtime& rt = job.rt;
    if (stack_allocate(rt.stack_size, job.stack)) return true;
    std::lock_guard lock(rt.mutex);
    if (rt.closed.load(std::memory_order_seq_cst)) return true;  // it is dropped, not run
    rt.wants_stack.store(true, std::memory_order_relaxed);       // under the mutex, as below
    if (rt.spare_stack.base) {
        job.stack = rt.spare_stack;
        rt.spare_stack = {};
        return true;
    }
    job.next_stackless = rt.stackless;
    rt.stackless = &job;
    return false;
}

void run_done(mc_job& job) noexcept {
    job.fiber.prepare(job.stack, task_main, &job);
    make_ready(job);
}

// By whoever made it `worked`, without locks.
void complete(mc_job& job) noexcept {
    if (job.done_fn) {
        if (find_stack(job)) run_done(job);
        return;
    }
    // At once, for those who wait for the job and then destroy the runtime.
    bool last = false;
    mc_task* joiners = nullptr;
    {
        std::lock_guard lock(job.rt.mutex);
        last = unlist_locked(job);
        job.state.store(MC_TASK_ENDED, std::memory_order_relaxed);
        joiners = settle(job, job.status);
    }
    wake_joiners(joiners);
    after_unlisting(job.rt, last);
    mc_task_unref(&job);
}

// With rt.mutex: this thread's from now on.
mc_task* begin(Worker& worker, Work* work) noexcept {
    if (!work) return nullptr;
    mc_task& task = *static_cast<mc_task*>(work);
    task.worker = &worker;  // before the shutdown may look for it
    if (!(task.gate_now() & gate::kShipped)) job_of(task).phase = mc_job::Phase::works;
    return &task;
}

// What this thread is to do next, if that is work again: waiting for the baton comes first.
mc_task* work_on(Worker& worker, mc_job& job) noexcept {
    mc_runtime& rt = *worker.rt;
    try {
        job.work_fn(job.work_arg);
    } catch (...) {
        die("an exception or pthread_exit left the job", job.name);
    }
    forget_options(job);  // nobody unblocks it from here on
    const bool goes_on = rt.has_job(worker.seat.drives) && !rt.should_leave(worker.seat.drives) &&
                         !rt.baton.can_work(worker.seat);
    bool given_up = false;
    mc_task* following = nullptr;
    {
        std::lock_guard lock(rt.mutex);
        const auto will_look = [&] { rt.baton.will_look_for_job(worker.seat); };
        job.phase = mc_job::Phase::worked;
        given_up = job.result.load(std::memory_order_relaxed) != MC_EAGAIN;
        if (goes_on && !given_up) {
            following = begin(worker, rt.work.take_after(job.work_class, will_look));
        } else {
            will_look();
            rt.work.finished(job.work_class);
        }
        if (rt.job_waiters) rt.job_over.notify_all();
    }
    if (!given_up) {
        complete(job);
        return following;
    }
    worker.straggled = true;  // the runtime was shut down meanwhile
    mc_task_unref(&job);
    return nullptr;
}

// With rt.mutex: stands before anybody knows the job.
void arm(mc_job& job, const mc_job_options& options) noexcept {
    job.section.level = 1;
    job.section.unblock = options.unblock;
    job.section.unblock_arg = options.unblock_arg;
    // Relaxed: the mutex publishes it.
    if (options.unblock) job.section.unblock_state.store(unblock::ARMED, std::memory_order_relaxed);
    if (options.deadline == 0 || options.deadline == kForever) return;
    TaskWait& timer = job.section.timer;
    timer.claim = claim_job_deadline;
    timer.owner = &job;
    timer.deadline = deadline_after(options.deadline);
    // Without memory for the timer the deadline does not count.
    (void)register_wait(job, timer);
}

// The first one that wants `done` called sees to it that there will be a stack, come what may.
bool reserve_stack(mc_runtime& rt) noexcept {
    // Relaxed: it never goes back to false, and the stack is taken under the mutex.
    if (rt.keeps_stack.load(std::memory_order_relaxed)) return true;
    std::lock_guard lock(rt.mutex);
    if (rt.keeps_stack.load(std::memory_order_relaxed)) return true;
    const bool kept = stack_allocate(rt.stack_size, rt.spare_stack);
    rt.keeps_stack.store(kept, std::memory_order_relaxed);
    return kept;
}

mc_status enqueue(mc_job& job, const mc_job_options& options) noexcept {
    mc_runtime& rt = job.rt;
    std::lock_guard lock(rt.mutex);
    if (rt.work.waiting() >= rt.job_queue_limit) return MC_EAGAIN;
    if (!enlist_locked(job, false)) return MC_ESHUTDOWN;
    arm(job, options);
    rt.work.push(job);
    return MC_OK;
}

// No thread can be started, and none is there that will ever do the work. True: the job is out again.
bool withdraw(mc_job& job) noexcept {
    mc_runtime& rt = job.rt;
    if (leave_jobs_to_runner(rt)) return false;
    {
        std::lock_guard lock(rt.mutex);
        if (rt.places.load(std::memory_order_seq_cst) != 0 || job.phase != mc_job::Phase::waits) return false;
        rt.work.remove(job);
        job.phase = mc_job::Phase::worked;
    }
    forget_options(job);
    unlist_task(job);
    mc_task_unref(&job);
    return true;
}

// Without a driver nobody calls `done`: then the work is what counts.
mc_status wait_blocked(mc_job& job, std::uint64_t timeout) noexcept {
    mc_runtime& rt = job.rt;
    std::unique_lock lock(rt.mutex);
    const auto over = [&] {
        return !job.listed || (job.done_fn && job.phase == mc_job::Phase::worked &&
                               rt.drivers.load(std::memory_order_seq_cst) == 0);
    };
    ++rt.job_waiters;
    bool in_time = true;
    const std::uint64_t until = deadline_after(timeout);
    if (until > static_cast<std::uint64_t>(INT64_MAX))
        rt.job_over.wait(lock, over);
    else
        in_time = rt.job_over.wait_until(
            lock, std::chrono::steady_clock::time_point(std::chrono::nanoseconds(until)), over);
    --rt.job_waiters;
    if (!in_time) return MC_ETIMEDOUT;
    const mc_status result = job.result.load(std::memory_order_relaxed);  // set under the mutex
    return result == MC_EAGAIN ? job.status : result;
}

}  // namespace

bool claim_job_deadline(ReactorWait& self) {
    mc_task_ref(static_cast<mc_task*>(self.owner));
    return true;
}

bool do_work(Worker& worker) noexcept {
    mc_runtime& rt = *worker.rt;
    mc_task* task = nullptr;
    {
        std::lock_guard lock(rt.mutex);
        task = begin(worker, rt.work.take());
    }
    if (!task) return false;
    unblock_signals(worker);
    while (task) {
        if (rt.work.startable() > 0) rt.baton.rouse_for_job();  // J1
        if (task->gate_now() & gate::kShipped) {
            carry(worker, *task);
            break;
        }
        task = work_on(worker, job_of(*task));
    }
    return true;
}

mc_status cancel_job(mc_job& job, mc_status why) noexcept {
    bool ended = false;
    bool unblocks = false;
    {
        std::lock_guard lock(job.rt.mutex);
        if (job.result.load(std::memory_order_relaxed) != MC_EAGAIN || job.phase == mc_job::Phase::worked)
            return MC_OK;
        if (job.phase == mc_job::Phase::waits) {
            job.rt.work.remove(job);
            job.phase = mc_job::Phase::worked;
            job.status = why;
            ended = true;
        } else {
            if (job.section.unblock_state.load(std::memory_order_seq_cst) == unblock::NONE) return MC_EBUSY;
            if (job.status == MC_OK) job.status = why;
            unblocks = begin_unblock(job);
        }
        mc_task_ref(&job);  // once it is over it may go
    }
    if (unblocks) finish_unblock(job);
    if (ended) {
        forget_options(job);
        complete(job);
    }
    mc_task_unref(&job);
    return MC_OK;
}

void end_job_in_time(mc_job& job) noexcept {
    cancel_job(job, MC_ECANCELED);
    mc_task_unref(&job);
}

bool give_up_job(mc_job& job) noexcept {
    mc_task* joiners = nullptr;
    {
        std::lock_guard lock(job.rt.mutex);
        if (job.phase != mc_job::Phase::works) return false;
        joiners = settle(job, MC_ESHUTDOWN);
    }
    wake_joiners(joiners);
    unlist_task(job);
    return true;
}

mc_job* take_stackless(mc_runtime& rt) noexcept {
    std::lock_guard lock(rt.mutex);
    mc_job* job = rt.stackless;
    if (job) rt.stackless = job->next_stackless;
    return job;
}

void call_done(mc_job& job) noexcept {
    if (job.done_fn) call_hook("done", job.done_fn, job.work_arg, job.status);
}

void lose_job(mc_job& job) noexcept {
    if (job.phase == mc_job::Phase::waits) job.rt.work.remove(job);
    if (job.phase == mc_job::Phase::works) job.rt.work.finished(job.work_class);
    job.phase = mc_job::Phase::worked;
    job.status = MC_EFORK;
}

void forget_job_waiters(mc_runtime& rt) noexcept {
    rt.stackless = nullptr;
    rt.wants_stack.store(false, std::memory_order_relaxed);
    rt.job_waiters = 0;
    new (&rt.job_over) std::condition_variable;
}

bool pass_stack_on(mc_runtime& rt, const Stack& stack) noexcept {
    // Relaxed: a stack more or less that is passed on; who looks again holds the mutex.
    if (!rt.wants_stack.load(std::memory_order_relaxed) || stack.size < rt.stack_size) return false;
    if (mc_job* next = take_stackless(rt)) {
        next->stack = stack;
        run_done(*next);
        return true;
    }
    std::lock_guard lock(rt.mutex);
    rt.wants_stack.store(false, std::memory_order_relaxed);
    if (rt.spare_stack.base) return false;
    rt.spare_stack = stack;
    return true;
}

}  // namespace mc

using namespace mc;

extern "C" {

mc_status mc_job_submit(mc_runtime* runtime, void (*work)(void*), void (*done)(void*, mc_status), void* arg,
                        const mc_job_options* given, mc_job** out) {
    if (!runtime || !work) return MC_EINVAL;
    mc_runtime& rt = *runtime;
    if (lost(rt)) return MC_EFORK;
    mc_job_options options = MC_JOB_OPTIONS_INIT;
    if (given && !read_options(&options, sizeof options, given)) return MC_EINVAL;
    if (options.work_class > MC_WORK_IO) return MC_EINVAL;
    if (rt.own_scheduler()) return MC_ENOTSUP;  // `done` would be a task that the host does not know
    if (rt.shutting.load(std::memory_order_relaxed)) return MC_ESHUTDOWN;  // enlist_task looks again
    if (done && !reserve_stack(rt)) return MC_ENOMEM;

    if (fault_hits(Fault::memory)) return MC_ENOMEM;
    mc_task_options task_options = MC_TASK_OPTIONS_INIT;
    task_options.name = "job";
    auto* job = new (std::nothrow) mc_job(rt, task_options);
    if (!job) return MC_ENOMEM;
    job->fn = task_of_job;
    job->arg = job;
    job->work_fn = work;
    job->done_fn = done;
    job->work_arg = arg;
    job->work_class = options.work_class;
    mc_task_ref(job);  // the caller's
    mc_status status = enqueue(*job, options);
    if (status != MC_OK)
        mc_task_unref(job);  // the one of those that are alive
    else if (rt.work.startable() > 0 && !rt.baton.rouse_for_job() && withdraw(*job))
        status = MC_EAGAIN;
    else if (options.deadline != 0)
        find_poller(rt);
    if (status == MC_OK && out)
        *out = job;
    else
        mc_task_unref(job);
    return status;
}

mc_status mc_job_wait(mc_job* job, uint64_t timeout) {
    if (!job) return MC_EINVAL;
    if (lost(job->rt)) {
        const mc_status result = job->result.load(std::memory_order_acquire);
        return result == MC_EAGAIN ? MC_EFORK : result;
    }
    const mc_runtime* held = baton_held();
    if (!held) return wait_blocked(*job, timeout);
    if (held != &job->rt || !this_thread().task) return MC_EPERM;  // no task: in a hook
    const mc_status status = join_task(*job, timeout);
    return status == MC_OK ? job->result.load(std::memory_order_acquire) : status;
}

mc_status mc_job_cancel(mc_job* job) {
    if (!job) return MC_EINVAL;
    return lost(job->rt) ? MC_EFORK : cancel_job(*job, MC_ECANCELED);
}

mc_job* mc_job_ref(mc_job* job) {
    mc_task_ref(job);
    return job;
}

void mc_job_unref(mc_job* job) { mc_task_unref(job); }

}  // extern "C"
