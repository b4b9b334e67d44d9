// A runtime reduced to what the baton needs, on simulated threads: carriers, a runner, attached threads,
// posters, and tasks that open sections, yield and park.
//
// It does with the baton what src/core does, and checks that at most one thread holds, that no node is in
// two places, and, by the run's end, that every task and thread got its turn.
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "baton/baton.h"
#include "baton/wakeup.h"
#include "sim_sys.h"

namespace sim {

using Seat = mc::Seat<SimSys>;
using Node = mc::Node<SimSys>;
using Baton = mc::Baton<SimSys>;

struct Plan {
    unsigned tasks = 2;
    unsigned steps = 6;  // per task and attached thread
    bool runner = true;  // a thread runs the runtime; else an attached one stays to the end
    bool loop = false;   // or an event loop dispatches, and nobody else drives
    unsigned attached = 0;
    unsigned posters = 1;  // 0: nobody parks
    unsigned jobs = 0;
    unsigned forks = 0;  // by a thread of its own
    unsigned max_carriers = 8;
    unsigned launch_fails_one_in = 0;
    unsigned refuse_one_in = 0;  // may_lend says no
    bool attention = false;
    bool short_waits = false;  // attached threads give up soon: attaching and parking
    std::uint64_t idle_timeout = UINT64_MAX;
    std::uint32_t keep_idle = 2;
    std::uint64_t max_steps = 200'000;
};

struct Worker;

struct Task : Node {
    std::string name;
    mc::Wakeup<SimSys> wakeup;
    Worker* worker = nullptr;
    unsigned steps_left = 0;
    unsigned activation = 0;  // how often it became runnable
    bool runnable = false;    // it stands in the inbox or in the line
    bool settled = false;     // and whoever put it there has done its part
    bool bound = false;
    bool ended = false;
    bool dropped = false;
};

struct Worker {
    Seat seat;
    Node node;
    std::string name;
    bool called_home = false;
    Task* straight_to = nullptr;  // the task that the one which yields has switched to
    Worker* stand_in = nullptr;
};

class Model final : public mc::BatonClient<SimSys> {
public:
    Model(World& world, const Plan& plan);
    // The whole run. Afterwards world.failure() says what went wrong.
    void run();

    // ---- BatonClient ----
    Seat* prepare_carrier() noexcept override;
    bool launch_carrier(Seat& seat) noexcept override;
    void discard_carrier(Seat& seat) noexcept override;
    bool may_lend() noexcept override;
    void attention(std::uint32_t) noexcept override {}
    bool should_leave(bool drives) noexcept override;
    bool wants_spare() noexcept override { return plan_.posters > 0 && !closed_; }
    bool has_job(bool drives) noexcept override;
    bool waits_in_vain(const Seat&) noexcept override;
    bool stranded() noexcept override;
    bool needs_poller() noexcept override { return false; }
    bool always_polls() noexcept override { return false; }
    void seek_poller_elsewhere() noexcept override {}
    void dropped(Node& node) noexcept override;
    void woke() noexcept override {}
    void queued() noexcept override;

private:
    Worker& new_worker(std::string name);
    void retire(Worker& worker);
    void hold(Worker& worker);
    void let_go(Worker& worker);
    void touch();

    // As src/core/schedule.cc and suspend.cc.
    void carrier_main(Worker& worker);
    void runner_main();
    void loop_main();
    void dispatch(Worker& worker);
    void let_thread_run(Worker& worker);
    void ring();
    void attached_main(unsigned number);
    void poster_main();
    void submitter_main();
    void take_job();
    void forker_main();
    bool drive(Worker& worker, Node* self);
    void run_task(Worker& worker, Task& task);
    void run_turn(Worker& worker, Task& task);
    bool may_suspend_step(Worker& worker, Task& task);
    void section(Worker& worker, Task& task);
    void start_driving();
    void leave(Worker& worker);
    void wait_bound(Worker& worker, Task& task, std::uint64_t deadline, bool queued);
    bool drive_alone(Worker& worker, Task& task);
    void yield_bound(Worker& worker, Task& task);
    void park_bound(Worker& worker, Task& task);
    void wait_for_tasks(Worker& worker, Task& task);
    void make_ready(Task& task, bool holding, bool by_signal = false);
    void unpark(Task& task, bool holding);
    void request_unpark(Task& task);
    bool serve_request(bool holding);
    void end_task(Worker& worker, Task& task);
    bool somebody_can_use_it() const;
    bool strict() const {
        return plan_.max_carriers >= plan_.tasks + 2 && plan_.launch_fails_one_in == 0 &&
               plan_.refuse_one_in == 0;
    }
    void report_what_is_left();

    World& world_;
    const Plan plan_;
    Baton baton_;
    std::vector<std::unique_ptr<Worker>> workers_;
    std::vector<Worker*> free_workers_;
    std::vector<std::unique_ptr<Task>> tasks_;
    std::deque<Task*> requests_;  // to be unparked by a poster
    Worker* holder_ = nullptr;
    std::uint64_t holds_ = 0;  // how often somebody got the baton
    std::uint64_t touched_ = 0;
    unsigned waiting_ = 0;  // threads that wait in the line
    unsigned alive_ = 0;    // unbound tasks
    unsigned attached_alive_ = 0;
    unsigned drivers_ = 0;
    unsigned threads_ = 0;
    unsigned named_ = 0;
    std::uint32_t next_seat_ = 0;
    Worker* runner_ = nullptr;
    Worker* leaving_ = nullptr;  // the runner, while it waits for the baton to leave
    Task* joiner_ = nullptr;
    bool runner_done_ = true;
    SimSys::Atomic<unsigned> jobs_{0};  // not yet taken
    SimSys::Atomic<bool> rung_{false};
    bool readable_ = false;  // the descriptor
    bool closed_ = false;
};

}  // namespace sim
