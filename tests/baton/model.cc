// SPDX-License-Identifier: BSL-1.0
#include "model.h"

#include <algorithm>
#include <utility>

namespace sim {
namespace {

namespace seat = mc::seat;
namespace wait = mc::wait;
using mc::GaveUp;
using mc::kForever;

mc::BatonTimes times_of(const Plan& plan) {
    mc::BatonTimes times;
    times.idle_timeout = plan.idle_timeout;
    times.keep_idle = plan.keep_idle;
    times.attention = plan.attention;
    return times;
}

}  // namespace

Model::Model(World& world, const Plan& plan) : world_(world), plan_(plan), baton_(*this, times_of(plan)) {
    world_.name(&baton_, sizeof baton_, "baton");
    if (plan_.posters > 0) baton_.ask_for_spare();
}

void Model::run() {
    for (unsigned i = 0; i < plan_.tasks; ++i) {
        tasks_.push_back(std::make_unique<Task>());
        Task& task = *tasks_.back();
        task.name = "task " + std::to_string(i);
        task.steps_left = plan_.steps;
        ++alive_;
        task.runnable = true;
        baton_.post(&task);
        task.settled = true;
    }
    if (plan_.runner) {
        runner_done_ = false;
        world_.start("runner", [this] { runner_main(); });
    }
    if (plan_.loop) {
        readable_ = true;
        world_.start("loop", [this] { loop_main(); });
    }
    attached_alive_ = plan_.attached;
    for (unsigned i = 0; i < plan_.attached; ++i)
        world_.start("attached " + std::to_string(i), [this, i] { attached_main(i); });
    for (unsigned i = 0; i < plan_.posters; ++i)
        world_.start("poster " + std::to_string(i), [this] { poster_main(); });
    if (plan_.jobs > 0) world_.start("submitter", [this] { submitter_main(); });

    if (plan_.forks > 0) world_.start("forker", [this] { forker_main(); });

    world_.run(plan_.max_steps);
    if (!world_.failed() && jobs_.raw() != 0 && plan_.launch_fails_one_in == 0)
        world_.note_failure("a job was left\n" + world_.describe());
    if (!world_.failed() && (alive_ != 0 || attached_alive_ != 0 || !runner_done_)) report_what_is_left();
    if (world_.failed()) return;

    closed_ = true;
    world_.start("closer", [this] {
        world_.unblock(&requests_);
        baton_.rouse_all();
    });
    world_.run(plan_.max_steps);
    if (!world_.failed() && !world_.finished())
        world_.note_failure("a thread did not leave:\n" + world_.describe());
}

void Model::report_what_is_left() {
    const mc::word::Word w = baton_.peek();
    constexpr const char* states[] = {"FREE", "HELD", "LENT", "PAUSED"};
    std::string text = "nobody can go on, and work is left; the baton is ";
    text += states[mc::word::state(w)];
    text += ", seat " + std::to_string(mc::word::seat(w)) + '\n' + world_.describe();
    for (auto& task : tasks_)
        if (!task->ended)
            text += "  " + task->name + (task->linked ? " is in the line" : "") +
                    (task->runnable ? " is ready\n" : " waits\n");
    constexpr const char* seats[] = {"BUSY", "SPIN", "PARKED", "WOKEN", "GRANTED", "GONE"};
    for (auto& worker : workers_)
        text += "  seat " + std::to_string(worker->seat.id) + ' ' + worker->name + ' ' +
                seats[worker->seat.state.raw()] + '\n';
    world_.note_failure(text);
}

// ---- what is checked ----

void Model::hold(Worker& worker) {
    world_.check(holder_ == nullptr, "two threads hold the baton");
    const mc::word::Word now = baton_.peek();
    world_.check(mc::word::state(now) == mc::word::HELD && mc::word::seat(now) == worker.seat.id,
                 "a thread goes on as the holder, and the word says otherwise");
    holder_ = &worker;
    ++holds_;
    world_.unblock(&holds_);
    touch();
}

void Model::let_go(Worker& worker) {
    world_.check(holder_ == &worker, "gives up a baton that it does not hold");
    touch();
    holder_ = nullptr;
}

void Model::touch() {
    const std::uint64_t seen = touched_;
    world_.point();
    world_.check(touched_ == seen, "two threads touch the interpreter");
    touched_ = seen + 1;
}

// I4: while a section is open, somebody who could use the baton gets it.
bool Model::somebody_can_use_it() const {
    if (waiting_ > 0 && plan_.refuse_one_in == 0) return true;
    return strict() &&
           std::any_of(tasks_.begin(), tasks_.end(), [](const auto& task) { return task->settled; });
}

// ---- workers ----

Worker& Model::new_worker(std::string name) {
    if (free_workers_.empty()) {
        workers_.push_back(std::make_unique<Worker>());
        free_workers_.push_back(workers_.back().get());
    }
    Worker& worker = *free_workers_.back();  // the one used last: a stale pointer to it hurts most
    free_workers_.pop_back();
    worker.name = std::move(name);
    worker.seat.id = ++next_seat_;
    worker.seat.drives = worker.seat.carrier = false;
    worker.seat.owner = &worker;
    worker.seat.state.store(seat::BUSY, std::memory_order_relaxed);
    worker.node.seat = &worker.seat;
    worker.called_home = false;
    worker.stand_in = nullptr;
    world_.name(&worker.seat, sizeof worker.seat, "seat of " + worker.name);
    return worker;
}

void Model::retire(Worker& worker) {
    world_.fence();  // a mutex guards the list
    free_workers_.push_back(&worker);
}

Seat* Model::prepare_carrier() noexcept {
    if (closed_ || threads_ >= plan_.max_carriers) return nullptr;
    ++threads_;
    Worker& worker = new_worker("carrier " + std::to_string(named_++));
    worker.seat.carrier = true;
    world_.point();
    return &worker.seat;
}

bool Model::launch_carrier(Seat& seat) noexcept {
    world_.point();
    if (world_.random().one_in(plan_.launch_fails_one_in)) return false;
    Worker& worker = *static_cast<Worker*>(seat.owner);
    world_.fence();  // starting a thread publishes what came before
    world_.start(worker.name, [this, &worker] { carrier_main(worker); });
    return true;
}

void Model::discard_carrier(Seat& seat) noexcept {
    retire(*static_cast<Worker*>(seat.owner));
    --threads_;
}

bool Model::may_lend() noexcept {
    world_.point();
    return !world_.random().one_in(plan_.refuse_one_in);
}

bool Model::should_leave(bool drives) noexcept { return closed_ || (drives && alive_ == 0); }

bool Model::has_job(bool drives) noexcept {
    return !drives && !closed_ && jobs_.load(std::memory_order_seq_cst) > 0;
}

bool Model::stranded() noexcept {
    return threads_ == 0 && !runner_ && baton_.has_work() && mc::word::state(baton_.peek()) == mc::word::FREE;
}

void Model::dropped(Node& node) noexcept {
    Worker& owner = *static_cast<Worker*>(node.seat->owner);
    if (&node == &owner.node) {
        world_.check(owner.seat.state.raw() == seat::GONE, "a runner was dropped that waits");
        retire(owner);
        return;
    }
    Task& task = static_cast<Task&>(node);
    if (Worker* stand_in = task.worker->stand_in) {
        stand_in->called_home = true;
        return;
    }
    world_.check(!task.dropped, "a node was dropped twice");
    world_.check(task.worker->seat.state.raw() == seat::GONE, "a node was dropped whose thread waits");
    task.dropped = true;
    retire(*task.worker);
}

// ---- threads ----

void Model::carrier_main(Worker& worker) {
    for (;;) {
        const mc::Idle idle = baton_.acquire_as_carrier(worker.seat);
        if (idle == mc::Idle::leaves) break;
        if (idle == mc::Idle::works) {
            take_job();
        } else {
            hold(worker);
            drive(worker, nullptr);
        }
    }
    retire(worker);
    --threads_;
    baton_.room_for_carrier();
}

// A job is done elsewhere than in the model: all that counts is that somebody takes it.
void Model::take_job() {
    unsigned left = jobs_.load(std::memory_order_seq_cst);
    while (left > 0 && !jobs_.compare_exchange_strong(left, left - 1, std::memory_order_seq_cst)) {
    }
    if (left > 1) baton_.rouse_for_job();
    world_.point();
}

void Model::submitter_main() {
    for (unsigned i = 0; i < plan_.jobs; ++i) {
        jobs_.fetch_add(1, std::memory_order_seq_cst);
        baton_.rouse_for_job();
        world_.point();
    }
}

void Model::runner_main() {
    Worker& worker = new_worker("runner");
    worker.seat.drives = worker.seat.carrier = true;
    runner_ = &worker;
    start_driving();
    bool holding = baton_.try_take(worker.seat) || baton_.acquire_as_carrier(worker.seat) == mc::Idle::holds;
    if (holding) hold(worker);
    while (holding && !should_leave(true)) {
        holding = drive(worker, nullptr);
        if (holding) continue;
        holding = baton_.acquire_as_carrier(worker.seat) == mc::Idle::holds;
        if (holding) hold(worker);
    }
    bool left_behind = false;
    if (!holding && drivers_ == 1) {
        leaving_ = &worker;
        world_.point();
        holding = baton_.acquire(worker.seat, worker.node, kForever);
        leaving_ = nullptr;
        left_behind = !holding;
        if (holding) hold(worker);
    }
    runner_ = nullptr;
    if (holding) {
        leave(worker);
    } else {
        --drivers_;
        baton_.leave_poller();
        if (!left_behind) retire(worker);
    }
    runner_done_ = true;
}

void Model::start_driving() {
    ++drivers_;
    world_.point();
    if (leaving_) leaving_->seat.wake();
}

bool Model::waits_in_vain(const Seat& seat) noexcept {
    world_.point();
    return leaving_ && &leaving_->seat == &seat && drivers_ > 1;
}

// By a driver that holds.
void Model::leave(Worker& worker) {
    let_go(worker);
    if (--drivers_ == 0) {
        baton_.pause(worker.seat, [this] {
            world_.point();
            return drivers_ == 0;
        });
        if (baton_.anybody_waits()) ring();
    } else {
        baton_.give_up(worker.seat, nullptr);
    }
    baton_.leave_poller();
    world_.check(!worker.node.linked, "a thread left, its node is in the line");
    retire(worker);
}

void Model::attached_main(unsigned number) {
    const std::string name = "attached " + std::to_string(number);
    const bool stays = number == 0 && !plan_.runner;
    Worker* worker = nullptr;
    Task* task = nullptr;
    for (unsigned attempt = 0;; ++attempt) {
        worker = &new_worker(name);
        worker->seat.drives = true;
        tasks_.push_back(std::make_unique<Task>());
        task = tasks_.back().get();
        task->name = name;
        task->bound = true;
        task->worker = worker;
        task->seat = &worker->seat;
        const bool hurried = plan_.short_waits && attempt < 3;
        const std::uint64_t until = hurried ? world_.now() + world_.random().below(100'000) : kForever;
        start_driving();
        if (baton_.acquire(worker->seat, *task, until)) break;
        --drivers_;
        task->ended = true;
    }
    world_.check(!task->linked, "a thread holds, its node is in the line");
    hold(*worker);
    task->steps_left = plan_.steps;
    while (task->steps_left-- > 0) {
        switch (world_.random().below(6)) {
            case 0: section(*worker, *task); break;
            case 1: yield_bound(*worker, *task); break;
            case 2: park_bound(*worker, *task); break;
            case 3: serve_request(true); break;
            case 4:
                if (baton_.due()) yield_bound(*worker, *task);
                break;
            default: touch();
        }
    }
    if (stays) wait_for_tasks(*worker, *task);
    task->ended = true;
    leave(*worker);
    --attached_alive_;
}

void Model::poster_main() {
    while (!closed_) {
        if (serve_request(false)) continue;
        world_.block(
            &requests_, [this] { return requests_.empty() && !closed_; }, kForever);
    }
}

// As src/core/dispatch.cc.
void Model::loop_main() {
    while (alive_ != 0 && !closed_) {
        world_.block(
            &readable_, [this] { return !readable_ && alive_ != 0 && !closed_; }, kForever);
        readable_ = false;
        world_.point();
        rung_.exchange(false, std::memory_order_seq_cst);
        Worker& worker = new_worker("loop");
        worker.seat.drives = true;
        start_driving();
        baton_.acquire(worker.seat, worker.node, kForever);
        hold(worker);
        dispatch(worker);
        const bool more = baton_.anybody_waits();
        leave(worker);
        if (more) ring();
    }
}

void Model::dispatch(Worker& worker) {
    worker.called_home = true;
    for (auto left = world_.random().below(4); left > 0; --left) {
        baton_.drain();
        if (Node* node = baton_.front_task()) {
            baton_.pop_front();
            run_task(worker, static_cast<Task&>(*node));
        } else if (baton_.length() > 0) {
            let_thread_run(worker);
        } else {
            break;
        }
    }
}

void Model::let_thread_run(Worker& worker) {
    worker.seat.state.store(seat::SPIN, std::memory_order_relaxed);
    baton_.push(&worker.node);
    let_go(worker);
    if (baton_.give_up(worker.seat, &worker.node) != GaveUp::own_turn)
        while (!baton_.await(worker.seat, worker.node, kForever, [] { return true; })) {
        }
    worker.seat.state.store(seat::BUSY, std::memory_order_relaxed);
    hold(worker);
}

void Model::ring() {
    if (!plan_.loop || rung_.exchange(true, std::memory_order_seq_cst)) return;
    world_.point();
    readable_ = true;
    world_.unblock(&readable_);
}

void Model::queued() noexcept {
    if (mc::word::state(baton_.peek()) == mc::word::PAUSED) ring();
}

// As src/core/fork.cc, in the parent.
void Model::forker_main() {
    Worker forker;
    forker.seat.id = mc::word::kNobody;
    for (unsigned i = 0; i < plan_.forks; ++i) {
        world_.point();
        mc::word::Word from = 0;
        const bool borrowed = baton_.borrow(forker.seat, from);
        if (borrowed) hold(forker);
        for (unsigned looks = 0; looks < 40; ++looks)
            SimSys::pause();  // so that others see it held, and sleep
        baton_.before_fork();
        world_.point();
        baton_.after_fork_in_parent();
        if (!borrowed) continue;
        let_go(forker);
        baton_.give_back(forker.seat, from, [this] { return drivers_ == 0; });
    }
}

// ---- tasks ----

bool Model::drive(Worker& worker, Node* self) {
    for (;;) {
        if (worker.seat.drives && worker.seat.carrier && closed_) return true;
        if (worker.called_home) return true;
        if (self) self->seat->state.store(seat::SPIN, std::memory_order_relaxed);
        let_go(worker);
        Node* node = baton_.next(worker.seat, self);
        if (!node) return false;
        hold(worker);
        if (node == self) return true;
        if (self) self->seat->state.store(seat::BUSY, std::memory_order_relaxed);
        run_task(worker, static_cast<Task&>(*node));
    }
}

void Model::run_task(Worker& worker, Task& task) {
    run_turn(worker, task);
    while (Task* next = std::exchange(worker.straight_to, nullptr)) run_turn(worker, *next);
}

void Model::run_turn(Worker& worker, Task& task) {
    world_.check(task.runnable && !task.linked && !task.bound && !task.ended,
                 "runs a task that is not ready");
    task.runnable = task.settled = false;
    task.worker = &worker;
    while (task.steps_left > 0) {
        --task.steps_left;
        if (may_suspend_step(worker, task)) return;
    }
    end_task(worker, task);
}

// True: the task waits, or is ready again.
bool Model::may_suspend_step(Worker& worker, Task& task) {
    const auto yield = [&] {
        Node* next = worker.called_home || closed_ ? nullptr : baton_.plain_front();
        if (next && world_.random().one_in(2)) {
            ++task.activation;
            task.runnable = task.settled = true;
            baton_.rotate(&task);
            worker.straight_to = static_cast<Task*>(next);
            return true;
        }
        baton_.drain();
        make_ready(task, true);
        return true;
    };
    switch (world_.random().below(7)) {
        case 0:
        case 1: section(worker, task); return false;
        case 2: return yield();
        case 3:
            if (plan_.posters == 0) return false;
            request_unpark(task);
            return task.wakeup.arm(wait::PARK) == 0;
        case 4: serve_request(true); return false;
        case 5: return baton_.due() && yield();
        default: touch(); return false;
    }
}

void Model::end_task(Worker&, Task& task) {
    task.ended = true;
    if (--alive_ != 0) return;
    world_.unblock(&readable_);
    if (runner_) runner_->seat.wake();
    if (joiner_ && joiner_->wakeup.claim(1u << wait::JOIN, wait::JOINED)) make_ready(*joiner_, true);
}

void Model::section(Worker& worker, Task& task) {
    Seat& seat = worker.seat;
    let_go(worker);
    const std::uint64_t before = holds_;
    baton_.lend(seat);
    switch (world_.random().below(4)) {
        case 0: break;
        case 1:
            for (auto n = world_.random().below(40); n > 0; --n) world_.point();
            break;
        default: {
            // Long ones, that do not return before whoever could use the baton had it.
            const std::uint64_t until = world_.now() + world_.random().below(300'000);
            world_.block(
                &until, [] { return true; }, until);
            while (holds_ == before && somebody_can_use_it())
                world_.block(
                    &holds_, [&] { return holds_ == before; }, kForever);
        }
    }
    if (!baton_.reclaim(seat)) {
        task.seat = &seat;
        task.returning = true;
        ++waiting_;
        baton_.acquire(seat, task, kForever);
        --waiting_;
        task.returning = false;
        if (!task.bound) task.seat = nullptr;
        world_.check(!task.linked, "a section is back, its node is in the line");
    }
    world_.check(plan_.refuse_one_in != 1 || holds_ == before, "a lend was taken that the host refused");
    hold(worker);
}

// ---- attached threads that wait ----

void Model::wait_bound(Worker& worker, Task& task, std::uint64_t deadline, bool queued) {
    auto posted = [&] { return queued || task.wakeup.claimed(); };
    let_go(worker);
    if (queued) ++waiting_;
    const GaveUp gave = baton_.give_up(worker.seat, &task);
    bool alone = gave == GaveUp::stuck;
    while (gave != GaveUp::own_turn) {
        if (!alone && baton_.await(worker.seat, task, deadline, posted)) break;
        alone = false;
        if (stranded()) {
            if (queued) --waiting_;  // it could not use the baton while its thread is in a task's section
            const bool own_turn = drive_alone(worker, task);
            if (queued) ++waiting_;
            if (own_turn) break;
        } else if (world_.now() >= deadline && task.wakeup.claim(wait::kAnyKind, wait::TIME)) {
            deadline = kForever;
            baton_.post(&task);
        }
    }
    if (queued) --waiting_;
    worker.seat.state.store(seat::BUSY, std::memory_order_relaxed);
    worker.stand_in = nullptr;
    world_.check(posted(), "a thread goes on, and nobody woke it");
    world_.check(!task.linked, "a thread goes on, its node is in the line");
    hold(worker);
}

bool Model::drive_alone(Worker& worker, Task& task) {
    Worker& stand_in = new_worker("stand-in");
    stand_in.seat.drives = true;
    bool own_turn = false;
    if (baton_.try_take(stand_in.seat)) {
        worker.stand_in = &stand_in;
        hold(stand_in);
        own_turn = drive(stand_in, &task);
        if (own_turn) {
            let_go(stand_in);
            baton_.rename(worker.seat);
        }
    }
    retire(stand_in);
    return own_turn;
}

void Model::yield_bound(Worker& worker, Task& task) {
    task.seat = &worker.seat;
    worker.seat.state.store(seat::SPIN, std::memory_order_relaxed);
    baton_.drain();
    baton_.push(&task);
    wait_bound(worker, task, kForever, true);
}

void Model::park_bound(Worker& worker, Task& task) {
    if (plan_.posters == 0) return;
    request_unpark(task);
    worker.seat.state.store(seat::SPIN, std::memory_order_relaxed);
    if (task.wakeup.arm(wait::PARK) != 0) {
        worker.seat.state.store(seat::BUSY, std::memory_order_relaxed);
        return;
    }
    const std::uint64_t until = plan_.short_waits ? world_.now() + world_.random().below(200'000) : kForever;
    wait_bound(worker, task, until, false);
}

void Model::wait_for_tasks(Worker& worker, Task& task) {
    while (alive_ != 0) {
        worker.seat.state.store(seat::SPIN, std::memory_order_relaxed);
        task.wakeup.arm(wait::JOIN);
        joiner_ = &task;
        if (alive_ == 0 && task.wakeup.claim(1u << wait::JOIN, wait::JOINED))
            worker.seat.state.store(seat::BUSY, std::memory_order_relaxed);
        else
            wait_bound(worker, task, kForever, false);
        joiner_ = nullptr;
    }
}

// ---- wakers ----

void Model::make_ready(Task& task, bool holding, bool by_signal) {
    const unsigned activation = ++task.activation;
    task.runnable = true;
    if (!holding && by_signal)
        baton_.post_from_anywhere(&task);
    else if (!holding)
        baton_.post(&task);
    else if (world_.random().one_in(2))
        baton_.push(&task);
    else
        baton_.push_from_anywhere(&task);
    ring();
    if (task.runnable && task.activation == activation && !task.bound) task.settled = true;
}

void Model::unpark(Task& task, bool holding) {
    if (task.wakeup.mark(wait::PERMIT, 1u << wait::PARK, wait::UNPARKED)) make_ready(task, holding, true);
}

void Model::request_unpark(Task& task) {
    requests_.push_back(&task);
    world_.unblock(&requests_);
}

bool Model::serve_request(bool holding) {
    if (requests_.empty()) return false;
    Task* task = requests_.front();
    requests_.pop_front();
    unpark(*task, holding);
    return true;
}

}  // namespace sim
