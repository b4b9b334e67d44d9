// The rules for options and out structs: sizes, defaults, MC_NONE, unknown flags.
// SPDX-License-Identifier: BSL-1.0
#include <cstddef>
#include <cstring>

#include "testing.h"

namespace {

struct LargerOptions {
    mc_runtime_options known;
    unsigned char tail[24];
};

mc_runtime* const untouched = reinterpret_cast<mc_runtime*>(0x10);

void count(void* arg, const mc_misuse* report) {
    EXPECT_EQ(MC_EINVAL, report->status);
    EXPECT_NE(nullptr, report->message);
    EXPECT_GE(report->size, sizeof *report);
    ++*static_cast<int*>(arg);
}

void expect_created(const mc_runtime_options* options) {
    mc_runtime* runtime = nullptr;
    ASSERT_EQ(MC_OK, mc_runtime_create(options, &runtime));
    ASSERT_NE(nullptr, runtime);
    EXPECT_EQ(MC_OK, mc_runtime_destroy(runtime));
}

void expect_refused(mc_runtime_options& options) {
    int reports = 0;
    options.misuse = count;
    options.arg = &reports;
    mc_runtime* runtime = untouched;
    EXPECT_EQ(MC_EINVAL, mc_runtime_create(&options, &runtime));
    EXPECT_EQ(untouched, runtime);
    EXPECT_EQ(1, reports);
}

TEST(CreateOptions, NullMeansDefaults) { expect_created(nullptr); }

TEST(CreateOptions, TheInitialiserMeansDefaults) {
    const mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
    EXPECT_EQ(sizeof options, options.size);
    expect_created(&options);
}

TEST(CreateOptions, EverySmallerSizeGetsDefaults) {
    const size_t ends[] = {offsetof(mc_runtime_options, max_threads), offsetof(mc_runtime_options, slice),
                           offsetof(mc_runtime_options, name), offsetof(mc_runtime_options, misuse),
                           offsetof(mc_runtime_options, arg)};
    for (const size_t end : ends) {
        // What lies behind the size is not the library's to read.
        mc_runtime_options options;
        std::memset(&options, 0xa5, sizeof options);
        const mc_runtime_options init = MC_RUNTIME_OPTIONS_INIT;
        std::memcpy(&options, &init, end);
        options.size = static_cast<uint32_t>(end);
        expect_created(&options);
    }
}

TEST(CreateOptions, ALargerSizeNeedsAZeroTail) {
    LargerOptions options = {MC_RUNTIME_OPTIONS_INIT, {}};
    options.known.size = sizeof options;
    expect_created(&options.known);
    options.tail[sizeof options.tail - 1] = 1;
    expect_refused(options.known);
}

TEST(CreateOptions, ASizeThatDoesNotCoverItselfIsRefused) {
    mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
    options.size = 2;
    mc_runtime* runtime = untouched;
    EXPECT_EQ(MC_EINVAL, mc_runtime_create(&options, &runtime));
    EXPECT_EQ(untouched, runtime);
}

TEST(CreateOptions, NoneIsAcceptedForEveryLimit) {
    mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
    options.max_threads = static_cast<uint32_t>(MC_NONE);
    options.keep_idle_threads = static_cast<uint32_t>(MC_NONE);
    options.idle_timeout = static_cast<uint64_t>(MC_NONE);
    options.section_slice = static_cast<uint64_t>(MC_NONE);
    options.slice = static_cast<uint64_t>(MC_NONE);
    options.job_queue_limit = static_cast<uint32_t>(MC_NONE);
    expect_created(&options);
}

TEST(CreateOptions, UnknownFlagsAndWaysAreRefused) {
    mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
    options.flags = 0x80000000u;
    expect_refused(options);

    mc_host host = MC_HOST_INIT;
    options = MC_RUNTIME_OPTIONS_INIT;
    options.host = &host;
    host.way = 77;
    expect_refused(options);

    host = MC_HOST_INIT;
    host.flags = 0x80000000u;
    expect_refused(options);
}

TEST(CreateOptions, TheHostHasASizeToo) {
    mc_host host = MC_HOST_INIT;
    mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
    options.host = &host;
    host.size = offsetof(mc_host, taken);
    host.taken = [](void*, mc_task*) { ADD_FAILURE() << "a hook behind the size was called"; };
    host.switched = [](void*, mc_task*, mc_task*) { ADD_FAILURE() << "a hook behind the size was called"; };
    mctest::Runtime(options).run([] { EXPECT_EQ(MC_OK, mc_task_yield()); });
}

TEST(CreateOptions, NullOutIsRefused) { EXPECT_EQ(MC_EINVAL, mc_runtime_create(nullptr, nullptr)); }

TEST(CreateOptions, NullRuntimesAreRefused) {
    mc_stats stats = MC_STATS_INIT;
    EXPECT_EQ(MC_EINVAL, mc_runtime_run(nullptr));
    EXPECT_EQ(MC_EINVAL, mc_runtime_shutdown(nullptr, 0));
    EXPECT_EQ(MC_EINVAL, mc_runtime_destroy(nullptr));
    EXPECT_EQ(MC_EINVAL, mc_runtime_stats(nullptr, &stats));
    EXPECT_EQ(MC_EINVAL, mc_enable(nullptr, 1));
    EXPECT_EQ(MC_EINVAL, mc_attach(nullptr, nullptr, 0, nullptr));
    EXPECT_EQ(MC_EINVAL, mc_task_spawn(
                             nullptr, [](void*) {}, nullptr, nullptr, nullptr));
    mc_runtime_stop(nullptr);
}

TEST(TaskOptions, FollowTheSameRules) {
    mctest::Runtime runtime;
    int ran = 0;
    const auto fn = [](void* arg) { ++*static_cast<int*>(arg); };

    EXPECT_EQ(MC_OK, mc_task_spawn(runtime, fn, &ran, nullptr, nullptr));

    mc_task_options options = MC_TASK_OPTIONS_INIT;
    options.size = offsetof(mc_task_options, name);
    options.name = reinterpret_cast<const char*>(1);  // behind the size
    EXPECT_EQ(MC_OK, mc_task_spawn(runtime, fn, &ran, &options, nullptr));

    struct {
        mc_task_options known;
        uint64_t tail;
    } larger = {MC_TASK_OPTIONS_INIT, 0};
    larger.known.size = sizeof larger;
    EXPECT_EQ(MC_OK, mc_task_spawn(runtime, fn, &ran, &larger.known, nullptr));

    larger.tail = 1;
    mc_task* out = reinterpret_cast<mc_task*>(0x10);
    EXPECT_EQ(MC_EINVAL, mc_task_spawn(runtime, fn, &ran, &larger.known, &out));
    EXPECT_EQ(MC_EINVAL, mc_attach(runtime, &larger.known, 0, &out));
    EXPECT_EQ(reinterpret_cast<mc_task*>(0x10), out);

    options = MC_TASK_OPTIONS_INIT;
    options.flags = 0x80000000u;
    EXPECT_EQ(MC_EINVAL, mc_task_spawn(runtime, fn, &ran, &options, nullptr));

    runtime.run();
    EXPECT_EQ(3, ran);
    runtime.take_reports();  // whether a refused task is also reported is open
}

TEST(StatsOut, IsFilledUpToTheSmallerSize) {
    mctest::Runtime runtime;
    runtime.run([] {});

    mc_stats stats;
    std::memset(&stats, 0xa5, sizeof stats);
    stats.size = offsetof(mc_stats, sections);
    EXPECT_EQ(MC_OK, mc_runtime_stats(runtime, &stats));
    EXPECT_EQ(1u, stats.tasks_spawned);
    EXPECT_EQ(0xa5a5a5a5a5a5a5a5u, stats.sections);
    EXPECT_EQ(0xa5a5a5a5a5a5a5a5u, stats.longest_wait);

    std::memset(&stats, 0xa5, sizeof stats);
    stats.size = sizeof stats.size;
    EXPECT_EQ(MC_OK, mc_runtime_stats(runtime, &stats));
    EXPECT_EQ(0xa5a5a5a5u, stats.reserved);
    EXPECT_EQ(0xa5a5a5a5a5a5a5a5u, stats.tasks_alive);

    struct {
        mc_stats known;
        uint64_t tail;
    } larger = {MC_STATS_INIT, 42};
    larger.known.size = sizeof larger;
    EXPECT_EQ(MC_OK, mc_runtime_stats(runtime, &larger.known));
    EXPECT_EQ(1u, larger.known.tasks_spawned);

    EXPECT_EQ(MC_EINVAL, mc_runtime_stats(runtime, nullptr));
}

}  // namespace
