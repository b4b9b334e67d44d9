// Unpaired calls: reported with their place, harming nothing.
// SPDX-License-Identifier: BSL-1.0
#include <cstring>
#include <thread>

#include "testing.h"

namespace {

using mctest::Gate;
using mctest::Report;
using mctest::Runtime;

class Misuse : public mctest::InTask {};
MC_IN_EACH_KIND(Misuse);

void expect_place(const Report& report, unsigned line) {
    EXPECT_NE(std::string::npos, report.file.find("misuse.cc")) << report.file;
    EXPECT_EQ(line, report.line);
    EXPECT_FALSE(report.func.empty());
    EXPECT_FALSE(report.message.empty());
    EXPECT_FALSE(report.task.empty());
    EXPECT_NE(MC_OK, report.status);
}

TEST_P(Misuse, AnAcquireWithoutRelease) {
    Runtime runtime;
    unsigned line = 0;
    in_task(runtime, [&] {
        line = __LINE__ + 1;
        mc_acquire();
        EXPECT_EQ(MC_OK, mc_task_yield());
        // All is as before: a section opens and others run in it.
        Gate other_ran;
        runtime.spawn([&] { other_ran.open(); });
        mc_release();
        other_ran.wait();
        mc_acquire();
    });
    const std::vector<Report> reports = runtime.take_reports();
    ASSERT_EQ(1u, reports.size());
    expect_place(reports[0], line);
}

TEST_P(Misuse, AnAcquireTooMany) {
    Runtime runtime;
    unsigned line = 0;
    in_task(runtime, [&] {
        mc_release();
        mc_release();
        mc_acquire();
        mc_acquire();
        line = __LINE__ + 1;
        EXPECT_NE(MC_EINTR, mc_acquire_status());
    });
    const std::vector<Report> reports = runtime.take_reports();
    ASSERT_EQ(1u, reports.size());
    expect_place(reports[0], line);
}

TEST_P(Misuse, EachTimeItHappens) {
    Runtime runtime;
    in_task(runtime, [] {
        for (int i = 0; i < 3; ++i) mc_acquire();
    });
    EXPECT_EQ(3u, runtime.take_reports().size());
}

TEST(MisuseRelease, ATaskThatEndsInItsSection) {
    Runtime runtime;
    unsigned line = 0;
    mc_task* forgetful = runtime.spawn(
        [&] {
            line = __LINE__ + 1;
            mc_release();
        },
        "forgetful");
    runtime.spawn([] { EXPECT_EQ(MC_OK, mc_task_yield()); });
    runtime.run();
    EXPECT_EQ(static_cast<uint32_t>(MC_TASK_ENDED), mc_task_state(forgetful));
    const std::vector<Report> reports = runtime.take_reports();
    ASSERT_EQ(1u, reports.size());
    EXPECT_EQ("forgetful", reports[0].task);
    expect_place(reports[0], line);
    runtime.run([] { EXPECT_EQ(MC_OK, mc_task_yield()); });
}

TEST(MisuseRelease, ATaskThatEndsInsideEnter) {
    Runtime runtime;
    unsigned line = 0;
    mc_task* forgetful = runtime.spawn([&] {
        line = __LINE__ + 1;
        mc_release();
        EXPECT_EQ(MC_OK, mc_enter());
    });
    runtime.run();
    EXPECT_EQ(static_cast<uint32_t>(MC_TASK_ENDED), mc_task_state(forgetful));
    const std::vector<Report> reports = runtime.take_reports();
    ASSERT_EQ(1u, reports.size());
    expect_place(reports[0], line);
    runtime.run([] { EXPECT_EQ(MC_OK, mc_task_yield()); });
}

TEST(MisuseRelease, ATaskThatEndsInAnInlineSection) {
    Runtime runtime;
    EXPECT_EQ(1, mc_enable(runtime, 0));
    mc_task* forgetful = runtime.spawn([] { mc_release(); });
    runtime.run();
    EXPECT_EQ(static_cast<uint32_t>(MC_TASK_ENDED), mc_task_state(forgetful));
    EXPECT_EQ(1u, runtime.take_reports().size());
}

TEST(MisuseStructure, IsVersionedBySize) {
    mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
    int calls = 0;
    options.arg = &calls;
    options.misuse = [](void* arg, const mc_misuse* report) {
        ++*static_cast<int*>(arg);
        EXPECT_EQ(sizeof *report, report->size);
        EXPECT_STREQ("culprit", report->task);
        EXPECT_NE(nullptr, std::strstr(report->file, "misuse.cc"));
    };
    Runtime runtime(options);
    runtime.spawn([] { mc_acquire(); }, "culprit");
    runtime.run();
    EXPECT_EQ(1, calls);
}

TEST(MisuseFfi, WithoutAPlaceTheTaskIsStillNamed) {
    Runtime runtime;
    runtime.spawn([] { (mc_acquire)(); }, "culprit");
    runtime.run();
    const std::vector<Report> reports = runtime.take_reports();
    ASSERT_EQ(1u, reports.size());
    EXPECT_EQ("culprit", reports[0].task);
}

}  // namespace
