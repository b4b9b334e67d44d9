// Which task runs on this thread, with the baton.
//
// A task that stops running switches straight to the next ready one; only when a thread is next, or
// nothing, does its thread go home (its own stack), because only from there may the baton be given away:
// a task must not be reachable by others before its registers are saved.
// SPDX-License-Identifier: BSL-1.0
#include <ctime>

#include "core/dispatch.h"
#include "core/job.h"
#include "core/own_scheduler.h"
#include "core/registry.h"
#include "core/ship.h"
#include "core/suspend.h"
#include "core/worker.h"

namespace mc {
namespace {

// With sleepers and no poller, the holder polls at switches and checkpoints, but not more often.
constexpr std::uint64_t kPollInterval = 20'000;

std::uint64_t thread_cpu_ns() noexcept {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(time.tv_nsec);
}

}  // namespace

void start_clock(mc_task& task) noexcept {
    if (task.rt.flags & MC_RUNTIME_CPU_TIME) task.cpu_mark = thread_cpu_ns();
}

void stop_clock(mc_task& task) noexcept {
    if (task.rt.flags & MC_RUNTIME_CPU_TIME)
        add(task.cpu_ns, thread_cpu_ns() - task.cpu_mark);  // the task's own thread is the only writer
}

namespace {

// First thing on a task's stack after a switch to it.
void arrive(mc_task& task) noexcept {
    Worker& worker = *this_thread().worker;
    if (mc_task* dead = worker.dead) {
        worker.dead = nullptr;
        bury(*dead);
    }
    start_clock(task);
    hold(worker, task);
}

void load(Worker& worker, mc_task& task, ThreadState& thread = this_thread()) noexcept {
    task.worker = &worker;
    thread.task = &task;
}

// A ready task that will not run: cancelled before its start, abandoned, or the runtime is closed.
bool ends_unrun(const mc_task& task) noexcept {
    return task.rt.closed.load(std::memory_order_relaxed) || task.is_to_be_dropped() ||
           (!task.started && !task.job && (task.wakeup.marks() & wait::CANCEL));
}

}  // namespace

void drop_task(mc_task& task) noexcept {
    if (task.started) stop_waiting(task);
    {
        // The destroy hook runs on this thread, which may be another task's.
        HookScope scope(this_thread().task);
        task.state.store(MC_TASK_ENDED, std::memory_order_relaxed);  // a hook that forks finds it over
        take_over(*this_thread().worker, nullptr);
        if (task.job && !task.started) call_done(job_of(task));
        end_task(task, task.wakeup.marks() & wait::LOST ? MC_EFORK : MC_ECANCELED);
    }
    bury(task);
}

bool must_go_home(const mc_runtime& rt) noexcept {
    // Relaxed: noticed at the next switch if not at this one.
    return rt.stopping.load(std::memory_order_relaxed) || rt.closed.load(std::memory_order_relaxed) ||
           rt.drivers.load(std::memory_order_relaxed) == 0;
}

void take_over(Worker& worker, mc_task* task) noexcept {
    mc_runtime& rt = *worker.rt;
    unblock_signals(worker);
    // Relaxed: a reset that is seen late delays attention by one slice.
    if (rt.attention_sent.load(std::memory_order_relaxed))
        rt.attention_sent.store(false, std::memory_order_relaxed);
    if (rt.last_seat == worker.seat.id) return;
    rt.last_seat = worker.seat.id;
    const bool first = rt.last_thread == 0;
    const bool other_thread = rt.last_thread != thread_number();
    rt.last_thread = thread_number();
    if (other_thread && !first) add(rt.handoffs, 1);
    if (!rt.host.taken && !rt.host.attention) return;
    if (rt.host.taken && other_thread) {
        HookScope scope(task);
        call_hook("taken", rt.host.taken, rt.host.self, task);
    }
    std::lock_guard lock(rt.attention_mutex);
    rt.attention_seat = worker.seat.id;
}

void hold(Worker& worker, mc_task& task) noexcept {
    mc_runtime& rt = task.rt;
    task.state.store(MC_TASK_RUNNING, std::memory_order_relaxed);
    take_over(worker, &task);
    if (rt.loaded != &task) {
        mc_task* from = rt.loaded;
        rt.loaded = &task;
        if (rt.host.switched) {
            HookScope scope(&task);
            call_hook("switched", rt.host.switched, rt.host.self, from, &task);
        }
    }
}

bool drive(Worker& worker, NodeT* self) noexcept {
    mc_runtime& rt = *worker.rt;
    if (rt.own_scheduler()) return carry_on(worker, nullptr);
    while (!(worker.seat.drives && worker.seat.carrier && must_go_home(rt))) {
        if (rt.baton.asked_for_poller()) poll_reactor(rt);
        // The last driver has gone without the baton: its attach had counted, and timed out.
        if (rt.drivers.load(std::memory_order_relaxed) == 0 && !rt.closed.load(std::memory_order_relaxed)) {
            pause_runtime(worker);
            return false;
        }
        // While a task runs here, nobody can grant the baton to `self`: its thread could not take it.
        if (worker.called_home) return true;
        if (self) self->seat->state.store(seat::SPIN, std::memory_order_relaxed);  // published with the word
        NodeT* node = rt.baton.next(worker.seat, self);
        if (!node) return false;
        if (node == self) return true;
        if (self) self->seat->state.store(seat::BUSY, std::memory_order_relaxed);  // likewise
        if (run_task(worker, static_cast<mc_task&>(*node))) continue;
        if (!self) return false;
        rt.baton.acquire(worker.seat, worker.node, kForever);  // a turn missed meanwhile shows then
    }
    return true;
}

bool run_task(Worker& worker, mc_task& task) noexcept {
    if (ends_unrun(task)) {
        drop_task(task);
        return true;
    }
    load(worker, task);
    Fiber::switch_to(worker.home, task.fiber);
    this_thread().task = nullptr;
    if (mc_task* dead = worker.dead) {
        worker.dead = nullptr;
        bury(*dead);
    }
    if (mc_task* shipped = worker.shipping) {
        worker.shipping = nullptr;
        send(*shipped);
    }
    const bool holds = !worker.lost_baton;
    worker.lost_baton = false;
    return holds;
}

void schedule_away(mc_task& task) noexcept {
    mc_runtime& rt = task.rt;
    Worker& worker = *task.worker;
    stop_clock(task);
    if (rt.baton.asked_for_poller()) poll_reactor(rt);
    rt.baton.drain();
    NodeT* node = worker.called_home ? nullptr : rt.baton.front_task();
    if (node == &task && !must_go_home(rt) && !task.is_to_be_dropped()) {
        rt.baton.pop_front();
        start_clock(task);
        task.state.store(MC_TASK_RUNNING, std::memory_order_relaxed);
        return;
    }
    if (node && !must_go_home(rt) && !ends_unrun(static_cast<mc_task&>(*node))) {
        rt.baton.pop_front();
        mc_task& to = static_cast<mc_task&>(*node);
        load(worker, to);
        Fiber::switch_to(task.fiber, to.fiber);
    } else {
        Fiber::switch_to(task.fiber, worker.home);
    }
    arrive(task);
}

namespace {

// yield_to_others where there is nothing to see to but whose turn it is. False: there is, and nothing has
// been done.
bool yield_plainly(mc_task& task, ThreadState& thread) noexcept {
    mc_runtime& rt = task.rt;
    Worker& worker = *task.worker;
    NodeT* node = rt.baton.plain_front();
    if (!node || task.bound || worker.called_home || must_go_home(rt) || (rt.flags & MC_RUNTIME_CPU_TIME))
        return false;
    mc_task& to = static_cast<mc_task&>(*node);
    if (!to.started || to.is_to_be_dropped()) return false;
    task.seat = nullptr;
    task.state.store(MC_TASK_READY, std::memory_order_relaxed);
    rt.baton.rotate(&task);
    load(worker, to, thread);
    Fiber::switch_to(task.fiber, to.fiber);
    arrive(task);
    return true;
}

}  // namespace

void leave_straggler(mc_task& task) noexcept {
    // The stack is dropped, not unwound; nothing of the runtime is touched from here on but by home.
    Worker& worker = *task.worker;
    worker.dead = &task;
    worker.lost_baton = worker.straggled = true;
    Fiber::exit_to(task.fiber, worker.home);
}

void task_main(void* argument) noexcept {
    mc_task& task = *static_cast<mc_task*>(argument);
    arrive(task);
    task.started = true;
    tell_of_marks(task);
    try {
        task.fn(task.arg);
    } catch (...) {
        // A C++ exception, or pthread_exit; neither may cross into a host's frames.
        die("an exception or pthread_exit left the task", task.name);
    }
    end_task(task, MC_OK);
    leave_stack(task);
}

void leave_stack(mc_task& task) noexcept {
    stop_clock(task);
    Worker& worker = *task.worker;
    worker.dead = &task;
    Fiber::exit_to(task.fiber, worker.home);
}

void make_ready(mc_task& task, bool maybe_in_signal_handler, std::uint32_t state) noexcept {
    mc_runtime& rt = task.rt;
    const mc_task* current = this_thread().task;
    if (task.state.load(std::memory_order_relaxed) != MC_TASK_NEW)  // a task is NEW until it runs
        task.state.store(state, std::memory_order_relaxed);
    if (current && &current->rt == &rt && current->holds_baton())
        maybe_in_signal_handler ? rt.baton.push_from_anywhere(&task) : rt.baton.push(&task);
    else
        maybe_in_signal_handler ? rt.baton.post_from_anywhere(&task) : rt.baton.post(&task);
    // Relaxed: whoever makes the descriptor rings itself.
    if (rt.event_fd.load(std::memory_order_relaxed) >= 0) ring(rt);
}

void poll_reactor(mc_runtime& rt) noexcept {
    if (!rt.baton.poller_wanted()) return;
    const std::uint64_t now = now_ns();
    if (now - rt.last_poll < kPollInterval) return;
    rt.last_poll = now;
    if (!reactor_take_role()) return;
    ReactorWait* fired = reactor_poll(0);
    reactor_drop_role();
    deliver(fired);
}

void deliver(ReactorWait* fired) noexcept {
    ReactorWait* unblocks = nullptr;
    while (fired) {
        ReactorWait* following = fired->next_fired;  // the wait may be used again once its task is posted
        mc_task& task = *static_cast<mc_task*>(fired->owner);
        if (fired == &task.section.timer) {  // of a section or a job
            fired->next_fired = unblocks;
            unblocks = fired;
        } else {
            // Once posted, the task may end, and its runtime with it: this thread may be another runtime's.
            mc_runtime& rt = task.rt;
            runtime_ref(rt);
            make_ready(task);
            runtime_unref(rt);
        }
        fired = following;
    }
    // Functions of users, so after the posts: those that were claimed must not wait for them.
    while (unblocks) {
        ReactorWait* following = unblocks->next_fired;
        mc_task& task = *static_cast<mc_task*>(unblocks->owner);
        if (unblocks->claim == claim_job_deadline)
            end_job_in_time(job_of(task));
        else
            finish_unblock(task);  // begun by its claim
        unblocks = following;
    }
}

}  // namespace mc

