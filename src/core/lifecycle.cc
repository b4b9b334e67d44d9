// Runtimes: creation, running, stopping, destruction.
// SPDX-License-Identifier: BSL-1.0
#include <pthread.h>

#include <algorithm>
#include <cstdio>
#include <new>

#include "core/dispatch.h"
#include "core/job.h"
#include "core/own_scheduler.h"
#include "core/registry.h"
#include "core/suspend.h"
#include "core/worker.h"
#include "fiber/overflow.h"
#include "platform/platform.h"

namespace mc {
namespace {

bool owner_of_stack(Stack& stack, const char*& name) {
    const mc_task* task = tls_state.task;  // in a signal handler: no switch can come between
    if (!task || task->bound) return false;
    stack = task->stack;
    name = task->name;
    return true;
}

BatonTimes times_of(const mc_runtime_options& options, const mc_host& host) noexcept {
    BatonTimes times;
    times.section_slice = options.section_slice;
    times.slice = options.slice;
    times.idle_timeout = options.idle_timeout;
    times.keep_idle = options.keep_idle_threads;
    times.attention = host.attention != nullptr;
    times.anywhere = host.way == MC_WAY_LEND;
    return times;
}

template <class T>
void default_to(T& field, T value) noexcept {
    if (field == 0) field = value;
}

void fill_defaults(mc_runtime_options& options) noexcept {
    default_to(options.max_threads, std::uint32_t{512});
    default_to(options.keep_idle_threads, std::uint32_t{cpus()});
    default_to(options.idle_timeout, std::uint64_t{5'000'000'000});
    default_to(options.section_slice, std::uint64_t{5'000});
    default_to(options.slice, std::uint64_t{1'000'000});
    default_to(options.stack_size, std::uint64_t{256 * 1024});
    default_to(options.job_queue_limit, std::uint32_t{65'536});
}

// NULL: fine; else what is wrong.
const char* wrong_with(const mc_runtime_options& options) noexcept {
    if (options.flags & ~MC_RUNTIME_CPU_TIME) return "flags has unknown bits";
    if (options.stack_size == kForever) return "stack_size cannot be unlimited";
    return nullptr;
}

const char* wrong_with(const mc_host& host) noexcept {
    if (host.way > MC_WAY_JOB) return "host.way is none of MC_WAY_LEND, MC_WAY_SHIP, MC_WAY_JOB";
    if (host.flags & ~MC_HOST_OWN_SCHEDULER) return "host.flags has unknown bits";
    if ((host.flags & MC_HOST_OWN_SCHEDULER) && !(host.current && host.ready && host.run && host.wake))
        return "host.flags has MC_HOST_OWN_SCHEDULER: current, ready, run and wake must be set";
    return nullptr;
}

// By the runner. Once the last driver has left, nothing runs: so the last one waits for the baton, to pause
// the runtime. But not for one that comes meanwhile, and may keep it for long. True: it was the last one.
// `left_behind`: it waited in vain, and the worker is the line's to retire.
bool stop_driving(Worker& worker, bool& holding, bool& left_behind) noexcept {
    mc_runtime& rt = *worker.rt;
    std::uint32_t drivers = rt.drivers.load(std::memory_order_seq_cst);
    for (;;) {
        if (drivers == 1 && !holding && !left_behind && !rt.closed.load(std::memory_order_seq_cst)) {
            // seq_cst: a driver that comes is counted before it looks for one that leaves.
            rt.leaving.store(&worker.seat, std::memory_order_seq_cst);
            holding = rt.baton.acquire(worker.seat, worker.node, kForever);
            rt.leaving.store(nullptr, std::memory_order_seq_cst);
            left_behind = !holding;
            drivers = rt.drivers.load(std::memory_order_seq_cst);
        } else if (rt.drivers.compare_exchange_weak(drivers, drivers - 1, std::memory_order_seq_cst)) {
            return drivers == 1;
        }
    }
}

}  // namespace

void start_driving(mc_runtime& rt) noexcept {
    rt.drivers.fetch_add(1, std::memory_order_seq_cst);
    if (SeatT* leaving = rt.leaving.load(std::memory_order_seq_cst)) leaving->wake();
}

mc_status run_tasks(Worker& worker, Idle idle) noexcept {
    mc_runtime& rt = *worker.rt;
    const ThreadState outer = worker.outer;
    bool holding = false;
    for (; idle != Idle::leaves; idle = rt.baton.acquire_as_carrier(worker.seat)) {
        if (idle == Idle::works) do_work(worker);
        holding = idle == Idle::holds;
        while (holding && !rt.should_leave(true)) holding = drive(worker, nullptr);
        if (holding) break;
    }
    worker.home.forget_thread();
    overflow_leave_thread();
    bool left_behind = false;  // then nothing of the worker may be touched
    const bool last = stop_driving(worker, holding, left_behind);
    const bool closed = rt.closed.load(std::memory_order_seq_cst);
    const bool stopped = rt.stopping.exchange(false, std::memory_order_seq_cst);
    rt.runner.store(nullptr, std::memory_order_seq_cst);
    if (holding && last && !closed)
        pause_runtime(worker);
    else if (holding)
        rt.baton.give_up(worker.seat, nullptr);
    rt.baton.leave_poller();
    this_thread().task = outer.task;
    this_thread().worker = outer.worker;
    if (!left_behind) retire_worker(worker);
    runtime_unref(rt);
    if (closed) return MC_ESHUTDOWN;
    return stopped ? MC_ECANCELED : MC_OK;
}

}  // namespace mc

using namespace mc;

bool mc_runtime::waits_in_vain(const SeatT& seat) noexcept {
    return leaving.load(std::memory_order_seq_cst) == &seat && drivers.load(std::memory_order_seq_cst) > 1;
}

mc_runtime::mc_runtime(const mc_runtime_options& options, const mc_host& host_hooks) noexcept
    : host(host_hooks),
      flags(options.flags),
      max_threads(options.max_threads),
      stack_size(options.stack_size),
      job_queue_limit(options.job_queue_limit),
      misuse(options.misuse),
      thread_start(options.thread_start),
      thread_stop(options.thread_stop),
      hooks_arg(options.arg),
      baton(*this, times_of(options, host_hooks)) {
    std::snprintf(name, sizeof name, "%s", options.name ? options.name : "multicore");
    pthread_sigmask(SIG_SETMASK, nullptr, &creator_mask);
    // A class of jobs that is full leaves threads to the other one, and to the tasks.
    const std::uint32_t cpu_limit = std::clamp(max_threads / 2, 1u, static_cast<std::uint32_t>(cpus()));
    work.limit(cpu_limit, max_threads > cpu_limit ? max_threads - cpu_limit : 1);
    can_ship.store(host.way == MC_WAY_SHIP, std::memory_order_relaxed);  // not shared yet
    can_lend.store(host.way == MC_WAY_LEND, std::memory_order_relaxed);  // not shared yet
    lends.store(host.way == MC_WAY_LEND, std::memory_order_relaxed);
}

extern "C" {

mc_status mc_runtime_create(const mc_runtime_options* given, mc_runtime** out) {
    if (!out) return MC_EINVAL;
    mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
    mc_host host = MC_HOST_INIT;
    const char* wrong = nullptr;
    if (given && !read_options(&options, sizeof options, given))
        wrong = "mc_runtime_options has a wrong size or a nonzero unknown tail";
    if (!wrong) wrong = wrong_with(options);
    if (!wrong && options.host && !read_options(&host, sizeof host, options.host))
        wrong = "host has a wrong size or a nonzero unknown tail";
    if (!wrong) wrong = wrong_with(host);
    if (wrong) {
        const mc_misuse misuse{sizeof misuse, MC_EINVAL, wrong, nullptr, "mc_runtime_create", 0, nullptr};
        if (options.misuse)
            options.misuse(options.arg, &misuse);
        else
            report(nullptr, MC_EINVAL, nullptr, nullptr, "mc_runtime_create: %s", wrong);
        return MC_EINVAL;
    }
    const bool own_scheduler = host.flags & MC_HOST_OWN_SCHEDULER;
    if (own_scheduler && host.way != MC_WAY_LEND) return MC_ENOTSUP;
    if (own_scheduler && (options.flags & MC_RUNTIME_CPU_TIME)) return MC_ENOTSUP;  // the host switches
    fill_defaults(options);

    if (fault_hits(Fault::memory)) return MC_ENOMEM;
    RealSys::prepare_fences();
    auto* rt = new (std::nothrow) mc_runtime(options, host);
    if (!rt) return MC_ENOMEM;
    if (own_scheduler && !prepare_hosted(*rt)) {
        runtime_unref(*rt);
        return MC_ENOMEM;
    }
    const char *here = nullptr, *other = nullptr;
    if (publish_api(&here, &other) != MC_OK) {
        report(rt, MC_EBUSY, nullptr, nullptr,
               "a second copy of this library in one process: %s is in use already, %s may not be; load one "
               "only",
               other, here);
        mc_task_unref(rt->resident);
        runtime_unref(*rt);
        return MC_EBUSY;
    }
    lock_registry();  // so that no fork on another thread meets this amid
    overflow_install(owner_of_stack);
    unlock_registry();
    register_runtime(*rt);
    *out = rt;
    return MC_OK;
}

mc_status mc_runtime_run(mc_runtime* runtime) {
    if (!runtime) return MC_EINVAL;
    mc_runtime& rt = *runtime;
    if (lost(rt)) return MC_EFORK;
    const ThreadState outer = this_thread();
    if (attached_to(rt)) return MC_EDEADLK;
    if (baton_held()) return MC_EPERM;
    if (exits_here(rt)) return MC_ESHUTDOWN;
    if (!comes_home(rt) || rt.own_scheduler()) return MC_ENOTSUP;
    if (rt.closed.load(std::memory_order_seq_cst)) return MC_ESHUTDOWN;
    Worker* worker = new_worker(rt, Part::runner);
    if (!worker) return MC_ENOMEM;
    worker->outer = outer;
    // A straggler's section may outlive the runtime on this thread. Before the runner is named: see fork.cc.
    runtime_ref(rt);
    SeatT* nobody = nullptr;
    if (!rt.runner.compare_exchange_strong(nobody, &worker->seat, std::memory_order_seq_cst)) {
        retire_worker(*worker);
        runtime_unref(rt);
        return MC_EBUSY;
    }
    this_thread().task = nullptr;
    this_thread().worker = worker;
    overflow_enter_thread();
    worker->home.adopt_thread();
    start_driving(rt);  // before it looks at the word; see Baton::pause
    // A pause has to end even if no task is ready yet; else the baton is not needed before there is work.
    return run_tasks(
        *worker, rt.baton.try_take(worker->seat) ? Idle::holds : rt.baton.acquire_as_carrier(worker->seat));
}

void mc_runtime_stop(mc_runtime* rt) {
    if (!rt) return;
    rt->stopping.store(true, std::memory_order_seq_cst);  // before the wake; should_leave reads it after
    if (SeatT* runner = rt->runner.load(std::memory_order_seq_cst)) runner->wake();
}

int mc_enable(mc_runtime* rt, int enabled) {
    if (!rt) return MC_EINVAL;
    if (lost(*rt)) return MC_EFORK;
    // seq_cst for simplicity: a rare call.
    if (enabled < 0) return rt->enabled.load(std::memory_order_seq_cst);
    const bool before = rt->enabled.exchange(enabled != 0, std::memory_order_seq_cst);
    rt->lends.store(enabled != 0 && rt->can_lend.load(std::memory_order_seq_cst), std::memory_order_seq_cst);
    return before;
}

mc_status mc_runtime_destroy(mc_runtime* runtime) {
    if (!runtime) return MC_EINVAL;
    mc_runtime& rt = *runtime;
    if (lost(rt)) return MC_EFORK;
    const mc_task* current = this_thread().task;
    if (current && &current->rt == &rt) return MC_EBUSY;
    if (rt.own_scheduler()) finish_hosted(rt);
    {
        std::lock_guard lock(rt.mutex);
        if (rt.unbound.load(std::memory_order_seq_cst) != 0 ||
            rt.attached.load(std::memory_order_seq_cst) != 0 ||
            (rt.runner.load(std::memory_order_seq_cst) &&
             !rt.runner_straggles.load(std::memory_order_seq_cst)))
            return MC_EBUSY;
        rt.shutting.store(true, std::memory_order_seq_cst);
        rt.closed.store(true, std::memory_order_seq_cst);
    }
    unregister_runtime(rt);
    rt.baton.rouse_all();
    {
        // Idle carriers end now; those in a straggler's section when it ends.
        std::unique_lock lock(rt.mutex);
        rt.place_free.wait(lock, [&] {
            return rt.places.load(std::memory_order_seq_cst) <= rt.stragglers.load(std::memory_order_seq_cst);
        });
    }
    // Nobody looks at the line any more: what has timed out there goes now.
    if (Worker* last = new_worker(rt, Part::guest)) {
        if (rt.baton.try_take(last->seat)) {
            rt.baton.drop_gone();
            rt.baton.pause(last->seat, [] { return true; });
        }
        retire_worker(*last);
    }
    mc_task_unref(rt.resident);
    runtime_unref(rt);
    return MC_OK;
}

}  // extern "C"
