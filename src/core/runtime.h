// One runtime: an interpreter instance and all that drives it.
//
// Lock order: mutex before attention_mutex; neither is held while waiting for the baton, and no hook but
// `attention` runs under one.
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <csignal>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "baton/baton.h"
#include "core/task.h"
#include "core/tls.h"

namespace mc {

enum class Part { carrier, runner, guest };  // guest: of a thread that attached, or visits

// With MC_HOST_OWN_SCHEDULER: a thread that runs the host's coroutines. By the thread, with the baton.
struct HostedThread {
    mc_task* resident = nullptr;  // ThreadState::task while it does
    Fiber* base = nullptr;        // what goes on here when a deputy has ended on this thread
    Worker* wanted = nullptr;     // for base: whose thread is to go on instead
    Fiber* native = nullptr;      // an attached thread's own stack, which is to go on here
    bool at_home = false;         // an attached thread: it waits for that
    bool due_below = false;       // base is a section that has ended: this thread must not begin another
};

// A thread's part in one runtime. Recycled, and freed only with the runtime, so that a late wake of its seat
// is harmless.
struct Worker {
    SeatT seat;
    std::atomic<std::uint64_t> thread{0};  // its number; 0: of a carrier that has yet to start
    NodeT node;                            // for the runner, which waits without a task
    Fiber home;                            // the thread's own stack
    mc_runtime* rt = nullptr;
    mc_task* dead = nullptr;      // it ended on this thread; its stack is still to be dropped
    mc_task* shipping = nullptr;  // it came home to be sent to a carrier
    bool lost_baton = false;      // the task that came home does not hold: it was a straggler
    bool straggled = false;       // so was one of its tasks: the host may be gone
    bool called_home = false;     // with the baton; it runs tasks for want of carriers, but its own is due
    Worker* stand_in = nullptr;   // of an attached thread: its part as a carrier, while it runs tasks
    std::atomic<bool> signals_blocked{false};  // relaxed: by its own thread, or who recycles it
    ThreadState outer;                         // what the thread was before it came to this runtime
    HostedThread hosted;
    Worker* next = nullptr;  // of those in use, or of the free ones; guarded by rt.mutex
    Worker* prev = nullptr;
};

// What one fork() does with one runtime; guarded by the registry's mutex.
struct Fork {
    enum class Baton { own, borrowed, elsewhere };  // elsewhere: with a thread that does not fork

    SeatT nobody;
    Baton baton = Baton::own;
    word::Word from = 0;  // what it was borrowed from
};

}  // namespace mc

struct mc_runtime final : mc::BatonClient<mc::RealSys> {
    mc_runtime(const mc_runtime_options& options, const mc_host& host_hooks) noexcept;

    // ---- configuration, constant after creation ----
    mc_host host;
    std::uint32_t flags;
    std::uint32_t max_threads;
    std::uint64_t stack_size;
    std::uint32_t job_queue_limit;
    void (*misuse)(void*, const mc_misuse*);
    void (*thread_start)(void*);
    void (*thread_stop)(void*);
    void* hooks_arg;
    char name[32];
    sigset_t creator_mask;

    mc::Baton<mc::RealSys> baton;

    // ---- with the baton ----
    mc_task* loaded = nullptr;      // whose registers the interpreter has
    std::uint32_t last_seat = 0;    // the seat that ran interpreter code last
    std::uint64_t last_thread = 0;  // and its thread: one that attaches again has a new seat
    std::uint64_t last_poll = 0;
    std::atomic<std::uint32_t> parked{0};  // unbound tasks in mc_task_park; single writer, the holder
    // With MC_HOST_OWN_SCHEDULER:
    mc_task* lender = nullptr;          // while nobody holds: at whose section the interpreter is
    mc::Worker* host_thread = nullptr;  // the one that is attached
    // Single writer (the holder), read by mc_runtime_stats.
    std::atomic<std::uint64_t> sections{0}, sections_inline{0}, handoffs{0}, longest_wait{0};