using namespace mc;

void mc_runtime::seek_poller_elsewhere() noexcept { seek_poller_in_others(*this); }

bool mc_runtime::needs_poller() noexcept { return reactor_waits() != 0 && !reactor_has_poller(); }

extern "C" {

mc_status mc_task_yield(void) {
    ThreadState& thread = this_thread();
    mc_task* task = thread.task;
    if (task && task->gate_now() == 0 && yield_plainly(*task, thread)) {
        leave_if_abandoned(*task);
        return status_of_mark(task->wakeup.marks());
    }
    task = holder_task();
    if (!task) return no_holder();
    if (task->gate_now() & gate::kCannotSuspend) return MC_EPERM;
    mc_runtime& rt = task->rt;
    // First, also with a mark pending: one that yields for ever must not keep the others from their turn.
    if (rt.baton.anybody_waits() || must_go_home(rt) || task->worker->called_home) yield_to_others(*task);
    leave_if_abandoned(*task);
    return status_of_mark(task->wakeup.marks());
}

mc_status mc_checkpoint(void) {
    mc_task* task = holder_task();
    if (!task) return no_holder() == MC_EFORK ? MC_EFORK : MC_OK;
    if (task->gate_now() & gate::kHook) return MC_OK;
    mc_runtime& rt = task->rt;
    // Relaxed: see hold.
    if (rt.attention_sent.load(std::memory_order_relaxed))
        rt.attention_sent.store(false, std::memory_order_relaxed);
    const bool may_switch = !(task->gate_now() & gate::kCannotSuspend);
    if ((may_switch || rt.own_scheduler()) && rt.baton.asked_for_poller()) poll_reactor(rt);
    if (may_switch) {
        if (rt.baton.due() || must_go_home(rt)) yield_to_others(*task);
    }
    leave_if_abandoned(*task);
    return status_of_mark(task->wakeup.marks());
}

}  // extern "C"
