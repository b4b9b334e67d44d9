// What the contract tests of the runtime share: gates, a runtime that checks itself, tasks from lambdas.
//
// Uses the public headers only. A wait that outlasts hang_seconds() ends the process: tests make their
// states with gates, and time only catches a hang.
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include <sys/types.h>

#include <gtest/gtest.h>

#include <multicore/multicore.h>

namespace mctest {

#if !defined(__has_feature)
#define __has_feature(feature) 0
#endif
#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
constexpr bool thread_sanitized = true;
#else
constexpr bool thread_sanitized = false;
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
constexpr bool address_sanitized = true;
#else
constexpr bool address_sanitized = false;
#endif
// Everything is slower then, and threads and fibers are scarce.
constexpr bool sanitized = thread_sanitized || address_sanitized;

// Bound of every wait, multiplied by MULTICORE_TEST_SCALE (default 1; sanitizers 4).
unsigned hang_seconds();

// The id of the calling OS thread, and how many threads the process has.
int thread_id();
int process_threads();

constexpr std::uint64_t ms = 1000000;
constexpr std::uint64_t us = 1000;

void spin(std::uint64_t ns);  // computes for about that long

// A counting gate for threads of any kind. wait() blocks the OS thread: tasks call it inside sections.
class Gate {
public:
    void open(unsigned permits = 1);
    void wait();
    bool opened();  // takes a permit if there is one

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    unsigned permits_ = 0;  // guarded by mutex_
};

// A gate that stays to the end of the process, and is no leak: for what a straggler may still be in.
Gate& lasting_gate();

struct Report {
    mc_status status;
    std::string message, file, func, task;
    unsigned line;
};

// A runtime that collects misuse reports and, at its end, expects to be destroyed with none left.
class Runtime {
public:
    Runtime() : Runtime(mc_runtime_options MC_RUNTIME_OPTIONS_INIT) {}
    explicit Runtime(mc_runtime_options options);
    explicit Runtime(const mc_host& host);
    ~Runtime();
    Runtime(const Runtime&) = delete;
    Runtime& operator=(const Runtime&) = delete;

    operator mc_runtime*() const { return runtime_; }

    // A task that calls body; the handle lives as long as this object.
    mc_task* spawn(std::function<void()> body, const char* name = nullptr);

    void run();                                        // expects MC_OK
    void run(std::function<void()> body);              // in an unbound task
    void attached(const std::function<void()>& body);  // in a task bound to this thread
    std::vector<Report> take_reports();
    std::size_t reports();  // how many wait to be taken
    mc_stats stats() const;
    void destroy();  // expects MC_OK; the destructor then does nothing

private:
    static void on_misuse(void* self, const mc_misuse* report);

    mc_runtime* runtime_ = nullptr;
    std::mutex mutex_;
    std::deque<std::function<void()>> bodies_;  // guarded by mutex_
    std::vector<mc_task*> handles_;             // guarded by mutex_
    std::vector<Report> reports_;               // guarded by mutex_
};

// Runs a body as an unbound task and as a bound one: what a task may do, both may.
enum class Kind { unbound, bound };
void in_task(Runtime& runtime, Kind kind, std::function<void()> body);

// By a task: it and `count` others are in sections until all are.
void sections_at_once(Runtime& runtime, int count);

class InTask : public ::testing::TestWithParam<Kind> {
protected:
    void in_task(Runtime& runtime, std::function<void()> body) {
        mctest::in_task(runtime, GetParam(), std::move(body));
    }
};
std::string kind_name(const ::testing::TestParamInfo<Kind>& info);

// For bodies that run in a child process under EXPECT_EXIT: a hang ends it, an expectation that failed
// makes its status 1. `patience` multiplies the time after which it counts as a hang.
[[noreturn]] void child(const std::function<void()>& body, unsigned patience = 1);

// In a forked child, for good: prints the expectations that failed; status 1 if there are any, else `status`.
[[noreturn]] void leave_fork(int status = 0);

// Forks when all other threads of the process sleep: so in its child none was amid a call of malloc or a
// sanitizer's, some of which do not survive that.
pid_t fork_at_rest();

// The same for a child that calls body and leaves. Its exit status, 128 + the signal that killed it. A hang
// kills it.
int forked(const std::function<void()>& body);

// How a child ended that fork() itself returned. In that child: be killed by a hang.
int status_of(pid_t child);
void expect_no_hang();

}  // namespace mctest

#define MC_IN_EACH_KIND(suite)                                                                           \
    INSTANTIATE_TEST_SUITE_P(Task, suite, ::testing::Values(mctest::Kind::unbound, mctest::Kind::bound), \
                             mctest::kind_name)
