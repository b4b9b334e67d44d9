// The interpreter stays on its home thread; what moves is the task.
//
// At the release its stack is left for the home thread's own, which hands it to a carrier as a piece of work;
// at the acquire it is left for the carrier's own, which posts it as ready. So nobody can reach it before its
// registers are saved. errno and the C++ exception globals travel with the stack (Fiber).
//
// H1  gate::kShipped is set by the task at the release, and cleared under rt.mutex by whoever ends the
//     section: the carrier, or the home thread where no carrier can be had.
//
// A section stays at home only where nobody else is there who could want the thread: no task, no job, no
// event loop. Rejected: to stay while nobody else is ready. A task that becomes ready a moment later, by a
// timer or by what the section itself does, would wait until it ends, perhaps for ever.
// SPDX-License-Identifier: BSL-1.0
#include "core/ship.h"

#include <dlfcn.h>
#include <atomic>

#include <mutex>
#include <vector>

#include "core/section.h"
#include "core/worker.h"

namespace mc {
namespace {

// What mc_site::reserved[0] says: whether the place's module has declared itself, once that is known.
const char kStays = 0, kMoves = 0;
void* mark(const char& meaning) noexcept { return const_cast<char*>(&meaning); }

struct Modules {
    std::mutex mutex;
    std::vector<const void*> bases;  // of those whose sections may move
};
Modules& modules() noexcept {
    static Modules& all = *new Modules;  // threads may look while the process exits
    return all;
}

const void* base_of(const void* address) noexcept {
    Dl_info info{};
    return dladdr(address, &info) ? info.dli_fbase : nullptr;
}

// Runtimes share the site. Relaxed: all find the same, and no data depends on it.
bool module_moves(mc_site* site) noexcept {
    const std::atomic_ref<void*> learned(site->reserved[0]);
    void* known = learned.load(std::memory_order_relaxed);
    if (known == nullptr) {
        const void* base = base_of(site);
        bool found = false;
        {
            std::lock_guard lock(modules().mutex);
            for (const void* its : modules().bases) found = found || its == base;
        }
        known = mark(found ? kMoves : kStays);
        learned.store(known, std::memory_order_relaxed);
    }
    return known == mark(kMoves);
}

// The gate says shipped already.
void leave_home(mc_task& task) noexcept {
    stop_clock(task);
    task.worker->shipping = &task;
    Fiber::switch_to(task.fiber, task.worker->home);
    start_clock(task);
    if (task.gate_now() & gate::kShipped) return;  // on a carrier
    add(task.rt.sections_inline, 1);
    hold(*task.worker, task);
}

// By a task of it. Relaxed: who comes a moment later is as if the section had begun before.
bool others_want_home(const mc_runtime& rt) noexcept {
    return rt.unbound.load(std::memory_order_relaxed) > 1 ||
           rt.attached.load(std::memory_order_relaxed) > 0 ||
           rt.event_fd.load(std::memory_order_relaxed) >= 0;
}

}  // namespace

void note_module(const void* place, std::uint32_t flags) noexcept {
    if (!(flags & MC_SUPPORT_MIGRATABLE)) return;
    std::lock_guard lock(modules().mutex);
    try {
        modules().bases.push_back(base_of(place));
    } catch (...) {
        // Without memory its sections are inline.
    }
}

void lock_modules() noexcept { modules().mutex.lock(); }
void unlock_modules() noexcept { modules().mutex.unlock(); }

bool ships_now(mc_task& task, mc_site* site) noexcept {
    mc_runtime& rt = task.rt;
    const std::uint32_t gate = task.gate_now();
    const bool migratable = task.migratable;
    task.migratable = false;
    if (!rt.can_ship.load(std::memory_order_relaxed) || task.bound) return false;  // a setting
    if (gate & (gate::kAtomic | gate::kHook | gate::kDisabled)) return false;
    if (!rt.enabled.load(std::memory_order_relaxed) && !(gate & gate::kEnabled)) return false;
    return (migratable || module_moves(site)) && others_want_home(rt) && rt.may_lend();
}

void ship(mc_task& task) noexcept {
    task.set_gate((task.gate_now() + 1) | gate::kShipped);
    leave_home(task);
}

void ship_again(mc_task& task) noexcept {
    if (others_want_home(task.rt) && task.rt.may_lend())
        leave_home(task);
    else
        task.set_gate((task.gate_now() | gate::kInline) & ~gate::kShipped);
}

void ship_back(mc_task& task) noexcept {
    if (task.rt.closed.load(std::memory_order_seq_cst)) end_straggler(task);
    stop_clock(task);
    Fiber::switch_to(task.fiber, task.worker->home);
    start_clock(task);
    task.returning = false;
    task.is_to_be_dropped() ? take_over(*task.worker, nullptr) : hold(*task.worker, task);
}

void send(mc_task& task) noexcept {
    mc_runtime& rt = task.rt;
    task.work_class = MC_WORK_IO;
    {
        std::lock_guard lock(rt.mutex);
        rt.work.push(task);
    }
    if (rt.baton.rouse_for_job()) return;
    {
        // No thread: it goes on here, in its turn.
        std::lock_guard lock(rt.mutex);
        if (rt.places.load(std::memory_order_seq_cst) != 0) return;
        rt.work.remove(task);
        task.set_gate((task.gate_now() | gate::kInline) & ~gate::kShipped);
    }
    rt.baton.push(&task);
}

void carry(Worker& worker, mc_task& task) noexcept {
    mc_runtime& rt = task.rt;
    task.worker = &worker;
    this_thread().task = &task;
    Fiber::switch_to(worker.home, task.fiber);
    this_thread().task = nullptr;
    bool over = worker.dead == &task;  // it found the runtime closed
    worker.dead = nullptr;
    worker.lost_baton = false;
    rt.baton.will_look_for_job(worker.seat);
    {
        std::lock_guard lock(rt.mutex);
        rt.work.finished(MC_WORK_IO);
        over = over || !task.listed;
        if (!over) {
            task.set_gate((task.gate_now() - 1) & ~gate::kShipped);
            task.state.store(MC_TASK_DUE, std::memory_order_relaxed);
            task.returning = true;
            task.seat = nullptr;
        }
    }
    if (!over) return make_ready(task, false, MC_TASK_DUE);
    worker.straggled = true;
    forget_options(task);
    bury(task);
}

bool give_up_shipped(mc_task& task) noexcept {
    mc_runtime& rt = task.rt;
    mc_task* joiners = nullptr;
    bool last = false;
    {
        std::lock_guard lock(rt.mutex);
        if (!(task.gate_now() & gate::kShipped)) return false;
        joiners = settle(task, MC_ECANCELED);
        last = unlist_locked(task);
    }
    if (rt.loaded == &task) rt.loaded = nullptr;
    wake_joiners(joiners);
    after_unlisting(rt, last);
    return true;
}

bool take_shipped_back(mc_task& task) noexcept {
    std::lock_guard lock(task.rt.mutex);
    if (!(task.gate_now() & gate::kShipped) || !task.queued) return false;
    task.rt.work.remove(task);
    task.set_gate((task.gate_now() - 1) & ~gate::kShipped);
    return true;
}

}  // namespace mc
