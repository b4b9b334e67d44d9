// Sleep, park, join, wait_fd: one way to suspend, and what ends it.
//
// An unbound task leaves its thread to others. A bound one keeps its thread, which sleeps on its seat and
// never runs other tasks: a long section of theirs must not hold it up. Only if no carrier can be started
// does it run them itself.
// SPDX-License-Identifier: BSL-1.0
#include "core/suspend.h"

#include "core/section.h"

#include <poll.h>
#include <sched.h>

#include <cerrno>

namespace mc {
namespace {

// By an attached thread that waits: no other can be started, so this one runs the ready tasks, with a
// seat of its own for their sections. True: it holds the baton and it is its turn; false: it waits as before.
bool drive_alone(Worker& worker, mc_task& task) noexcept {
    mc_runtime& rt = task.rt;
    Worker* stand_in = new_worker(rt, Part::guest);
    if (!stand_in) {
        sched_yield();  // no memory now
        return false;
    }
    stand_in->outer = worker.outer;
    bool own_turn = false;
    if (rt.baton.try_take(stand_in->seat)) {
        worker.stand_in = stand_in;
        this_thread().worker = stand_in;
        stand_in->home.adopt_thread();
        own_turn = drive(*stand_in, &task);
        stand_in->home.forget_thread();
        this_thread().worker = &worker;
        if (own_turn) rt.baton.rename(worker.seat);
        worker.stand_in = nullptr;
    }
    retire_worker(*stand_in);
    return own_turn;
}

// By an attached thread that holds the baton: the others' turn, until its own. False: `give_up_at` passed
// before its turn came. Then it is out, and the task is the line's to drop: nothing of it may be touched.
bool wait_bound(mc_task& task, std::uint64_t deadline, bool queued, std::uint64_t give_up_at) noexcept {
    mc_runtime& rt = task.rt;
    Worker& worker = *task.worker;
    auto posted = [&] { return queued || task.wakeup.claimed(); };
    stop_clock(task);
    this_thread().task = nullptr;  // what this thread does meanwhile (it may poll) it does without the baton
    const GaveUp gave = rt.baton.give_up(worker.seat, &task);
    bool alone = gave == GaveUp::stuck;
    while (gave != GaveUp::own_turn) {
        if (!alone && rt.baton.await(worker.seat, task, deadline, posted)) break;
        alone = false;
        if (rt.stranded()) {
            if (drive_alone(worker, task)) break;
        } else if (now_ns() >= deadline && task.wakeup.claim(wait::kAnyKind, wait::TIME)) {
            if (give_up_at == kForever) {
                deadline = kForever;
                rt.baton.post(&task);
            } else if (rt.baton.acquire(worker.seat, task, give_up_at)) {
                break;
            } else {
                return false;
            }
        }
    }
    worker.seat.state.store(seat::BUSY, std::memory_order_relaxed);  // own transition
    // Given up by a shutdown that did not find it in the line.
    if (rt.closed.load(std::memory_order_seq_cst) &&
        task.result.load(std::memory_order_acquire) != MC_EAGAIN) {
        rt.baton.give_up(worker.seat, nullptr);
        end_straggler(task);
    }
    this_thread().task = &task;
    start_clock(task);
    hold(worker, task);
    return true;
}

// By a task that is armed: whoever ends the target finds a wait to claim. False: the target has ended.
bool start_joining(mc_task& task) noexcept {
    mc_task& target = *task.join_target;
    std::lock_guard lock(task.rt.mutex);
    if (target.result.load(std::memory_order_relaxed) != MC_EAGAIN) return false;  // set under the mutex
    task.next_joiner = target.joiners;
    target.joiners = &task;
    task.joining = &target;
    return true;
}

void stop_joining(mc_task& task) noexcept {
    std::lock_guard lock(task.rt.mutex);
    if (!task.joining) return;  // the target has ended, and emptied its list
    mc_task** link = &task.joining->joiners;
    while (*link != &task) link = &(*link)->next_joiner;
    *link = task.next_joiner;
    task.joining = nullptr;
}

mc_status status_of(const mc_task& task) noexcept {
    switch (task.wakeup.reason()) {
        case wait::TIME: return MC_ETIMEDOUT;
        case wait::INTERRUPTED: return task.wakeup.marks() & wait::CANCEL ? MC_ECANCELED : MC_EINTR;
        case wait::CANCELLED: return MC_ECANCELED;
        default: return MC_OK;
    }
}

bool claim_for_reactor(ReactorWait& self) {
    mc_task& task = *static_cast<mc_task*>(self.owner);
    return task.wakeup.claim(wait::kAnyKind, self.ready ? wait::READY : wait::TIME);
}

// The current task if it may suspend now.
mc_task* suspendable() noexcept {
    mc_task* task = holder_task();
    if (!task || (task->gate_now() & gate::kCannotSuspend)) return nullptr;
    leave_if_abandoned(*task);
    return task;
}

mc_status not_suspendable() noexcept { return holder_task() ? MC_EPERM : no_holder(); }

// Arms for `kind`; from then on somebody may post the task.
std::uint32_t arm(mc_task& task, wait::Kind kind) noexcept {
    task.seat = task.bound ? &task.worker->seat : nullptr;
    task.returning = false;
    if (task.seat) task.seat->state.store(seat::SPIN, std::memory_order_relaxed);  // published by arm
    const std::uint32_t mark = task.wakeup.arm(kind);
    if (mark && task.seat) task.seat->state.store(seat::BUSY, std::memory_order_relaxed);
    return mark;
}

// From before somebody may unpark the task, maybe in a signal handler. Dropped tasks count themselves out.
void count_parked(mc_task& task, bool parked) noexcept {
    if (task.bound || task.parked == parked) return;
    task.parked = parked;
    std::atomic<std::uint32_t>& count = task.rt.parked;
    // Relaxed, no read-modify-write: single writer, the holder.
    const std::uint32_t before = count.load(std::memory_order_relaxed);
    count.store(parked ? before + 1 : before - 1, std::memory_order_relaxed);
    if (parked && before == 0) task.rt.baton.ask_for_spare();
}

struct Parked {
    mc_task& task;
    explicit Parked(mc_task& its) noexcept : task(its) { count_parked(task, true); }
    ~Parked() { count_parked(task, false); }
    Parked(const Parked&) = delete;
    Parked& operator=(const Parked&) = delete;
};

// Undoes arm. False: somebody has claimed the task and posts it: it must go through the line.
bool disarm(mc_task& task, wait::Reason reason) noexcept {
    if (!task.wakeup.claim(wait::kAnyKind, reason)) return false;
    if (task.seat) task.seat->state.store(seat::BUSY, std::memory_order_relaxed);  // nobody posts it now
    return true;
}

// An attached thread does, but where it may have to run tasks meanwhile.
bool keeps_time_itself(const mc_task& task) noexcept { return task.bound && task.rt.host.way == MC_WAY_LEND; }

// By a task that is armed.
mc_status start_reactor_wait(mc_task& task, std::uint64_t deadline, int fd, std::uint32_t events) noexcept {
    TaskWait& wait = task.reactor_wait;
    wait.claim = claim_for_reactor;
    wait.owner = &task;
    wait.deadline = deadline;
    wait.fd = fd;
    wait.events = events;
    wait.ready = 0;
    return start_wait(task, wait);
}

// Arms for `kind`, registers what the reactor is needed for, suspends.
mc_status wait_for(mc_task& task, wait::Kind kind, std::uint64_t deadline, int fd, std::uint32_t events,
                   std::uint32_t* ready) noexcept {
    if (const std::uint32_t mark = arm(task, kind)) {
        // One that goes on suspending with a mark pending must not keep the others from their turn.
        if (!(mark & wait::PERMIT)) {
            if (task.rt.baton.asked_for_poller()) poll_reactor(task.rt);
            if (task.rt.baton.due() || must_go_home(task.rt)) yield_to_others(task);
        }
        leave_if_abandoned(task);
        return status_of_mark(mark);
    }
    // It may end without the baton, so this comes after the arming.
    if (kind == wait::JOIN && !start_joining(task) && disarm(task, wait::JOINED)) return MC_OK;
    const bool reactor = fd >= 0 || (deadline != kForever && !keeps_time_itself(task));
    if (reactor) {
        const mc_status status =
            start_reactor_wait(task, keeps_time_itself(task) ? kForever : deadline, fd, events);
        if (status != MC_OK && disarm(task, wait::READY)) {
            if (status != MC_EAGAIN) return status;
            if (ready) *ready = task.reactor_wait.ready;
            return MC_OK;
        }
    }
    suspend(task, deadline);
    if (reactor) end_wait(task, task.reactor_wait);
    const mc_status status = status_of(task);
    if (status == MC_OK && ready) *ready = task.reactor_wait.ready;
    if (status == MC_OK || status == MC_ETIMEDOUT) tell_of_marks(task);
    return status;
}

}  // namespace

void start_timer(mc_task& task, std::uint64_t deadline) noexcept {
    if (deadline == kForever || keeps_time_itself(task)) return;
    // Without memory it is late: the thread looks at the clock when it finds nothing to run.
    (void)start_reactor_wait(task, deadline, -1, 0);
}

void stop_waiting(mc_task& task) noexcept {
    end_wait(task, task.reactor_wait);
    count_parked(task, false);
    stop_joining(task);
    mc_task_unref(task.join_target);
    task.join_target = nullptr;
}

mc_status register_wait(mc_task& task, TaskWait& wait) noexcept {
    // Relaxed: counted before the look for a poller, which the reactor's mutex orders.
    task.rt.waits.fetch_add(1, std::memory_order_relaxed);
    wait.counted = true;
    const mc_status status = reactor_add(wait);
    if (status != MC_OK) end_wait(task, wait);
    return status;
}

void find_poller(mc_runtime& rt) noexcept {
    if (reactor_has_poller()) return;
    if (rt.always_polls())
        rt.baton.leave_poller();
    else
        rt.baton.ask_for_poller();
}

mc_status start_wait(mc_task& task, TaskWait& wait) noexcept {
    const mc_status status = register_wait(task, wait);
    if (status == MC_OK) find_poller(task.rt);
    return status;
}

void end_wait(mc_task& task, TaskWait& wait) noexcept {
    if (!wait.counted) return;
    wait.counted = false;
    reactor_cancel(wait);
    task.rt.waits.fetch_sub(1, std::memory_order_relaxed);  // a hint
}

std::uint64_t deadline_after(std::uint64_t duration) noexcept {
    return duration == MC_FOREVER ? kForever : later(now_ns(), duration);
}

void suspend(mc_task& task, std::uint64_t deadline) noexcept {
    task.state.store(MC_TASK_SUSPENDED, std::memory_order_relaxed);
    if (task.bound)
        wait_bound(task, deadline, false, kForever);
    else
        schedule_away(task);
}

bool suspend_or_give_up(mc_task& task, std::uint64_t deadline, std::uint64_t give_up_at) noexcept {
    task.state.store(MC_TASK_SUSPENDED, std::memory_order_relaxed);
    return wait_bound(task, deadline, false, give_up_at);
}

mc_status join_task(mc_task& target, std::uint64_t timeout) noexcept {
    if (lost(target.rt)) return MC_EFORK;
    mc_task* task = suspendable();
    if (!task) return not_suspendable();
    if (&target.rt != &task->rt) return MC_EINVAL;
    if (&target == task) return MC_EDEADLK;
    if (target.result.load(std::memory_order_acquire) != MC_EAGAIN) return MC_OK;
    if (timeout == 0) {
        const mc_status pending = status_of_mark(task->wakeup.marks());
        return pending ? pending : MC_ETIMEDOUT;
    }
    task->join_target = mc_task_ref(&target);
    const mc_status status = wait_for(*task, wait::JOIN, deadline_after(timeout), -1, 0, nullptr);
    const bool ended = target.result.load(std::memory_order_acquire) != MC_EAGAIN;
    stop_waiting(*task);
    return ended ? MC_OK : status;
}

void yield_to_others(mc_task& task) noexcept {
    task.state.store(MC_TASK_READY, std::memory_order_relaxed);
    mc_runtime& rt = task.rt;
    if (task.bound) {
        if (rt.closed.load(std::memory_order_seq_cst) && rt.closer.load(std::memory_order_seq_cst) != &task) {
            // Told to end, it goes on. It can come here only: a wait begins no more once it was told.
            rt.baton.give_up(task.worker->seat, nullptr);
            end_straggler(task);
        }
        task.seat = &task.worker->seat;
        task.worker->seat.state.store(seat::SPIN, std::memory_order_relaxed);  // the grant reads it later
        rt.baton.drain();
        rt.baton.push(&task);
        wait_bound(task, kForever, true, kForever);
    } else {
        task.seat = nullptr;
        rt.baton.drain();
        rt.baton.push(&task);
        schedule_away(task);
    }
}

}  // namespace mc