    // ---- any thread ----
    std::atomic<bool> can_lend{true};   // the host can, and the process does not exit
    std::atomic<bool> lends{true};      // sections open by default: enabled and can_lend
    std::atomic<bool> can_ship{false};  // likewise, tasks
    std::atomic<bool> enabled{true};
    std::atomic<bool> stopping{false};
    std::atomic<bool> shutting{false};  // no new tasks
    std::atomic<bool> closed{false};    // whoever gets the baton now ends
    std::atomic<std::uint32_t> drivers{0};
    std::atomic<bool> host_attached{false};  // own scheduler: a thread is, or is about to be
    std::atomic<mc_task*> orphans{nullptr};  // likewise: adopted tasks that are to end
    std::atomic<bool> due_first{true};       // likewise: the host has not been seen to run others before
    std::atomic<std::uint64_t> unbound{0};   // unbound tasks and jobs alive, stragglers not counted
    std::atomic<std::uint64_t> attached{0};  // bound tasks alive, stragglers not counted
    std::atomic<std::uint64_t> spawned{0}, named{0};
    std::atomic<std::uint64_t> jobs{0};   // of `unbound`
    std::atomic<std::uint32_t> waits{0};  // of its tasks, in the reactor; some may be over
    std::atomic<std::uint64_t> home{
        0};  // the thread that came first, if only that one may touch the interpreter
    std::atomic<bool> runner_straggles{false};
    std::atomic<std::uint32_t> stragglers{0};  // carriers in a section that shutdown did not wait for
    std::atomic<std::uint64_t> wakes{0};
    std::atomic<std::uint32_t> places{0};  // of max_threads, taken: carriers, and those being started
    std::atomic<bool> no_carriers{false};  // for a job none could be started, nor one since
    std::atomic<std::uint32_t> threads{0}, threads_peak{0};  // carriers that run; statistics
    std::atomic<std::uint32_t> threads_starting{0};          // launched, and not yet had the baton
    std::atomic<std::uint32_t> next_seat{0};
    std::atomic<mc::SeatT*> runner{nullptr};
    std::atomic<mc::SeatT*> leaving{nullptr};  // the runner's, while it waits for the baton to leave
    std::atomic<mc_task*> shutdown_waiter{nullptr};
    std::atomic<mc_task*> closer{nullptr};  // the task that shuts down; after `closed` only that may suspend
    std::atomic<std::uint32_t> refs{1};     // one for the host, per worker in use and per task

    std::mutex mutex;  // tasks, results, workers, shutdown_runs, payloads, jobs
    mc_task* tasks = nullptr;
    mc_task* resident = nullptr;    // own scheduler: that of all carriers. Constant
    mc::Worker* workers = nullptr;  // in use
    mc::Worker* free_workers = nullptr;
    bool shutdown_runs = false;
    std::atomic<int> event_fd{-1};
    std::atomic<bool> rung{false};  // something was written to it, and not yet read
    std::condition_variable place_free;
    mc::WorkQueue work;
    std::condition_variable job_over;
    unsigned job_waiters = 0;              // threads
    std::atomic<bool> keeps_stack{false};  // spare_stack or a job has it: `done` can always be called
    mc::Stack spare_stack;
    mc_job* stackless = nullptr;  // jobs whose work is over
    std::atomic<bool> wants_stack{false};
    mc_runtime* registry_next = nullptr;  // guarded by the registry's mutex
    std::atomic<std::uint64_t> exits{0};  // the thread that runs the exit handlers, once it waits here
    mc::Fork fork;
    std::atomic<bool> lost{false};  // in a forked child: a thread that it lacks held the baton

    std::mutex attention_mutex;        // held while the hook runs; a thread that ends takes it
    std::uint32_t attention_seat = 0;  // the thread last named by `taken`; 0: it has ended
    std::atomic<bool> attention_sent{false};

    bool own_scheduler() const noexcept { return host.flags & MC_HOST_OWN_SCHEDULER; }

    mc::SeatT* new_carrier() noexcept;

    // ---- BatonClient ----
    mc::SeatT* prepare_carrier() noexcept override;
    bool launch_carrier(mc::SeatT& seat) noexcept override;
    void discard_carrier(mc::SeatT& seat) noexcept override;
    bool may_lend() noexcept override;
    void attention(std::uint32_t holder) noexcept override;
    bool should_leave(bool drives) noexcept override;
    bool wants_spare() noexcept override;
    bool has_job(bool drives) noexcept override;
    bool waits_in_vain(const mc::SeatT& seat) noexcept override;
    bool stranded() noexcept override;
    bool needs_poller() noexcept override;
    bool always_polls() noexcept override;
    void seek_poller_elsewhere() noexcept override;
    void dropped(mc::NodeT& node) noexcept override;
    bool has_other_work() noexcept override;
    mc::SeatT* seat_of(mc::NodeT& node) noexcept override;
    void queued() noexcept override;
    void woke() noexcept override { wakes.fetch_add(1, std::memory_order_relaxed); }  // a counter
};

