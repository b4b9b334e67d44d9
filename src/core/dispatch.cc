// Event loops: a descriptor that says there is something to do, and a call that does it.
//
// D1  Once the descriptor exists, whoever makes something ready, or has queued for a paused baton, rings
//     after that, and so does a pause that finds somebody queued. dispatch silences it before it looks, and
//     rings again if it leaves something.
// D2  The thread that dispatches may be the only one of the runtime, and its loop may block with the baton
//     kept: so while the reactor waits a carrier polls it (always_polls).
// SPDX-License-Identifier: BSL-1.0
#include "core/dispatch.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>

#include "core/registry.h"
#include "core/section.h"
#include "core/suspend.h"
#include "core/worker.h"

namespace mc {
namespace {

// The descriptor first: who rings in between finds it rung, writes nothing, and is seen by the look that
// follows. The other way round its write could be read here, and all later ones would think it still rung.
// Also where it does not look rung: a write may come late.
void silence(mc_runtime& rt) noexcept {
    const int fd = rt.event_fd.load(std::memory_order_relaxed);
    if (fd < 0) return;
    eventfd_t count = 0;
    (void)eventfd_read(fd, &count);                      // EAGAIN: nothing was written
    rt.rung.exchange(false, std::memory_order_seq_cst);  // before the look
}

// A thread is next, or before the next task: it has its turn, and after it this one.
void let_thread_run(Worker& worker) noexcept {
    Baton<RealSys>& baton = worker.rt->baton;
    worker.seat.state.store(seat::SPIN, std::memory_order_relaxed);  // the grant reads it later
    baton.push(&worker.node);
    if (baton.give_up(worker.seat, &worker.node) != GaveUp::own_turn)
        while (!baton.await(worker.seat, worker.node, kForever, [] { return true; })) {
        }
    worker.seat.state.store(seat::BUSY, std::memory_order_relaxed);  // own transition
}

// With the baton, on this thread's own stack. How many turns there were.
int run_ready(Worker& worker, std::uint32_t max_events) noexcept {
    mc_runtime& rt = *worker.rt;
    worker.called_home = true;  // the tasks come here after each turn
    int count = 0;
    rt.baton.drain();
    std::uint32_t left = max_events ? max_events : rt.baton.length();
    for (; left > 0 && !rt.closed.load(std::memory_order_seq_cst); --left, ++count) {
        if (rt.baton.asked_for_poller()) poll_reactor(rt);
        rt.baton.drain();
        if (NodeT* node = rt.baton.front_task()) {
            rt.baton.pop_front();
            if (!run_task(worker, static_cast<mc_task&>(*node)))
                rt.baton.acquire(worker.seat, worker.node, kForever);
        } else if (rt.baton.length() > 0) {
            let_thread_run(worker);
        } else {
            break;
        }
    }
    return count;
}

}  // namespace

void ring(mc_runtime& rt) noexcept {
    const int fd = rt.event_fd.load(std::memory_order_seq_cst);
    if (fd < 0 || rt.rung.exchange(true, std::memory_order_seq_cst)) return;
    const int saved = errno;
    (void)eventfd_write(fd, 1);
    errno = saved;
}

void renew_event_fd(mc_runtime& rt) noexcept {
    const int fd = rt.event_fd.load(std::memory_order_relaxed);
    if (fd < 0) return;
    const int own = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (own >= 0) {  // else it stays the parent's
        (void)dup3(own, fd, O_CLOEXEC);
        close(own);
    }
    rt.rung.store(false, std::memory_order_seq_cst);
    if (rt.baton.anybody_waits()) ring(rt);
}

void pause_runtime(Worker& worker) noexcept {
    mc_runtime& rt = *worker.rt;
    rt.baton.pause(worker.seat, [&] { return rt.drivers.load(std::memory_order_seq_cst) == 0; });
    if (rt.baton.anybody_waits()) ring(rt);
    if (rt.jobs.load(std::memory_order_relaxed) == 0) return;
    std::lock_guard lock(rt.mutex);
    rt.job_over.notify_all();  // those who wait for a `done` that nobody will call
}

}  // namespace mc

using namespace mc;

void mc_runtime::queued() noexcept {
    // In a pause nobody lets it in but dispatch. A pause that begins later rings itself.
    if (event_fd.load(std::memory_order_seq_cst) >= 0 && word::state(baton.peek()) == word::PAUSED)
        ring(*this);
}

bool mc_runtime::always_polls() noexcept {
    // Relaxed: a job or a descriptor that comes now sees to it itself.
    return event_fd.load(std::memory_order_relaxed) >= 0 || jobs.load(std::memory_order_relaxed) != 0;
}

extern "C" {

int mc_runtime_event_fd(mc_runtime* rt) {
    if (!rt) return MC_EINVAL;
    if (lost(*rt)) return MC_EFORK;
    if (rt->own_scheduler()) return MC_ENOTSUP;
    int fd = rt->event_fd.load(std::memory_order_seq_cst);
    if (fd >= 0) return fd;
    {
        std::lock_guard lock(rt->mutex);
        fd = rt->event_fd.load(std::memory_order_relaxed);  // set under the mutex
        if (fd < 0) {
            fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
            if (fd < 0) return MC_ENOMEM;
            rt->event_fd.store(fd, std::memory_order_seq_cst);
        }
    }
    ring(*rt);  // whatever there was before
    rt->baton.leave_poller();
    return fd;
}

int mc_runtime_dispatch(mc_runtime* runtime, uint32_t max_events) {
    if (!runtime) return MC_EINVAL;
    mc_runtime& rt = *runtime;
    if (lost(rt)) return MC_EFORK;
    mc_task* me = this_thread().task;
    const mc_task* mine = attached_to(rt);
    if (mine && !mine->bound) return MC_EDEADLK;
    if ((mine && mine != me) || (!mine && baton_held())) return MC_EPERM;
    if (mine && (me->gate_now() & (gate::kHook | gate::kAtomic | gate::kNoSuspend))) return MC_EPERM;
    if (mine && me->in_section()) {
        const mc_status status = section_enter();
        if (status != MC_OK) return status;
        const int count = mc_runtime_dispatch(runtime, max_events);
        section_leave();
        return count;
    }
    if (exits_here(rt)) return MC_ESHUTDOWN;
    if (!comes_home(rt) || rt.own_scheduler()) return MC_ENOTSUP;
    if (rt.closed.load(std::memory_order_seq_cst)) return MC_ESHUTDOWN;
    Worker* worker = new_worker(rt, Part::guest);
    if (!worker) return MC_ENOMEM;
    const ThreadState outer = this_thread();
    worker->outer = mine ? me->worker->outer : outer;
    silence(rt);
    if (mine) {
        stop_clock(*me);
        me->worker->stand_in = worker;
        rt.baton.rename(worker->seat);
    } else {
        start_driving(rt);  // before it looks at the word; see Baton::pause
        rt.baton.acquire(worker->seat, worker->node, kForever);
    }
    this_thread().task = nullptr;
    this_thread().worker = worker;
    worker->home.adopt_thread();
    const int count = run_ready(*worker, max_events);
    worker->home.forget_thread();
    const bool more = rt.baton.anybody_waits();
    this_thread().task = outer.task;
    this_thread().worker = outer.worker;
    if (mine) {
        rt.baton.rename(me->worker->seat);
        me->worker->stand_in = nullptr;
        retire_worker(*worker);
        start_clock(*me);
        hold(*me->worker, *me);
    } else {
        leave_runtime(*worker);
    }
    if (more) ring(rt);
    return count;
}

}  // extern "C"
