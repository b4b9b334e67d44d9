// The C++ forms: each against a runtime, and where they report their callers to be.
// SPDX-License-Identifier: BSL-1.0
#include <multicore/multicore.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "../runtime/testing.h"

namespace {

using mctest::Gate;
using mctest::Runtime;

TEST(Section, IsOpenUntilTheEndOfTheBlock) {
    Runtime runtime;
    runtime.run([&] {
        Gate other_ran;
        runtime.spawn([&] { other_ran.open(); });
        {
            mc::section parallel;
            EXPECT_EQ(MC_OK, parallel.status());
            other_ran.wait();
            EXPECT_EQ(MC_EPERM, mc_task_yield());
        }
        EXPECT_EQ(MC_OK, mc_task_yield());
    });
    EXPECT_EQ(1u, runtime.stats().sections);
}

TEST(Section, MayBeClosedEarly) {
    Runtime runtime;
    runtime.run([] {
        mc::section parallel;
        EXPECT_EQ(MC_OK, parallel.close());
        EXPECT_EQ(MC_OK, mc_task_yield());
        EXPECT_EQ(MC_OK, parallel.close());
    });
    EXPECT_EQ(1u, runtime.stats().sections);
}

TEST(Section, HasTheBatonBackBeforeAnExceptionLeaves) {
    Runtime runtime;
    runtime.run([] {
        try {
            mc::section parallel;
            throw std::runtime_error("inside");
        } catch (const std::runtime_error& error) {
            EXPECT_STREQ("inside", error.what());
            EXPECT_EQ(MC_OK, mc_task_yield());
        }
        EXPECT_THROW(mc::release([]() -> int { throw 1; }), int);
        EXPECT_EQ(MC_OK, mc_task_yield());
    });
}

TEST(Section, TakesOptions) {
    Runtime runtime;
    runtime.run([] {
        mc_section_options options = MC_SECTION_OPTIONS_INIT;
        {
            mc::section parallel(options);
            EXPECT_EQ(MC_OK, parallel.status());
        }
        mc_task* self = mc_task_current();
        EXPECT_EQ(MC_OK, mc_task_interrupt(self, nullptr));
        {
            mc::section parallel(options);
            EXPECT_EQ(MC_EINTR, parallel.status());
            EXPECT_EQ(MC_EINTR, parallel.close());
        }
        bool ran = false;
        EXPECT_EQ(MC_EINTR, mc::release_with(options, [&] { ran = true; }));
        EXPECT_FALSE(ran);
        EXPECT_EQ(MC_OK, mc_task_take_interrupt(self, nullptr));
        EXPECT_EQ(MC_OK, mc::release_with(options, [&] { ran = true; }));
        EXPECT_TRUE(ran);
        options.deadline = 1;
        EXPECT_EQ(MC_ECANCELED, mc::release_with(options, [] {
                      while (mc_cancelled() == MC_OK) {
                      }
                  }));
    });
}

TEST(Release, ReturnsWhatTheBodyReturns) {
    Runtime runtime;
    runtime.run([] {
        EXPECT_EQ("text", mc::release([] { return std::string("text"); }));
        int value = 1;
        int& same = mc::release([&]() -> int& { return value; });
        EXPECT_EQ(&value, &same);
        auto owned = mc::release([] { return std::unique_ptr<int>(new int(7)); });
        EXPECT_EQ(7, *owned);
        mc::release([&] { value = 2; });
        EXPECT_EQ(2, value);
        struct Once {
            int operator()() && { return 9; }
        };
        EXPECT_EQ(9, mc::release(Once{}));
    });
    EXPECT_EQ(5u, runtime.stats().sections);
}

TEST(Entered, HasTheBatonInsideASection) {
    Runtime runtime;
    runtime.run([] {
        mc::section parallel;
        {
            mc::entered inside;
            EXPECT_EQ(MC_OK, inside.status());
            EXPECT_EQ(MC_OK, mc_task_yield());
            mc::release([] { EXPECT_EQ(MC_EPERM, mc_task_yield()); });
        }
        EXPECT_EQ(MC_EPERM, mc_task_yield());
        try {
            mc::entered inside;
            throw 1;
        } catch (int) {
            EXPECT_EQ(MC_EPERM, mc_task_yield());
        }
    });
}

TEST(Entered, OutsideASectionSaysNo) {
    Runtime runtime;
    runtime.run([] {
        mc::entered not_inside;
        EXPECT_EQ(MC_EPERM, not_inside.status());
    });
    runtime.take_reports();
}

TEST(Scope, LastsForTheBlock) {
    Runtime runtime;
    runtime.run([] {
        {
            mc::scope atomic(MC_SCOPE_ATOMIC);
            EXPECT_EQ(MC_OK, atomic.status());
            EXPECT_EQ(MC_EPERM, mc_task_yield());
            mc::scope bad(99);
            EXPECT_EQ(MC_EINVAL, bad.status());
        }
        EXPECT_EQ(MC_OK, mc_task_yield());
    });
}

TEST(Attached, LastsForTheBlock) {
    Runtime runtime;
    {
        mc::attached here(runtime);
        EXPECT_EQ(MC_OK, here.status());
        EXPECT_NE(nullptr, mc_task_current());
        mc_task_options options = MC_TASK_OPTIONS_INIT;
        mc::attached again(runtime, options, 0);
        EXPECT_EQ(MC_OK, again.status());
    }
    EXPECT_EQ(nullptr, mc_task_current());
}

TEST(Spawn, CallsTheBodyAndDestroysIt) {
    Runtime runtime;
    const auto token = std::make_shared<int>(0);
    mc::task task;
    ASSERT_EQ(MC_OK, mc::spawn(
                         runtime, [token] { ++*token; }, "counted", &task));
    EXPECT_TRUE(static_cast<bool>(task));
    EXPECT_STREQ("counted", mc_task_name(task.get()));
    EXPECT_EQ(2, token.use_count());
    ASSERT_EQ(MC_OK, mc::spawn(runtime, [token] { ++*token; }));
    mc::task copy = task;
    mc::task moved = std::move(task);
    EXPECT_EQ(copy.get(), moved.get());
    EXPECT_EQ(nullptr, task.get());
    runtime.run();
    EXPECT_EQ(2, *token);
    EXPECT_EQ(1, token.use_count());
    EXPECT_EQ(MC_OK, mc_task_result(copy.get()));
}

TEST(Spawn, ARefusedBodyIsDestroyed) {
    const auto token = std::make_shared<int>(0);
    EXPECT_EQ(MC_EINVAL, mc::spawn(nullptr, [token] { ++*token; }));
    EXPECT_EQ(1, token.use_count());
}

// ---- the caller's place ----

void expect_place(const std::vector<mctest::Report>& reports, unsigned line, const char* function) {
    ASSERT_EQ(1u, reports.size());
    EXPECT_NE(std::string::npos, reports[0].file.find("multicore_hpp.cc")) << reports[0].file;
    EXPECT_EQ(line, reports[0].line);
    EXPECT_NE(std::string::npos, reports[0].func.find(function)) << reports[0].func;
}

// A section whose acquire is missing is reported with the place of its release.
template <class Section>
struct Leaked {
    alignas(Section) unsigned char room[sizeof(Section)];
};

unsigned leaked_line;

void leak_plain() {
    static Leaked<mc::section> leaked;
    leaked_line = __LINE__ + 1;
    new (leaked.room) mc::section;
}

void leak_with_options() {
    static Leaked<mc::section> leaked;
    const mc_section_options options = MC_SECTION_OPTIONS_INIT;
    leaked_line = __LINE__ + 1;
    new (leaked.room) mc::section(options);
}

TEST(Place, OfASectionIsTheCallers) {
    Runtime runtime;
    runtime.run(leak_plain);
    expect_place(runtime.take_reports(), leaked_line, "leak_plain");
    runtime.run(leak_with_options);
    expect_place(runtime.take_reports(), leaked_line, "leak_with_options");
}

void acquires_too_often() {
    leaked_line = __LINE__ + 1;
    mc::release([] { mc_acquire(); });
}

TEST(Place, OfReleaseIsTheCallers) {
    Runtime runtime;
    runtime.run(acquires_too_often);
    expect_place(runtime.take_reports(), leaked_line, "acquires_too_often");
}

TEST(Place, OneTypeOfCallableFromTwoPlacesIsToldApart) {
    Runtime runtime;
    void (*body)() = [] { mc_acquire(); };
    runtime.run([body] {
        mc::release(body);
        leaked_line = __LINE__ + 1;
        mc::release(body);
    });
    const std::vector<mctest::Report> reports = runtime.take_reports();
    ASSERT_EQ(2u, reports.size());
    EXPECT_EQ(leaked_line - 2, reports[0].line);
    EXPECT_EQ(leaked_line, reports[1].line);
}

}  // namespace
