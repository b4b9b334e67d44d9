// A task: one script-level thread of execution, on a stack of its own or bound to a thread.
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "baton/baton.h"
#include "baton/wakeup.h"
#include "core/work_queue.h"
#include "fiber/fiber.h"
#include "multicore/multicore.h"
#include "reactor/reactor.h"

namespace mc {

struct Worker;

using SeatT = Seat<RealSys>;
using NodeT = Node<RealSys>;

// mc_task::gate: 0 outside any section with nothing special about the task, so that the fast path is one
// comparison.
namespace gate {
inline constexpr std::uint32_t kDepth = 0xFFFF;       // how many releases are open
inline constexpr std::uint32_t kInline = 1u << 16;    // the open section keeps the baton
inline constexpr std::uint32_t kDisabled = 1u << 17;  // the innermost scope says so
inline constexpr std::uint32_t kEnabled = 1u << 18;   // likewise
inline constexpr std::uint32_t kAtomic = 1u << 19;
inline constexpr std::uint32_t kHook = 1u << 20;       // a hook of the host runs
inline constexpr std::uint32_t kNoSuspend = 1u << 21;  // a job's `done` runs, or the process exits
inline constexpr std::uint32_t kShipped = 1u << 22;    // the open section is a carrier's to run
// MC_HOST_OWN_SCHEDULER (own_scheduler.h). Both never change while the task lives.
inline constexpr std::uint32_t kResident = 1u << 24;  // whose code runs is the host's to say
inline constexpr std::uint32_t kAdopted = 1u << 25;   // a coroutine of the host's
inline constexpr std::uint32_t kCannotSuspend = kAtomic | kHook | kNoSuspend | kResident | kAdopted;
}  // namespace gate

// A section that mc_enter left for a callback.
struct Entered {
    std::uint32_t gate;
    mc_site* site;
};

// How an unblock function is kept from running late or twice.
namespace unblock {
enum State : std::uint32_t { NONE, ARMED, RUNNING, DONE };
}

// What a task has the reactor wait for.
struct TaskWait : ReactorWait {
    bool counted = false;  // in mc_runtime::waits
};

// What mc_release_with gave a section. `level`: 1 + how many mc_enter were open then; 0: no such section.
struct SectionOptions {
    std::uint32_t level = 0;
    void (*unblock)(void*) = nullptr;
    void* unblock_arg = nullptr;
    std::uint64_t deadline = UINT64_MAX;  // absolute
};

}  // namespace mc

struct mc_task : mc::NodeT, mc::Work {
    enum class Kind { unbound, bound, job };
    mc_task(mc_runtime& runtime, const mc_task_options& options, Kind kind) noexcept;

    mc_runtime& rt;
    mc::Worker* worker = nullptr;  // the thread it runs on, or last ran on; with the baton or by the task
    mc::Fiber fiber;               // unbound tasks
    mc::Stack stack;
    void (*fn)(void*) = nullptr;
    void* arg = nullptr;
    bool bound;            // to a thread; what a fork left without its thread is bound to none, in the child
    const bool job;        // it is an mc_job
    bool started = false;  // with the baton
    bool parked = false;   // counted in rt.parked
    bool migratable = false;     // the section about to open said so
    std::uint32_t attached = 0;  // how many times mc_attach nested
    bool adopted = false;        // its stack is the host's; `fiber` and `stack` are its deputy's

    // Written by the task's thread; relaxed atomics because others read them for mc_task_state only.
    std::atomic<std::uint32_t> gate{0};
    std::atomic<std::uint32_t> state{MC_TASK_NEW};

    mc::Wakeup<mc::RealSys> wakeup;
    mc::TaskWait reactor_wait;

    // The open section. `section` is read by others only after they have set unblock_state to RUNNING.
    mc_site* site = nullptr;
    struct Section : mc::SectionOptions {
        std::atomic<std::uint32_t> unblock_state{mc::unblock::NONE};
        mc::TaskWait timer;
    } section;
    std::vector<mc::Entered> entered;               // the sections that mc_enter left, outermost first
    std::vector<mc::SectionOptions> outer_options;  // of those, while a callback's section has its own

    std::vector<std::uint8_t> scopes;  // kinds, outermost first

    // Guarded by rt.mutex, since whoever abandons a task may not have the baton.
    mc_task* joiners = nullptr;  // none once there is a result
    mc_task* next_joiner = nullptr;
    mc_task* joining = nullptr;      // on whose list it is
    mc_task* join_target = nullptr;  // a reference while it joins; by the task, or who drops it
    std::atomic<mc_status> result{MC_EAGAIN};
    std::atomic<std::uint32_t> refs{1};  // one while alive, one per handle
    void* payload = nullptr;             // of a pending interrupt; guarded by rt.mutex

    std::atomic<void*> data;
    void (*destroy)(void*);
    char name[32];
    std::atomic<std::uint64_t> cpu_ns{0};
    std::uint64_t cpu_mark = 0;

    mc_task* next_task = nullptr;  // all tasks of the runtime; guarded by rt.mutex
    mc_task* prev_task = nullptr;
    bool listed = false;
    mc_task* next_held = nullptr;    // by the thread that shuts down
    mc_task* next_orphan = nullptr;  // of the adopted ones whose last handle is gone

    // Relaxed: the task's own thread, or a racy look.
    std::uint32_t gate_now() const noexcept { return gate.load(std::memory_order_relaxed); }
    void set_gate(std::uint32_t value) noexcept { gate.store(value, std::memory_order_relaxed); }
    bool in_section() const noexcept { return (gate_now() & mc::gate::kDepth) != 0; }
    // Abandoned or lost; but not amid a callback, since the C code that called it has yet to end.
    bool is_to_be_dropped() const noexcept {
        return (wakeup.marks() & (mc::wait::ABANDON | mc::wait::LOST)) && entered.empty();
    }
    bool holds_baton() const noexcept { return !in_section() || (gate_now() & mc::gate::kInline); }
};
