// A host with coroutines of its own, as Perl's Coro has them: C stacks that it switches itself, a queue of
// ready ones, and no word to the library about who runs.
//
// Uses the public headers only. The thread that attaches runs the main coroutine on its own stack. All of
// this is plain data that the baton guards, but what the hooks `ready` and `wake` touch.
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <multicore/multicore.h>

#include "testing.h"

namespace mctest {

// A suspended C stack. Whoever is switched to fills in the one that was left.
struct Coroutine;
struct Context {
    Coroutine* owner = nullptr;
    void* jump = nullptr;
    Context* to = nullptr;  // the one it was left for; tells a new one which one it is
    void* tsan_fiber = nullptr;
    void* fake_stack = nullptr;  // of the address sanitizer, while suspended
    const void* bottom = nullptr;
    std::size_t size = 0;
};

class CoroHost;
struct Coroutine {
    CoroHost* host = nullptr;
    std::string name;
    std::function<void()> body;
    mc_task* task = nullptr;
    Context own;
    Context* where = &own;  // what goes on when it is scheduled: its deputy's while it is in a section
    std::unique_ptr<char[]> stack;
    bool queued = false;
    bool ended = false;
};

class CoroHost final {
public:
    CoroHost() = default;
    CoroHost(const CoroHost&) = delete;
    CoroHost& operator=(const CoroHost&) = delete;

    mc_host hooks();
    // Attaches this thread, calls `body` in the main coroutine, waits for the others, detaches.
    void main(Runtime& runtime, const std::function<void()>& body);
    // The same, but those that are in sections are left to the next thread that attaches.
    void main_for_now(Runtime& runtime, const std::function<void()>& body);

    // By a coroutine, with the baton.
    Coroutine* start(std::string name, std::function<void()> body);  // queued
    void cede();                                                     // to the end of the queue
    void park();                                                     // until somebody makes it ready
    void make_ready(Coroutine* coroutine);
    void join_all();  // by the main coroutine
    Coroutine* current() const { return current_; }
    bool is_ready() { return on_ready(this) != 0; }
    bool is_queued(const Coroutine* coroutine) const { return coroutine->queued; }

    // What the hooks saw. With the baton, but those that are atomic.
    std::function<void(mc_task* lender)> on_run;  // as `run` begins
    int runs = 0, moved_runs = 0;                 // calls of `run`; those that returned on another thread
    int runs_open = 0, most_runs_open = 0;
    int early_runs = 0;  // returned because there was nothing to run
    std::atomic<int> wakes{0};
    int asked = 0;              // calls of `current`
    bool hide_current = false;  // `current` says NULL
    bool due_first = true;      // else a coroutine that is due goes to the end of the queue

private:
    static mc_task* on_current(void* self);
    static int on_ready(void* self);
    static void on_run_hook(void* self, mc_task* lender);
    static void on_wake(void* self);

    void run(mc_task* lender);
    void adopt(Coroutine& coroutine);
    void collect_due();
    Coroutine* next();
    void go_on(Context& leaving, Coroutine* to);
    void arrive();
    [[noreturn]] static void coroutine_main(Coroutine* self);
    static void drop(Coroutine* ended);
    friend struct Entry;

    Runtime* runtime_ = nullptr;
    Coroutine main_;
    Coroutine* current_ = nullptr;
    std::vector<std::unique_ptr<Coroutine>> all_;  // pointers stay valid to the end
    std::deque<Coroutine*> queue_;
    std::vector<Coroutine*> lenders_;  // those with a deputy
    Coroutine* dead_ = nullptr;        // ended, and its stack left just now
    int alive_ = 0;
    std::atomic<int> ready_{0};  // the queue's length, for any thread
    std::atomic<bool> due_{false};
    Gate idle_;  // the main coroutine waits for it in a section when there is nothing to run
};

}  // namespace mctest
