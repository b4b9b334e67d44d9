// SPDX-License-Identifier: BSL-1.0
#include "testing.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <list>
#include <utility>

#include <dirent.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace mctest {
namespace {

constexpr unsigned default_scale = sanitized ? 4 : 1;

std::string text(const char* maybe) { return maybe ? maybe : ""; }

void call_body(void* body) { (*static_cast<std::function<void()>*>(body))(); }

}  // namespace

unsigned hang_seconds() {
    static const unsigned scale = [] {
        const char* given = std::getenv("MULTICORE_TEST_SCALE");
        const int number = given ? std::atoi(given) : 0;
        return number > 0 ? static_cast<unsigned>(number) : default_scale;
    }();
    return 25 * scale;
}

int thread_id() { return static_cast<int>(syscall(SYS_gettid)); }

int process_threads() {
    DIR* tasks = opendir("/proc/self/task");
    int count = 0;
    while (const dirent* entry = readdir(tasks)) count += entry->d_name[0] != '.';
    closedir(tasks);
    return count;
}

void spin(std::uint64_t ns) {
    const std::uint64_t end = mc_now() + ns;
    while (mc_now() < end) {
    }
}

void Gate::open(unsigned permits) {
    const std::lock_guard<std::mutex> lock(mutex_);
    permits_ += permits;
    changed_.notify_all();
}

void Gate::wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    const auto bound = std::chrono::seconds(hang_seconds());
    if (!changed_.wait_for(lock, bound, [this] { return permits_ > 0; })) {
        std::fputs("hang: a gate was not opened\n", stderr);
        std::abort();
    }
    --permits_;
}

bool Gate::opened() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (permits_ == 0) return false;
    --permits_;
    return true;
}

Gate& lasting_gate() {
    static auto& all = *new std::list<Gate>;
    return all.emplace_back();
}

Runtime::Runtime(mc_runtime_options options) {
    if (!options.misuse) {
        options.misuse = on_misuse;
        options.arg = this;
    }
    EXPECT_EQ(MC_OK, mc_runtime_create(&options, &runtime_));
    if (!runtime_) std::abort();
}

Runtime::Runtime(const mc_host& host)
    : Runtime([&host] {
          mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
          options.host = &host;
          return options;
      }()) {}

Runtime::~Runtime() {
    if (runtime_) destroy();
}

void Runtime::destroy() {
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        for (mc_task* task : handles_) mc_task_unref(task);
        handles_.clear();
    }
    EXPECT_EQ(MC_OK, mc_runtime_destroy(runtime_));
    runtime_ = nullptr;
    for (const Report& report : take_reports())
        ADD_FAILURE() << "misuse reported: " << mc_status_name(report.status) << ": " << report.message
                      << " at " << report.file << ":" << report.line << " by " << report.task;
}

mc_task* Runtime::spawn(std::function<void()> body, const char* name) {
    std::function<void()>* kept = nullptr;
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        kept = &bodies_.emplace_back(std::move(body));
    }
    mc_task_options options = MC_TASK_OPTIONS_INIT;
    options.name = name;
    mc_task* task = nullptr;
    EXPECT_EQ(MC_OK, mc_task_spawn(runtime_, call_body, kept, &options, &task));
    if (task) {
        const std::lock_guard<std::mutex> lock(mutex_);
        handles_.push_back(task);
    }
    return task;
}

void Runtime::run() { EXPECT_EQ(MC_OK, mc_runtime_run(runtime_)); }

void Runtime::run(std::function<void()> body) {
    spawn(std::move(body), "main");
    run();
}

void Runtime::attached(const std::function<void()>& body) {
    ASSERT_EQ(MC_OK, mc_attach(runtime_, nullptr, MC_FOREVER, nullptr));
    body();
    EXPECT_EQ(MC_OK, mc_detach());
}

std::vector<Report> Runtime::take_reports() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return std::exchange(reports_, {});
}

std::size_t Runtime::reports() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return reports_.size();
}

mc_stats Runtime::stats() const {
    mc_stats stats = MC_STATS_INIT;
    EXPECT_EQ(MC_OK, mc_runtime_stats(runtime_, &stats));
    return stats;
}

void Runtime::on_misuse(void* self, const mc_misuse* report) {
    Runtime* runtime = static_cast<Runtime*>(self);
    const std::lock_guard<std::mutex> lock(runtime->mutex_);
    runtime->reports_.push_back({report->status, text(report->message), text(report->file),
                                 text(report->func), text(report->task), report->line});
}

void in_task(Runtime& runtime, Kind kind, std::function<void()> body) {
    if (kind == Kind::unbound) {
        runtime.run(std::move(body));
        return;
    }
    runtime.attached(body);
    runtime.run();  // what the body spawned and did not wait for
}

void sections_at_once(Runtime& runtime, int count) {
    Gate arrived, all;
    std::vector<mc_task*> tasks;
    for (int i = 0; i < count; ++i)
        tasks.push_back(runtime.spawn([&] {
            mc_release();
            arrived.open();
            all.wait();
            mc_acquire();
        }));
    mc_release();
    for (int i = 0; i < count; ++i) arrived.wait();
    all.open(static_cast<unsigned>(count));
    mc_acquire();
    for (mc_task* task : tasks) EXPECT_EQ(MC_OK, mc_task_join(task, MC_FOREVER));
}

std::string kind_name(const ::testing::TestParamInfo<Kind>& info) {
    return info.param == Kind::unbound ? "unbound" : "bound";
}

static bool print_failures() {
    std::fflush(stdout);
    // What GoogleTest does not print in the child of a death test.
    const ::testing::TestResult& result = *::testing::UnitTest::GetInstance()->current_test_info()->result();
    for (int i = 0; i < result.total_part_count(); ++i) {
        const ::testing::TestPartResult& part = result.GetTestPartResult(i);
        if (part.failed())
            std::fprintf(stderr, "%s:%d: %s\n", part.file_name(), part.line_number(), part.message());
    }
    return result.Failed();
}

void child(const std::function<void()>& body, unsigned patience) {
    alarm(hang_seconds() * patience);
    body();
    std::exit(print_failures() ? 1 : 0);
}

void leave_fork(int status) { _exit(print_failures() ? 1 : status); }

void expect_no_hang() { alarm(hang_seconds()); }

int status_of(pid_t child) {
    EXPECT_GT(child, 0);
    int status = 0;
    EXPECT_EQ(child, waitpid(child, &status, 0));
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static bool sleeps(int thread) {
    const std::string path = "/proc/self/task/" + std::to_string(thread) + "/stat";
    FILE* file = std::fopen(path.c_str(), "r");
    if (!file) return true;  // it has ended
    char state = '?';
    const bool read = std::fscanf(file, "%*d (%*[^)]) %c", &state) == 1;
    std::fclose(file);
    return !read || state == 'S';
}

static bool others_sleep() {
    bool all = true;
    DIR* threads = opendir("/proc/self/task");
    while (const dirent* entry = readdir(threads)) {
        const int thread = std::atoi(entry->d_name);
        if (thread != 0 && thread != thread_id()) all = all && sleeps(thread);
    }
    closedir(threads);
    return all;
}

pid_t fork_at_rest() {
    // Twice: a look takes a while, in which one that was seen asleep may have woken another.
    while (!others_sleep() || !others_sleep()) sched_yield();
    return fork();
}

int forked(const std::function<void()>& body) {
    const pid_t child = fork_at_rest();
    if (child != 0) return status_of(child);
    expect_no_hang();
    body();
    leave_fork();
}

}  // namespace mctest