using namespace mc;

extern "C" {

mc_status mc_task_sleep(uint64_t duration) {
    if (duration == 0) return mc_task_yield();
    mc_task* task = suspendable();
    if (!task) return not_suspendable();
    const mc_status status = wait_for(*task, wait::SLEEP, deadline_after(duration), -1, 0, nullptr);
    return status == MC_ETIMEDOUT ? MC_OK : status;
}

mc_status mc_task_park(uint64_t timeout) {
    mc_task* task = suspendable();
    if (!task) return not_suspendable();
    Parked counted(*task);
    if (timeout == 0) {
        if (const std::uint32_t mark = arm(*task, wait::PARK)) return status_of_mark(mark);
        if (disarm(*task, wait::TIME)) return MC_ETIMEDOUT;
        suspend(*task, kForever);
        tell_of_marks(*task);
        return status_of(*task);
    }
    return wait_for(*task, wait::PARK, deadline_after(timeout), -1, 0, nullptr);
}

mc_status mc_task_unpark(mc_task* task) {
    if (!task) return MC_EINVAL;
    if (lost(task->rt)) return MC_EFORK;
    if (task->wakeup.mark(wait::PERMIT, 1u << wait::PARK, wait::UNPARKED)) make_ready(*task, true);
    return MC_OK;
}

mc_status mc_task_wait_fd(int fd, uint32_t events, uint64_t timeout, uint32_t* ready) {
    mc_task* task = suspendable();
    if (!task) return not_suspendable();
    if (fd < 0 || events == 0 || (events & ~static_cast<uint32_t>(MC_READABLE | MC_WRITABLE)))
        return MC_EINVAL;
    if (timeout == 0) {
        if (const mc_status pending = status_of_mark(task->wakeup.marks())) return pending;
        pollfd query{
            fd,
            static_cast<short>((events & MC_READABLE ? POLLIN : 0) | (events & MC_WRITABLE ? POLLOUT : 0)),
            0};
        int count;
        do {
            count = poll(&query, 1, 0);
        } while (count < 0 && errno == EINTR);
        if (count < 0) return MC_ENOMEM;
        if (query.revents & POLLNVAL) return MC_EINVAL;
        if (count == 0) return MC_ETIMEDOUT;
        uint32_t got = 0;
        if (query.revents & (POLLIN | POLLERR | POLLHUP)) got |= MC_READABLE;
        if (query.revents & (POLLOUT | POLLERR | POLLHUP)) got |= MC_WRITABLE;
        if (ready) *ready = got & events;
        return MC_OK;
    }
    return wait_for(*task, wait::FD, deadline_after(timeout), fd, events, ready);
}

mc_status mc_task_join(mc_task* target, uint64_t timeout) {
    return target ? join_task(*target, timeout) : MC_EINVAL;
}

}  // extern "C"
