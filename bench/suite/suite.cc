// SPDX-License-Identifier: BSL-1.0
#include "suite.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace suite {
namespace {

bool first = true;

struct Body {
    std::function<void()> call;
};

void call_body(void* arg) {
    const std::unique_ptr<Body> body(static_cast<Body*>(arg));
    body->call();
}

}  // namespace

void report(const char* name, double value) {
    std::printf("%s\"%s\": %.6g", first ? "{" : ", ", name, value);
    first = false;
}

void fail(const std::string& message) {
    std::fprintf(stderr, "bench_suite: %s\n", message.c_str());
    std::exit(1);
}

void must(mc_status status, const char* what) {
    if (status != MC_OK)
        fail(std::string(what) + ": " + mc_status_name(status) + ": " + mc_status_message(status));
}

Runtime::Runtime(std::uint32_t max_threads) {
    mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
    options.max_threads = max_threads;
    must(mc_runtime_create(&options, &runtime_), "mc_runtime_create");
}

Runtime::~Runtime() { must(mc_runtime_destroy(runtime_), "mc_runtime_destroy"); }

mc_task* Runtime::spawn(std::function<void()> body) {
    mc_task* task = nullptr;
    must(mc_task_spawn(runtime_, call_body, new Body{std::move(body)}, nullptr, &task), "mc_task_spawn");
    mc_task_unref(task);
    return task;
}

void Runtime::run() { must(mc_runtime_run(runtime_), "mc_runtime_run"); }

mc_stats Runtime::stats() const {
    mc_stats stats = MC_STATS_INIT;
    must(mc_runtime_stats(runtime_, &stats), "mc_runtime_stats");
    return stats;
}

const std::vector<Point>& points() {
    static const std::vector<Point> all = {
        {"raw", "", raw},
        {"pair", "[PARKED_TASKS]", pair},
        {"beside", "SECTION_US", beside},
        {"parallel", "TASKS SECTION_US [MAX_THREADS]", parallel},
        {"parallel_mutex", "THREADS SECTION_US", parallel_mutex},
        {"parallel_condition", "THREADS SECTION_US", parallel_condition},
        {"latency_idle", "", latency_idle},
        {"latency_busy", "", latency_busy},
        {"block_tasks", "TASKS", block_tasks},
        {"block_threads", "THREADS", block_threads},
        {"parked", "TASKS", parked},
        {"jobs", "IN_FLIGHT", jobs},
        {"tasks", "", tasks},
        {"idle_nothing", "SECONDS", idle_nothing},
        {"idle_section", "SECONDS", idle_section},
        {"idle_computing", "SECONDS", idle_computing},
    };
    return all;
}

}  // namespace suite

int main(int argc, char** argv) {
    for (const suite::Point& point : suite::points()) {
        if (argc < 2 || std::strcmp(argv[1], point.name) != 0) continue;
        suite::Arguments arguments;
        for (int i = 2; i < argc; ++i) arguments.push_back(std::atof(argv[i]));
        point.run(arguments);
        std::puts("}");
        return 0;
    }
    std::fputs("usage: bench_suite POINT [NUMBER...]\n", stderr);
    for (const suite::Point& point : suite::points())
        std::fprintf(stderr, "    %s %s\n", point.name, point.arguments);
    return 2;
}
