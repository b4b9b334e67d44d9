// All runtimes of the process, the table for extensions, and the process's exit.
// SPDX-License-Identifier: BSL-1.0
#include "core/registry.h"

#include <dlfcn.h>
#include <pthread.h>
#include <cstdlib>
#include <new>

#include "core/section.h"
#include "core/ship.h"
#include "core/worker.h"
#include "platform/platform.h"

namespace mc {
namespace {

constinit std::mutex registry_mutex;            // never destroyed: threads may run while the process exits
constinit mc_runtime* first_runtime = nullptr;  // guarded by registry_mutex, linked by registry_next

// The version is for runtimes to come.
void api_support(mc_site* site, std::uint32_t, std::uint32_t flags) noexcept { note_module(site, flags); }

constinit const mc_api_1 api_table{
    sizeof(mc_api_1),     1,
    section_release,      section_acquire,
    section_enter,        section_leave,
    section_release_with, section_acquire_status,
    section_cancelled,    api_support,
};

const char* file_of(const void* address) noexcept {
    Dl_info info{};
    return dladdr(address, &info) && info.dli_fname ? info.dli_fname : "an unknown file";
}

// When the library is loaded, and after the stack pool's: the pool's lock is taken last.
const int forks_here = pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);

// The one after that, with a reference in exchange for that one's; after one that is no longer listed, none.
mc_runtime* next_runtime(mc_runtime* after) noexcept {
    mc_runtime* next = nullptr;
    {
        std::lock_guard lock(registry_mutex);
        next = first_runtime;
        if (after) {
            while (next && next != after) next = next->registry_next;
            if (next) next = next->registry_next;
        }
        if (next) runtime_ref(*next);
    }
    if (after) runtime_unref(*after);
    return next;
}

// At exit: takes each baton, in its turn, so that the interpreter is not touched while the process is torn
// down, or gives up after 100 ms. Nobody is joined, and nobody gets a baton back.
void at_exit() {
    mc_task* current = this_thread().task;
    const std::uint64_t until = now_ns() + 100'000'000;
    mc_task_options options = MC_TASK_OPTIONS_INIT;
    options.name = "exit";
    static mc_task* holders = nullptr;  // for ever, and known to leak checkers
    // Not under the mutex, which others take with a baton.
    for (mc_runtime* rt = next_runtime(nullptr); rt; rt = next_runtime(rt)) {
        // Relaxed: for this thread itself.
        if (current && &current->rt == rt && current->holds_baton()) {
            current->set_gate(current->gate_now() | gate::kNoSuspend);
        } else {
            rt->exits.store(thread_number(), std::memory_order_relaxed);
            mc_task* task = new (std::nothrow) mc_task(*rt, options, mc_task::Kind::bound);
            Worker* worker = task ? new_worker(*rt, Part::guest) : nullptr;
            if (!worker) continue;
            task->worker = worker;
            task->seat = &worker->seat;
            mc_task_ref(task);  // the line drops one that timed out
            task->next_task = holders;
            holders = task;
            start_driving(*rt);
            if (!rt->baton.acquire(worker->seat, *task, until)) {
                rt->drivers.fetch_sub(1, std::memory_order_seq_cst);
                continue;
            }
        }
        // Exit handlers that release keep the baton.
        rt->can_lend.store(false, std::memory_order_seq_cst);
        rt->lends.store(false, std::memory_order_seq_cst);
        rt->can_ship.store(false, std::memory_order_seq_cst);
    }
}

}  // namespace

void register_runtime(mc_runtime& rt) noexcept {
    std::lock_guard lock(registry_mutex);
    static constinit bool exits_here = false;  // guarded by it
    if (!exits_here) exits_here = std::atexit(at_exit) == 0;
    rt.registry_next = first_runtime;
    first_runtime = &rt;
}

void unregister_runtime(mc_runtime& rt) noexcept {
    std::lock_guard lock(registry_mutex);
    strike_out(rt);
}

void lock_registry() noexcept { registry_mutex.lock(); }

mc_runtime* registered() noexcept { return first_runtime; }

void unlock_registry() noexcept { registry_mutex.unlock(); }

void strike_out(mc_runtime& rt) noexcept {
    for (mc_runtime** link = &first_runtime; *link; link = &(*link)->registry_next) {
        if (*link != &rt) continue;
        *link = rt.registry_next;
        return;
    }
}

void seek_poller_in_others(mc_runtime& but) noexcept {
    std::lock_guard lock(registry_mutex);
    for (mc_runtime* rt = first_runtime; rt && but.needs_poller(); rt = rt->registry_next) {
        // Relaxed: whoever adds a wait looks for a poller after that.
        if (rt == &but || rt->waits.load(std::memory_order_relaxed) == 0) continue;
        if (rt->baton.seek_poller()) return;
    }
}

bool exits_here(const mc_runtime& rt) noexcept {
    // Relaxed: it counts on the thread that stored it.
    const std::uint64_t exits = rt.exits.load(std::memory_order_relaxed);
    return exits != 0 && exits == thread_number();
}

mc_status publish_api(const char** here, const char** other) noexcept {
    const mc_api_1* nobody = nullptr;
    // Release: publishes the table to mc_ext_api_. Acquire: reads another copy's.
    if (__atomic_compare_exchange_n(&mc_ext_slot_1, &nobody, &api_table, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE) ||
        nobody == &api_table)
        return MC_OK;
    *here = file_of(&api_table);
    *other = file_of(nobody);
    return MC_EBUSY;
}

}  // namespace mc
