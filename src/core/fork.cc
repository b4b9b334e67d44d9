// fork(): what a child gets, and what its parent must not notice. The argument is in docs/design/fork.md.
//
// Before a fork this thread takes all locks of ours, and each baton that no thread holds: then no other
// thread is amid a change, and the child's copy is whole. A runtime whose baton another thread holds is lost
// to the child. In the child nothing runs and nobody is woken here: a child that goes on to exec pays for no
// more than repairs. SPDX-License-Identifier: BSL-1.0
#include <unistd.h>

#include <cstdlib>
#include <new>

#include "core/dispatch.h"
#include "core/job.h"
#include "core/registry.h"
#include "core/section.h"
#include "core/ship.h"
#include "core/suspend.h"
#include "core/worker.h"

namespace mc {
namespace {

template <class Function>
void each_runtime(Function function) noexcept {
    for (mc_runtime* rt = registered(); rt;) {
        mc_runtime* following = rt->registry_next;
        function(*rt);
        rt = following;
    }
}

// The tasks whose code this thread is amid, innermost first: attached within a section of another runtime.
template <class Function>
void each_running_task(Function function) noexcept {
    for (ThreadState state = this_thread(); state.task; state = state.worker->outer) function(*state.task);
}

bool is_ours(const Worker& worker) noexcept {
    return worker.thread.load(std::memory_order_relaxed) == thread_number() &&  // our own store, or another's
           worker.seat.state.load(std::memory_order_relaxed) != seat::GONE;     // left behind by this thread
}

// With rt.mutex: this thread's part in the runtime that has that seat.
Worker* our_worker(mc_runtime& rt, std::uint32_t seat) noexcept {
    for (Worker* worker = rt.workers; worker; worker = worker->next)
        if (worker->seat.id == seat && is_ours(*worker)) return worker;
    return nullptr;
}

// ---- before, and in the parent ----

void hold_still(mc_runtime& rt) noexcept {
    rt.mutex.lock();
    rt.fork.nobody.id = word::kNobody;
    rt.fork.baton = Fork::Baton::borrowed;
    if (!rt.baton.borrow(rt.fork.nobody, rt.fork.from))
        rt.fork.baton = our_worker(rt, word::seat(rt.fork.from)) ? Fork::Baton::own : Fork::Baton::elsewhere;
    rt.attention_mutex.lock();
    rt.baton.before_fork();
}

void unlock(mc_runtime& rt) noexcept {
    rt.attention_mutex.unlock();
    rt.mutex.unlock();
}

void give_back(mc_runtime& rt) noexcept {
    rt.baton.after_fork_in_parent();
    if (rt.fork.baton == Fork::Baton::borrowed)
        rt.baton.give_back(rt.fork.nobody, rt.fork.from,
                           [&] { return rt.drivers.load(std::memory_order_seq_cst) == 0; });
}

// ---- in the child ----

// Its C stack is on a thread that was left behind. It ends when its turn comes, on a thread that can run
// hooks.
void lose_task(mc_task& task) noexcept {
    mc_runtime& rt = task.rt;
    if (task.bound) {
        task.bound = false;  // whoever drives the runtime sees to its end
        // seq_cst for simplicity, here and below: there is one thread.
        rt.attached.fetch_sub(1, std::memory_order_seq_cst);
        rt.unbound.fetch_add(1, std::memory_order_seq_cst);
    }
    if (task.job) lose_job(job_of(task));
    if (task.gate_now() & gate::kShipped) rt.work.finished(MC_WORK_IO);
    task.wakeup.mark(wait::LOST, wait::kAnyKind, wait::CANCELLED);
    stop_waiting(task);
    forget_options(task);
    task.entered.clear();
    task.set_gate(0);
    task.seat = nullptr;
    task.returning = false;
    task.fiber.lose();
    task.state.store(MC_TASK_READY, std::memory_order_relaxed);
    if (!task.linked) rt.baton.enqueue(&task);
}

// A thread was left behind between the claim of an unblock function and its end.
void forget_unblock(mc_task& task) noexcept {
    std::uint32_t running = unblock::RUNNING;
    if (task.section.unblock_state.compare_exchange_strong(running, unblock::DONE, std::memory_order_seq_cst))
        if (!task.adopted) mc_task_unref(&task);  // finish_unblock's; the task is alive and has its own
}

// Its C stack, or its work, is on a thread that was left behind; or it is a job whose `done` has not been
// called: that is the parent's to call with what came of it.
bool is_left_behind(mc_task& task) noexcept {
    if (task.job && !task.started)
        return job_of(task).phase != mc_job::Phase::works || !is_ours(*task.worker);
    return (task.bound || !task.holds_baton()) && !is_ours(*task.worker);
}

// Not armed and not on a thread: claimed or spawned, and the thread that did so had yet to post it.
bool misses_its_post(const mc_task& task) noexcept {
    const std::uint32_t state = task.state.load(std::memory_order_relaxed);
    // DUE: shipped, and back.
    const bool waits = state == MC_TASK_NEW || state == MC_TASK_READY || state == MC_TASK_SUSPENDED ||
                       (state == MC_TASK_DUE && !task.in_section());
    return waits && !task.job && !task.linked && task.wakeup.claimed();
}

// To be shipped, but no carrier had come for it: it goes on at home, as where none can be had.
void stay(mc_task& task) noexcept {
    task.rt.work.remove(task);
    task.set_gate((task.gate_now() | gate::kInline) & ~gate::kShipped);
    task.state.store(MC_TASK_READY, std::memory_order_relaxed);
}

void sort_tasks(mc_runtime& rt) noexcept {
    for (mc_task* task = rt.tasks; task; task = task->next_task) {
        if (task->state.load(std::memory_order_relaxed) == MC_TASK_ENDED)
            continue;  // this thread is amid its end
        forget_unblock(*task);
        if (task->queued && !task->job) stay(*task);
        if (is_left_behind(*task))
            lose_task(*task);
        else if (misses_its_post(*task))
            rt.baton.enqueue(task);
    }
}

// A node of a thread that was left behind, out of the line.
void drop_waiter(NodeT& node) noexcept {
    if (&node == &static_cast<Worker*>(node.seat->owner)->node) return;  // a runner's
    mc_task& task = static_cast<mc_task&>(node);
    if (!task.listed) mc_task_unref(&task);  // it was attaching; of a listed one sort_tasks takes care
}

bool gone(const SeatT* seat) noexcept { return seat && !is_ours(*static_cast<Worker*>(seat->owner)); }

// The threads that were left behind have no part in the runtime any more.
void forget_threads(mc_runtime& rt) noexcept {
    for (Worker* worker = rt.workers; worker;) {
        Worker* following = worker->next;
        if (!is_ours(*worker)) {
            worker->dead = nullptr;
            worker->seat.polling.store(false, std::memory_order_seq_cst);
            unlist_worker(*worker);
            runtime_unref(rt);
        }
        worker = following;
    }
    rt.places.store(0, std::memory_order_seq_cst);
    rt.threads.store(0, std::memory_order_seq_cst);
    rt.threads_peak.store(0, std::memory_order_seq_cst);
    rt.threads_starting.store(0, std::memory_order_seq_cst);
    rt.stragglers.store(0, std::memory_order_seq_cst);
    if (gone(rt.runner.load(std::memory_order_seq_cst))) {
        rt.runner.store(nullptr, std::memory_order_seq_cst);
        rt.stopping.store(false, std::memory_order_seq_cst);  // was meant for that one
        runtime_unref(rt);
    }
    if (gone(rt.leaving.load(std::memory_order_seq_cst)))
        rt.leaving.store(nullptr, std::memory_order_seq_cst);
    const mc_task* waiter = rt.shutdown_waiter.load(std::memory_order_seq_cst);
    if (waiter && !is_ours(*waiter->worker)) rt.shutdown_waiter.store(nullptr, std::memory_order_seq_cst);
    if (!rt.shutdown_waiter.load(std::memory_order_seq_cst)) rt.shutdown_runs = false;
    if (rt.home.load(std::memory_order_seq_cst) != thread_number())
        rt.home.store(0, std::memory_order_seq_cst);
    new (&rt.place_free) std::condition_variable;  // without a thread that shuts down a host that schedules
    if (!our_worker(rt, rt.attention_seat)) rt.attention_seat = 0;
    rt.attention_sent.store(false, std::memory_order_seq_cst);
}

// A carrier that forked goes on alone, and drives the child, as there is nobody else who would.
void count_drivers(mc_runtime& rt) noexcept {
    std::uint32_t drivers = 0;
    for (Worker* worker = rt.workers; worker; worker = worker->next) {
        if (!worker->seat.drives) {
            worker->seat.drives = true;
            runtime_ref(rt);  // as mc_runtime_run
            rt.runner.store(&worker->seat, std::memory_order_seq_cst);
            rt.home.store(thread_number(), std::memory_order_seq_cst);
        }
        ++drivers;
        if (worker->stand_in) --drivers;  // counted once for both
    }
    rt.drivers.store(drivers, std::memory_order_seq_cst);
}

// What the baton is in the child, if it is not this thread's.
word::Word fresh_word(mc_runtime& rt) noexcept {
    const word::Word before = rt.fork.from;
    if (word::state(before) == word::LENT && our_worker(rt, word::seat(before))) return before;
    const bool driven = rt.drivers.load(std::memory_order_seq_cst) != 0;
    return word::with(before, driven ? word::FREE : word::PAUSED, 0);
}

void inherit(mc_runtime& rt) noexcept {
    rt.baton.after_fork_in_child([](const SeatT& seat) { return gone(&seat); }, drop_waiter);
    sort_tasks(rt);
    forget_job_waiters(rt);
    forget_threads(rt);
    count_drivers(rt);
    renew_event_fd(rt);
    if (reactor_waits() != 0) rt.baton.ask_for_poller();
    if (rt.wants_spare()) rt.baton.ask_for_spare();
    if (rt.fork.baton == Fork::Baton::borrowed) rt.baton.settle(fresh_word(rt));
}

// A coroutine in a section of a thread that was left behind: it is never due, and its end is the host's to
// make.
void lose_adopted(mc_task& task) noexcept {
    forget_unblock(task);
    forget_options(task);
    task.wakeup.mark(wait::LOST, 0, wait::CANCELLED);
    task.entered.clear();
    task.set_gate(gate::kAdopted);
    task.state.store(MC_TASK_ENDED, std::memory_order_relaxed);
}

// A host that schedules has coroutines in the sections of threads that were left behind, which nobody can end
// for it. It goes on with the others, on this thread only.
void inherit_hosted(mc_runtime& rt) noexcept {
    for (mc_task* task = rt.tasks; task; task = task->next_task)
        if (task->adopted && task->in_section() && !is_ours(*task->worker)) lose_adopted(*task);
    rt.can_lend.store(false, std::memory_order_seq_cst);
    rt.lends.store(false, std::memory_order_seq_cst);
    rt.baton.after_fork_in_child([](const SeatT& seat) { return gone(&seat); }, drop_waiter);
    while (rt.baton.front_task()) rt.baton.pop_front();
    if (rt.host_thread && !is_ours(*rt.host_thread)) rt.host_thread = nullptr;
    forget_threads(rt);
    const bool paused = rt.fork.baton == Fork::Baton::borrowed && word::state(rt.fork.from) == word::PAUSED;
    rt.drivers.store(paused ? 0 : 1, std::memory_order_seq_cst);
    if (rt.fork.baton == Fork::Baton::borrowed) rt.baton.settle(fresh_word(rt));
}

// This thread has the baton, or has lent it, or nobody is attached: else another one is amid the host's code.
bool can_inherit(mc_runtime& rt) noexcept {
    if (rt.fork.baton == Fork::Baton::elsewhere) return false;
    if (!rt.own_scheduler() || rt.fork.baton == Fork::Baton::own) return true;
    const word::Word from = rt.fork.from;
    return word::state(from) == word::PAUSED ||
           (word::state(from) == word::LENT && our_worker(rt, word::seat(from)));
}

// What another thread was about is unknown: nothing of the runtime may be used any more.
void lose(mc_runtime& rt) noexcept {
    rt.lost.store(true, std::memory_order_relaxed);  // one thread
    for (mc_task* task = rt.tasks; task; task = task->next_task) {
        reactor_cancel(task->reactor_wait);
        reactor_cancel(task->section.timer);
    }
    each_running_task([&](mc_task& task) {
        if (&task.rt == &rt) task.wakeup.mark(wait::LOST, 0, wait::CANCELLED);
    });
    strike_out(rt);
}

}  // namespace

void before_fork() noexcept {
    each_running_task(stop_clock);  // the child's thread starts at 0
    lock_registry();
    if (registered()) {
        // Makes what another thread may be making just now: the child could not wait for it.
        (void)RealSys::one_cpu();
        RealSys::light_fence();
    }
    each_runtime(hold_still);
    lock_modules();
    reactor_before_fork();
}

void after_fork_in_parent() noexcept {
    reactor_after_fork_in_parent();
    unlock_modules();
    each_runtime(unlock);
    each_runtime(give_back);
    unlock_registry();
    each_running_task(start_clock);
}

void after_fork_in_child() noexcept {
    reactor_after_fork_in_child();
    unlock_modules();
    each_runtime(unlock);
    each_runtime([](mc_runtime& rt) {
        if (!can_inherit(rt))
            lose(rt);
        else
            rt.own_scheduler() ? inherit_hosted(rt) : inherit(rt);
    });
    unlock_registry();
    each_running_task(start_clock);
}

void run_orphans(Worker& worker, Idle idle) noexcept {
    mc_runtime& rt = *worker.rt;
    const bool straggled = worker.straggled;
    runtime_ref(rt);
    (void)run_tasks(worker, idle);
    if (!straggled) {
        if (rt.thread_stop) call_hook("thread_stop", rt.thread_stop, rt.hooks_arg);
        if (rt.host.orphan) call_hook("orphan", rt.host.orphan, rt.host.self);
    }
    std::exit(0);
}

void end_lost_section(const mc_task& task) noexcept {
    report(&task.rt, MC_EFORK, task.site, task.name,
           "mc_acquire in a child that was forked in a section, while another thread held the interpreter: "
           "it is not "
           "usable here and the process ends; exec or _exit before, or fork with the interpreter held");
    _exit(EXIT_FAILURE);
}

}  // namespace mc
