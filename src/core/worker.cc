// Threads and their part in a runtime: the pool of carriers, and what the baton asks about it.
// SPDX-License-Identifier: BSL-1.0
#include "core/worker.h"

#include <pthread.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <new>

#include "core/job.h"
#include "fiber/overflow.h"
#include "fiber/stack.h"
#include "platform/platform.h"

namespace mc {
namespace {

// Carriers run tasks on the tasks' own stacks; this one is for hooks.
constexpr std::size_t kCarrierStack = 256 * 1024;

constexpr std::uint32_t kAhead = 2;  // carriers started beyond the one that is needed

}  // namespace

void enlist_worker(Worker& worker) noexcept {
    mc_runtime& rt = *worker.rt;
    worker.prev = nullptr;
    worker.next = rt.workers;
    if (rt.workers) rt.workers->prev = &worker;
    rt.workers = &worker;
}

void unlist_worker(Worker& worker) noexcept {
    (worker.prev ? worker.prev->next : worker.rt->workers) = worker.next;
    if (worker.next) worker.next->prev = worker.prev;
    worker.next = worker.rt->free_workers;
    worker.rt->free_workers = &worker;
}

// All under the mutex: a fork finds the worker with those in use and complete, or not at all.
Worker* new_worker(mc_runtime& rt, Part part) noexcept {
    std::lock_guard lock(rt.mutex);
    Worker* worker = rt.free_workers;
    if (worker) {
        rt.free_workers = worker->next;
    } else {
        if (fault_hits(Fault::memory)) return nullptr;
        worker = new (std::nothrow) Worker;
        if (!worker) return nullptr;
        worker->rt = &rt;
        worker->seat.owner = worker;
        worker->node.seat = &worker->seat;
    }
    // Relaxed: only uniqueness counts. 0 and kNobody name no thread.
    std::uint32_t id = 0;
    do {
        id = (rt.next_seat.fetch_add(1, std::memory_order_relaxed) + 1) & word::kSeatMask;
    } while (id == 0 || id == word::kNobody);
    worker->seat.id = id;
    worker->seat.drives = part != Part::carrier;
    worker->seat.carrier = part != Part::guest;
    // Relaxed, here and below: nobody else knows the worker.
    worker->thread.store(part == Part::carrier ? 0 : thread_number(), std::memory_order_relaxed);
    worker->signals_blocked.store(part == Part::carrier, std::memory_order_relaxed);  // see launch_carrier
    worker->lost_baton = worker->straggled = worker->called_home = false;
    worker->stand_in = nullptr;
    worker->shipping = nullptr;
    worker->outer = {};
    worker->hosted = {};
    worker->hosted.resident = rt.resident;
    worker->hosted.base = &worker->home;
    worker->seat.state.store(seat::BUSY, std::memory_order_relaxed);
    enlist_worker(*worker);
    runtime_ref(rt);
    return worker;
}

void retire_worker(Worker& worker) noexcept {
    mc_runtime& rt = *worker.rt;
    {
        std::lock_guard lock(rt.attention_mutex);
        if (rt.attention_seat == worker.seat.id) rt.attention_seat = 0;
    }
    {
        std::lock_guard lock(rt.mutex);
        unlist_worker(worker);
    }
    runtime_unref(rt);
}

void runtime_ref(mc_runtime& rt) noexcept {
    rt.refs.fetch_add(1, std::memory_order_relaxed);  // whoever adds one has one
}

void runtime_unref(mc_runtime& rt) noexcept {
    // acq_rel: the last one sees everything the others did.
    if (rt.refs.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    for (Worker* worker = rt.free_workers; worker;) {
        Worker* following = worker->next;
        delete worker;
        worker = following;
    }
    if (const int fd = rt.event_fd.load(std::memory_order_relaxed); fd >= 0) close(fd);  // the last user
    if (rt.spare_stack.base) stack_release(rt.spare_stack);
    delete &rt;
}

void block_signals(Worker& worker) noexcept {
    if (worker.signals_blocked.load(std::memory_order_relaxed)) return;
    sigset_t all;
    sigfillset(&all);
    for (int synchronous : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS})
        sigdelset(&all, synchronous);
    pthread_sigmask(SIG_SETMASK, &all, nullptr);
    worker.signals_blocked.store(true, std::memory_order_relaxed);
}

void unblock_signals_now(Worker& worker) noexcept {
    pthread_sigmask(SIG_SETMASK, &worker.rt->creator_mask, nullptr);
    worker.signals_blocked.store(false, std::memory_order_relaxed);
}

// A carrier that starts sees to the next one first: where many tasks block in sections, each release needs a
// thread, and starting one takes longer than all the rest. (1,000 coroutines of Perl, each in a section of
// 100 ms, beside a build: 830 ms without, 235 with.)
static void start_ahead(mc_runtime& rt) noexcept {
    // Relaxed: a stale value starts a thread early or late.
    if (rt.threads_starting.load(std::memory_order_relaxed) > kAhead || !rt.baton.short_of_threads()) return;
    SeatT* fresh = rt.prepare_carrier();
    if (!fresh || rt.launch_carrier(*fresh)) return;
    rt.discard_carrier(*fresh);
    rt.baton.room_for_carrier();  // somebody may have been refused its place
}

static void give_place_back(mc_runtime& rt) noexcept {
    std::lock_guard lock(rt.mutex);
    rt.places.fetch_sub(1, std::memory_order_seq_cst);
    rt.place_free.notify_all();
}

bool leave_jobs_to_runner(mc_runtime& rt) noexcept {
    SeatT* runner = rt.runner.load(std::memory_order_seq_cst);
    if (!runner) return false;
    rt.no_carriers.store(true, std::memory_order_seq_cst);
    runner->wake();
    return true;
}

static void count_thread(mc_runtime& rt) noexcept {
    // Relaxed: statistics.
    const std::uint32_t now = rt.threads.fetch_add(1, std::memory_order_relaxed) + 1;
    std::uint32_t peak = rt.threads_peak.load(std::memory_order_relaxed);
    while (now > peak && !rt.threads_peak.compare_exchange_weak(peak, now, std::memory_order_relaxed)) {
    }
}

static void carrier_main(void* argument) {
    Worker& me = *static_cast<Worker*>(argument);
    mc_runtime& rt = *me.rt;
    count_thread(rt);
    start_ahead(rt);
    char title[32];
    std::snprintf(title, sizeof title, "%.11s/%u", rt.name, static_cast<unsigned>(me.seat.id));
    thread_name(title);
    this_thread().worker = &me;
    me.thread.store(thread_number(), std::memory_order_relaxed);  // for a fork on this thread
    overflow_enter_thread();
    me.home.adopt_thread();
    if (rt.thread_start) call_hook("thread_start", rt.thread_start, rt.hooks_arg);

    Idle idle = rt.baton.acquire_as_carrier(me.seat);
    rt.threads_starting.fetch_sub(1, std::memory_order_relaxed);
    for (; idle != Idle::leaves; idle = rt.baton.acquire_as_carrier(me.seat)) {
        if (idle == Idle::works)
            do_work(me);
        else if (drive(me, nullptr))
            break;  // it drives the runtime, in a forked child
    }
    if (me.seat.drives) run_orphans(me, idle);

    if (rt.thread_stop && !me.straggled) call_hook("thread_stop", rt.thread_stop, rt.hooks_arg);
    me.home.forget_thread();
    overflow_leave_thread();
    this_thread().worker = nullptr;
    rt.threads.fetch_sub(1, std::memory_order_relaxed);  // statistics
    give_place_back(rt);
    rt.baton.room_for_carrier();
    // Whoever submitted one may have counted on this thread.
    if (rt.has_job(false) && !rt.baton.rouse_for_job()) leave_jobs_to_runner(rt);
    retire_worker(me);  // the runtime may be gone
}

}  // namespace mc

