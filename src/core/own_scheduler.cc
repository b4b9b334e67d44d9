// Sections of hosts that schedule, and who goes on meanwhile; see the header.
// SPDX-License-Identifier: BSL-1.0
#include "core/own_scheduler.h"

#include "core/hosted_pair.h"
#include "core/section.h"
#include "platform/platform.h"

namespace mc {
namespace {

// ns a section that has ended leaves the baton to carriers while other coroutines are ready, if the host does
// not schedule those that are due first. Its own thread would run the others with their sections inline (H3),
// so it helps itself only where carriers do not come.
constexpr std::uint64_t kPatience = 1'000'000;

void lend(mc_task& task) noexcept {
    mc_runtime& rt = task.rt;
    rt.lender = &task;
    bool others = false;
    {
        HookScope scope(&task);
        others = host_is_ready(rt);
    }
    others ? rt.baton.lend_with_work(task.worker->seat) : rt.baton.lend(task.worker->seat);
}

// The first and only frame of the library on a deputy's stack.
void deputy_main(void* lender) noexcept {
    mc_task& task = *static_cast<mc_task*>(lender);
    mc_runtime& rt = task.rt;
    call_hook("run", rt.host.run, rt.host.self, &task);
    Worker* worker = this_thread().worker;  // maybe not the one it began on
    if (!worker || worker->rt != &rt) die("`run` returned on a thread that does not run the host:", rt.name);
    rt.lender = &task;
    worker->dead = &task;
    Fiber::exit_to(task.fiber, *worker->hosted.base);
}

// First thing at a base after a switch to it.
void drop_deputy(Worker& worker) noexcept {
    mc_task* dead = worker.dead;
    if (!dead) return;  // a thread's own stack left for its thread
    worker.dead = nullptr;
    dead->fiber.finish();
    stack_release(dead->stack);
    mc_task_unref(dead);
}

// The host's code may go on for long without a release, and its switches are its own.
void see_to_poller(mc_runtime& rt) noexcept {
    if (rt.baton.asked_for_poller()) rt.baton.rouse_for_poll();
}

// Returns when a deputy has ended on this thread, or somebody wants another one to go on. False: no memory.
bool send_deputy(Worker& worker) noexcept {
    mc_runtime& rt = *worker.rt;
    mc_task& lender = *rt.lender;
    if (!stack_allocate(rt.stack_size, lender.stack)) return false;
    lender.fiber.prepare(lender.stack, deputy_main, mc_task_ref(&lender));
    take_over(worker, nullptr);  // not for the lender: that one is busy in its section
    see_to_poller(rt);
    end_orphans(rt);
    mc_task* const before = this_thread().task;
    this_thread().task = worker.hosted.resident;
    Fiber::switch_to(*worker.hosted.base, lender.fiber);
    this_thread().task = before;
    drop_deputy(worker);
    return true;
}

// From now on its thread can be handed the baton.
void queue_again(mc_task* self) noexcept {
    if (!self) return;
    self->worker->seat.state.store(seat::SPIN, std::memory_order_relaxed);  // published with the baton
    self->since = 0;
    self->rt.baton.push(self);
}

bool is_due(const mc_task& task) noexcept {
    // Acquire: pairs with the store in take_back_hosted; its thread's seat waits then.
    return task.state.load(std::memory_order_acquire) == MC_TASK_DUE;
}

void hand_over(Worker& worker, Worker& to) noexcept {
    if (!worker.rt->baton.hand_to(worker.seat, to.seat))
        die("a section's thread does not wait for the baton:", worker.rt->name);
}

enum class Settled { given, own_turn, not_yet };

// At a base, after a deputy has ended here: who goes on from the lender's section.
Settled settle(Worker& worker, mc_task* self) noexcept {
    mc_runtime& rt = *worker.rt;
    if (Worker* wanted = worker.hosted.wanted) {
        worker.hosted.wanted = nullptr;
        queue_again(self);
        hand_over(worker, *wanted);
        return Settled::given;
    }
    mc_task& lender = *rt.lender;
    if (is_due(lender)) {
        if (&lender == self) return Settled::own_turn;
        queue_again(self);
        hand_over(worker, *lender.worker);
        return Settled::given;
    }
    // The host had nothing to run.
    if (!self && rt.baton.lend_back(worker.seat, lender.worker->seat)) return Settled::given;
    return Settled::not_yet;
}

// Without memory for a deputy the lend is not to be taken.
void put_back(Worker& worker, mc_task* self) noexcept {
    mc_task& lender = *worker.rt->lender;
    queue_again(self);
    Worker& to = *lender.worker;
    if (!worker.rt->baton.lend_back_refused(worker.seat, to.seat, lender)) hand_over(worker, to);
}

// By a section's thread, whose node has been posted: waits until it holds, for its own section or to go on
// from another's. A node without a seat is the carriers' to serve, as long as they come in time.
void await_turn(mc_task& task) noexcept {
    mc_runtime& rt = task.rt;
    SeatT& seat = task.worker->seat;
    bool alone = task.seat != nullptr;
    const std::uint64_t patience = alone ? kForever : now_ns() + kPatience;
    const auto may_take = [&] {
        const word::Word w = rt.baton.peek();
        return alone || (word::state(w) == word::LENT && word::seat(w) == seat.id);
    };
    while (!rt.baton.await(seat, task, alone ? kForever : patience, may_take)) alone = true;
}

// After any wait for the baton, which the holder may have given by name, with the node still in the line.
void begin_turn(mc_task& task) noexcept {
    mc_runtime& rt = task.rt;
    rt.baton.take_off(task);
    if (!rt.closed.load(std::memory_order_seq_cst)) return;
    // Shut down while it waited: it passes the baton on and goes.
    rt.baton.give_up(task.worker->seat, nullptr);
    end_straggler(task);
}

}  // namespace

mc_task* hosted_task(mc_task& resident) noexcept {
    if (resident.gate_now() & (gate::kDepth | gate::kHook)) return &resident;
    mc_runtime& rt = resident.rt;
    HookScope scope(&resident);
    mc_task* task = call_hook("current", rt.host.current, rt.host.self);
    if (!task || &task->rt != &rt) return &resident;
    // In a section: that runs on another thread, and this is its deputy. No adopted one: it has ended.
    return (task->gate_now() & (gate::kAdopted | gate::kDepth)) == gate::kAdopted ? task : &resident;
}

void open_hosted(mc_task& task, mc_site* site) noexcept {
    task.site = site;
    mc_runtime& rt = task.rt;
    add(rt.sections, 1);
    // Relaxed: the pusher's own thread, or one whose turn comes later.
    if (rt.orphans.load(std::memory_order_relaxed)) end_orphans(rt);
    task.worker = this_thread().worker;
    this_thread().task = &task;
    bool lends = lends_now(task);
    if (lends && task.worker->hosted.due_below) {
        lends = false;
        rt.due_first.store(false, std::memory_order_relaxed);  // what take_back_hosted guesses by
    }
    if (!lends) add(rt.sections_inline, 1);
    task.set_gate((task.gate_now() + 1) | (lends ? 0 : gate::kInline));
    if (lends) lend(task);
}

void reopen_hosted(mc_task& task, bool is_inline) noexcept {
    task.worker = this_thread().worker;  // the callback may have moved
    this_thread().task = &task;
    if (is_inline) return;
    // Not after a shutdown in the callback: somebody who was given up could take it.
    if (task.worker->hosted.due_below || (task.gate_now() & gate::kAtomic) ||
        !task.rt.can_lend.load(std::memory_order_relaxed))  // set by this thread, or a setting
        task.set_gate(task.gate_now() | gate::kInline);
    else
        lend(task);
}

void tell_who_shuts_down(mc_runtime& rt) noexcept {
    std::lock_guard lock(rt.mutex);
    rt.place_free.notify_all();  // wait_for_sections
}

bool carry_on(Worker& worker, mc_task* self) noexcept {
    mc_runtime& rt = *worker.rt;
    if (!rt.lender) {
        // Handed to this carrier by a thread that was about to detach.
        rt.baton.pause(worker.seat, [] { return true; });
        return false;
    }
    for (;;) {
        if (!send_deputy(worker)) {
            put_back(worker, self);
            return false;
        }
        const Settled settled = settle(worker, self);
        if (settled != Settled::not_yet) return settled == Settled::own_turn;
    }
}

void take_back_hosted(mc_task& task) noexcept {
    mc_runtime& rt = task.rt;
    Worker& worker = *task.worker;
    if (lost(rt)) end_lost_section(task);
    if (rt.closed.load(std::memory_order_seq_cst)) end_straggler(task);
    const std::uint64_t start = now_ns();
    // Relaxed: a guess. The host is asked before `wake`, which may add this one.
    const bool by_carriers = !rt.due_first.load(std::memory_order_relaxed) && host_is_ready(rt);
    task.seat = by_carriers ? nullptr : &worker.seat;  // H4
    task.returning = true;
    worker.seat.state.store(seat::SPIN, std::memory_order_relaxed);  // published by the next line
    task.state.store(MC_TASK_DUE, std::memory_order_release);        // pairs with is_due
    call_hook("wake", rt.host.wake, rt.host.self);
    if (by_carriers) {
        task.since = start;
        rt.baton.post(&task);
        await_turn(task);
    } else if (rt.baton.try_take(worker.seat)) {
        worker.seat.state.store(seat::BUSY, std::memory_order_relaxed);  // own transition
    } else {
        rt.baton.acquire_waiting(worker.seat, task);
    }
    begin_turn(task);
    while (rt.lender != &task) {
        Fiber here;
        here.adopt_thread();
        HostedThread outer = worker.hosted;
        worker.hosted.base = &here;
        worker.hosted.due_below = true;
        const bool own_turn = carry_on(worker, &task);
        worker.hosted.base = outer.base;
        worker.hosted.due_below = outer.due_below;
        here.forget_thread();
        if (own_turn) break;
        await_turn(task);
        begin_turn(task);
    }
    task.returning = false;
    task.seat = nullptr;
    task.state.store(MC_TASK_RUNNING, std::memory_order_relaxed);
    const std::uint64_t waited = now_ns() - start;
    if (waited > rt.longest_wait.load(std::memory_order_relaxed))
        rt.longest_wait.store(waited, std::memory_order_relaxed);  // single writer: the holder
    take_over(worker, &task);
    see_to_poller(rt);
}

void home_main(void* argument) {
    Worker& worker = *static_cast<Worker*>(argument);
    mc_runtime& rt = *worker.rt;
    mc_task& resident = *worker.hosted.resident;
    drop_deputy(worker);
    this_thread().task = nullptr;
    for (;;) {
        worker.hosted.at_home = true;
        worker.seat.state.store(seat::SPIN, std::memory_order_relaxed);  // published with the baton
        if (settle(worker, nullptr) == Settled::given) break;
        worker.seat.state.store(seat::BUSY, std::memory_order_relaxed);  // nobody knew
        worker.hosted.at_home = false;
        if (!send_deputy(worker)) {
            worker.hosted.at_home = true;
            worker.seat.state.store(seat::SPIN, std::memory_order_relaxed);  // published with the baton
            put_back(worker, nullptr);
            break;
        }
    }
    rt.baton.room_for_carrier();  // this thread does not look
    const auto never = [] { return false; };
    while (!rt.baton.await(worker.seat, resident, kForever, never)) {
    }
    worker.hosted.at_home = false;
    this_thread().task = &resident;
    take_over(worker, &resident);
    Fiber::switch_to(worker.home, *worker.hosted.native);
    die("a thread's base went on after it was left:", rt.name);
}

}  // namespace mc

using namespace mc;

bool mc_runtime::has_other_work() noexcept { return own_scheduler() && host_is_ready(*this); }

SeatT* mc_runtime::seat_of(NodeT& node) noexcept {
    if (!own_scheduler() || node.seat) return node.seat;
    return &static_cast<mc_task&>(node).worker->seat;  // H4: it waits there
}