namespace mc {

// ---- workers (worker.cc) ----
Worker* new_worker(mc_runtime& rt, Part part) noexcept;  // NULL: no memory
bool leave_jobs_to_runner(mc_runtime& rt) noexcept;  // any thread, where no carrier can be had. False: none
void retire_worker(Worker& worker) noexcept;  // its thread leaves, and with it a reference to the runtime
void enlist_worker(Worker& worker) noexcept;  // with rt.mutex: among those in use, and off
void unlist_worker(Worker& worker) noexcept;
void runtime_ref(mc_runtime& rt) noexcept;
void runtime_unref(mc_runtime& rt) noexcept;
void call_attention(mc_runtime& rt) noexcept;  // the holder computes and must look

// ---- scheduling (schedule.cc): with the baton ----
// This thread is about to touch the interpreter, for that task or (NULL) to drop one.
void take_over(Worker& worker, mc_task* task) noexcept;
void hold(Worker& worker, mc_task& task) noexcept;  // this thread is about to run the task's code
// Home: runs ready tasks. False: the baton has been given away; true: it is this thread's, and either
// `self` is next or the thread has to stop running tasks.
bool drive(Worker& worker, NodeT* self) noexcept;
// Home: a task that has left the line runs until this thread is home again. False: then it does not hold.
bool run_task(Worker& worker, mc_task& task) noexcept;
void schedule_away(mc_task& task) noexcept;                 // unbound: runs others until the task's turn
[[noreturn]] void leave_stack(mc_task& task) noexcept;      // unbound, has ended; with the baton
[[noreturn]] void leave_straggler(mc_task& task) noexcept;  // unbound; without the baton
// Any thread, by the claimer of its wait.
void make_ready(mc_task& task, bool maybe_in_signal_handler = false,
                std::uint32_t state = MC_TASK_READY) noexcept;
void poll_reactor(mc_runtime& rt) noexcept;
void deliver(ReactorWait* fired) noexcept;  // any thread
bool must_go_home(const mc_runtime& rt) noexcept;
void start_clock(mc_task& task) noexcept;  // with MC_RUNTIME_CPU_TIME, on the task's thread
void stop_clock(mc_task& task) noexcept;

// ---- tasks (lifetime.cc) ----
void end_task(mc_task& task, mc_status result) noexcept;  // with the baton
void drop_task(mc_task& task) noexcept;                   // likewise, one that is not to run (again)
void give_up_straggler(mc_task& task) noexcept;           // likewise, one that is in a section for good
// By a running task that has the baton: does not return if it was abandoned.
void leave_if_abandoned(mc_task& task) noexcept;
// With rt.mutex: sets the result if there is none yet. The joiners whose wait that ended: for wake_joiners,
// without the mutex.
[[nodiscard]] mc_task* settle(mc_task& task, mc_status result) noexcept;
void wake_joiners(mc_task* claimed) noexcept;
void bury(mc_task& task) noexcept;  // drops its stack
// On the list of all tasks; false: shutting down.
bool enlist_task(mc_task& task, bool also_when_shutting) noexcept;
bool enlist_locked(mc_task& task, bool also_when_shutting) noexcept;  // with rt.mutex
void unlist_task(mc_task& task) noexcept;  // one alive less; in two halves, the first with rt.mutex:
bool unlist_locked(mc_task& task) noexcept;
void after_unlisting(mc_runtime& rt, bool last_unbound) noexcept;
[[noreturn]] void task_main(void* task) noexcept;

// ---- sections (section.cc) ----
void take_back(mc_task& task) noexcept;       // ends a lent section; keeps the gate
void forget_options(mc_task& task) noexcept;  // the section of mc_release_with will not be closed
bool begin_unblock(mc_task& task) noexcept;   // any thread, with a reference: false: nothing to call
void finish_unblock(mc_task& task) noexcept;  // calls it, drops a reference that begin took

// ---- marks (interrupt.cc) ----
// Sets a mark; and then, with no lock held, makes the task look.
enum class Noticed { woken, unblocked, marked };
[[nodiscard]] Noticed set_mark(mc_task& task, std::uint32_t mark, wait::Reason reason) noexcept;
void make_notice(mc_task& task, Noticed noticed) noexcept;
mc_status cancel_task(mc_task& task, bool abandon) noexcept;  // cancel.cc; any thread
// By a task that goes on computing, after a call that did not say what is pending: the host is told.
void tell_of_marks(const mc_task& task) noexcept;

// ---- drivers (lifecycle.cc) ----
void start_driving(mc_runtime& rt) noexcept;
// By the runner, counted as a driver: runs tasks until none is left or it is to stop, and leaves.
mc_status run_tasks(Worker& worker, Idle idle) noexcept;

// ---- forked children (fork.cc) ----
void before_fork() noexcept;
void after_fork_in_parent() noexcept;
void after_fork_in_child() noexcept;
// By a carrier that forked, in the child, where it is the runner, at home: never returns.
[[noreturn]] void run_orphans(Worker& worker, Idle idle) noexcept;
// By a task in a section: the baton is with a thread that was left behind, and the process ends.
[[noreturn]] void end_lost_section(const mc_task& task) noexcept;

// ---- attached threads (attach.cc) ----
enum class Attach { guest, shutdown };
mc_status attach_thread(mc_runtime& rt, const mc_task_options& options, std::uint64_t timeout, Attach as,
                        mc_task** out) noexcept;
// With the baton: this thread drives the runtime no more.
void leave_runtime(Worker& worker) noexcept;
void restore_thread(const ThreadState& outer) noexcept;  // what it was before it came
const mc_runtime* baton_held() noexcept;                 // by this thread, for a task or a hook; NULL: none
bool comes_home(mc_runtime& rt) noexcept;  // false: the host cannot lend, and this is not its home thread
const mc_task* attached_to(
    const mc_runtime& rt) noexcept;           // the innermost task of this thread in it, or NULL
void end_attachment(mc_task& task) noexcept;  // by its thread, with the baton

// ---- hosts with a scheduler of their own (own_scheduler.cc) ----
// The task of the code that runs on this thread, with the baton; the resident itself if that is none.
mc_task* hosted_task(mc_task& resident) noexcept;

// ---- helpers ----
[[noreturn]] void die(const char* what, const char* name) noexcept;  // misuse.cc

inline void add(std::atomic<std::uint64_t>& counter, std::uint64_t by) noexcept {
    // Relaxed, no read-modify-write: single writer, the holder.
    counter.store(counter.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
}

// By the last but one, which shuts down: nobody else is left.
inline bool alone(const mc_runtime& rt) noexcept {
    return rt.unbound.load(std::memory_order_seq_cst) + rt.attached.load(std::memory_order_seq_cst) <= 1;
}

// The task that may make calls which need the baton, or NULL.
inline mc_task* holder_task() noexcept {
    mc_task* task = this_thread().task;
    if (!task || task->in_section()) return nullptr;
    return task->gate_now() & gate::kResident ? hosted_task(*task) : task;
}

inline bool lost(const mc_runtime& rt) noexcept {
    return rt.lost.load(std::memory_order_relaxed);  // set while there is one thread
}

// What a call that needs the baton answers where there is no holder_task.
inline mc_status no_holder() noexcept {
    const mc_task* task = this_thread().task;
    return task && lost(task->rt) ? MC_EFORK : MC_EPERM;
}

// For the time of a hook that runs with the baton, on the thread of this task (or NULL): releases are inline,
// suspensions refused. The task may be amid its acquire: for the hook it is in no section.
class HookScope {
public:
    explicit HookScope(mc_task* task) noexcept : task_(task) {
        if (!task_) return;
        gate_ = task_->gate_now() & kReplaced;
        site_ = task_->site;
        task_->set_gate((task_->gate_now() & ~kReplaced) | gate::kHook);
    }
    ~HookScope() {
        if (!task_) return;
        task_->set_gate((task_->gate_now() & ~kReplaced) | gate_);
        task_->site = site_;
    }
    HookScope(const HookScope&) = delete;
    HookScope& operator=(const HookScope&) = delete;

private:
    static constexpr std::uint32_t kReplaced = gate::kDepth | gate::kInline | gate::kHook;

    mc_task* task_;
    std::uint32_t gate_ = 0;
    mc_site* site_ = nullptr;
};

// Calls a function of the host's. `noexcept` alone would end the process as well, but not say where.
template <class Function, class... Arguments>
[[gnu::always_inline]] inline auto call_hook(const char* name, Function* function,
                                             Arguments... arguments) noexcept {
    try {
        return function(arguments...);
    } catch (...) {
        die("an exception or pthread_exit left the hook", name);
    }
}

// ---- options (options.cc) ----
// Copies a versioned struct, defaults beyond a smaller one. False: its size is 0, or the tail of a larger one
// is not zero.
bool read_options(void* to, std::uint32_t to_size, const void* from) noexcept;

// ---- misuse (misuse.cc) ----
void report(mc_runtime* rt, mc_status status, const mc_site* site, const char* task, const char* format,
            ...) noexcept __attribute__((format(printf, 5, 6)));

}  // namespace mc