using namespace mc;

SeatT* mc_runtime::prepare_carrier() noexcept {
    const int saved = errno;  // a release may need one
    SeatT* seat = new_carrier();
    errno = saved;
    return seat;
}

SeatT* mc_runtime::new_carrier() noexcept {
    if (closed.load(std::memory_order_relaxed)) return nullptr;
    // Never above the limit, not even for a moment: somebody else would be refused a place that is free.
    std::uint32_t taken = places.load(std::memory_order_relaxed);  // the CAS validates it
    do {
        if (taken >= max_threads) return nullptr;
        // seq_cst: counted before it is looked for, see mc_runtime_destroy.
    } while (!places.compare_exchange_weak(taken, taken + 1, std::memory_order_seq_cst));
    Worker* worker = new_worker(*this, Part::carrier);
    if (!worker) {
        give_place_back(*this);
        return nullptr;
    }
    return &worker->seat;
}

bool mc_runtime::launch_carrier(SeatT& seat) noexcept {
    threads_starting.fetch_add(1, std::memory_order_relaxed);  // a guess: see start_ahead
    // It starts idle, so with signals blocked.
    sigset_t all, before;
    sigfillset(&all);
    for (int synchronous : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS})
        sigdelset(&all, synchronous);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int error = mc::thread_start(carrier_main, seat.owner, kCarrierStack);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (error) {
        threads_starting.fetch_sub(1, std::memory_order_relaxed);
        return false;
    }
    no_carriers.store(false, std::memory_order_relaxed);  // what it leaves is asked for again
    return true;
}

