// Many tasks that wait: in sections that block, beside as many plain threads that do the same; and parked.
// SPDX-License-Identifier: BSL-1.0
#include <cstdio>
#include <cstring>
#include <fstream>
#include <thread>

#include <pthread.h>

#include "suite.h"

namespace suite {
namespace {

constexpr timespec block{0, 100'000'000};

double memory_peak_kib() {
    std::ifstream status("/proc/self/status");
    std::string line;
    while (std::getline(status, line))
        if (line.rfind("VmHWM:", 0) == 0) return std::atof(line.c_str() + 6);
    fail("no VmHWM in /proc/self/status");
}

double mappings() {
    std::ifstream maps("/proc/self/maps");
    std::string line;
    double count = 0;
    while (std::getline(maps, line)) ++count;
    return count;
}

void tell(std::uint64_t start) {
    report("wall_ms", static_cast<double>(bench_now() - start) / ms);
    report("memory_peak_kib", memory_peak_kib());
}

}  // namespace

void block_tasks(const Arguments& arguments) {
    Runtime runtime(static_cast<std::uint32_t>(MC_NONE));
    const std::uint64_t start = bench_now();
    for (double i = 0; i < arguments.at(0); ++i)
        runtime.spawn([] {
            mc_release();
            nanosleep(&block, nullptr);
            mc_acquire();
        });
    runtime.run();
    tell(start);
    report("threads", static_cast<double>(runtime.stats().threads_peak));
}

void block_threads(const Arguments& arguments) {
    const auto body = [](void*) -> void* {
        nanosleep(&block, nullptr);
        return nullptr;
    };
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 256 << 10);
    std::vector<pthread_t> threads(static_cast<std::size_t>(arguments.at(0)));
    const std::uint64_t start = bench_now();
    for (pthread_t& thread : threads)
        if (const int error = pthread_create(&thread, &attributes, body, nullptr))
            fail(std::string("pthread_create: ") + std::strerror(error));
    for (const pthread_t thread : threads) pthread_join(thread, nullptr);
    tell(start);
}

void parked(const Arguments& arguments) {
    const double count = arguments.at(0);
    Runtime runtime;
    mc_task_options options = MC_TASK_OPTIONS_INIT;
    options.stack_size = 64 << 10;
    std::vector<mc_task*> tasks(static_cast<std::size_t>(count));
    const double before = memory_peak_kib();
    const std::uint64_t start = bench_now();
    for (mc_task*& task : tasks)
        must(mc_task_spawn(
                 runtime, [](void*) { must(mc_task_park(MC_FOREVER), "mc_task_park"); }, nullptr, &options,
                 &task),
             "mc_task_spawn");
    runtime.spawn([&] {  // the last in line: all others are parked
        report("park_ns_each", static_cast<double>(bench_now() - start) / count);
        report("bytes_each", (memory_peak_kib() - before) * 1024 / count);
        report("mappings", mappings());
        for (mc_task* task : tasks) must(mc_task_unpark(task), "mc_task_unpark");
    });
    runtime.run();
    report("wall_ms", static_cast<double>(bench_now() - start) / ms);
    for (mc_task* task : tasks) mc_task_unref(task);
}

}  // namespace suite