void mc_runtime::discard_carrier(SeatT& seat) noexcept {
    retire_worker(*static_cast<Worker*>(seat.owner));
    give_place_back(*this);
}

bool mc_runtime::should_leave(bool drives) noexcept {
    if (closed.load(std::memory_order_seq_cst)) return true;
    if (!drives) return false;
    return stopping.load(std::memory_order_seq_cst) || unbound.load(std::memory_order_seq_cst) == 0;
}

bool mc_runtime::wants_spare() noexcept {
    // Relaxed: the holder counts, and asks for one when the first task parks.
    return parked.load(std::memory_order_relaxed) != 0 && !closed.load(std::memory_order_relaxed);
}

// A runner works only where no carrier can: its own part must not wait for a job to end.
bool mc_runtime::has_job(bool drives) noexcept {
    if (work.startable() == 0 || closed.load(std::memory_order_relaxed)) return false;
    if (!drives) return true;
    const std::uint32_t taken = places.load(std::memory_order_seq_cst);
    // Where only that thread runs tasks, not because none has been started yet.
    if (host.way != MC_WAY_LEND) return taken == 0 && no_carriers.load(std::memory_order_seq_cst);
    return taken == 0 || taken >= max_threads;
}

bool mc_runtime::stranded() noexcept {
    return (places.load(std::memory_order_relaxed) == 0 || host.way != MC_WAY_LEND) && !own_scheduler() &&
           !runner.load(std::memory_order_relaxed) && baton.has_work() &&
           word::state(baton.peek()) == word::FREE;
}

bool mc_runtime::may_lend() noexcept {
    if (!host.may_lend) return true;
    const int saved = errno;  // a release may ask
    HookScope scope(this_thread().task);
    const bool may = call_hook("may_lend", host.may_lend, host.self) != 0;
    errno = saved;
    return may;
}

void mc_runtime::attention(std::uint32_t holder) noexcept {
    // Relaxed first: waiters ask again and again.
    if (attention_sent.load(std::memory_order_relaxed)) return;
    if (attention_sent.exchange(true, std::memory_order_seq_cst)) return;
    std::lock_guard lock(attention_mutex);
    if (attention_seat == holder)
        call_hook("attention", host.attention, host.self);
    else
        attention_sent.store(false, std::memory_order_seq_cst);  // it changes hands now: ask again
}

void mc_runtime::dropped(NodeT& node) noexcept {
    Worker& worker = *static_cast<Worker*>(node.seat->owner);
    if (&node == &worker.node) return retire_worker(worker);  // of a runner that left
    mc_task& task = static_cast<mc_task&>(node);
    if (Worker* stand_in = task.worker->stand_in) {
        // Its thread runs other tasks for want of carriers. It holds the baton again before it looks.
        stand_in->called_home = true;
        return;
    }
    // A wait that timed out, of a thread that attached or shuts down: nobody else knows the task.
    if (loaded == &task) loaded = nullptr;
    retire_worker(*task.worker);
    mc_task_unref(&task);
}

namespace mc {

void call_attention(mc_runtime& rt) noexcept {
    if (!rt.host.attention) return;
    const word::Word w = rt.baton.peek();
    if (word::state(w) == word::HELD) rt.attention(word::seat(w));
}

}  // namespace mc
