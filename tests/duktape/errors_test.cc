// The error of a task that nobody joins is told.
// SPDX-License-Identifier: BSL-1.0
#include "heap.h"

namespace {

struct DuktapeErrors : testing::Test {
    std::string told_by(const char* script) {
        testing::internal::CaptureStderr();
        {
            Heap heap;
            // Who is ready has had several turns.
            heap.run(
                "function settle() { multicore.spawn(function () {\n"
                "  for (var i = 0; i < 5; i++) multicore.yield() }).join() }");
            EXPECT_EQ(heap.run(script), "done");
            EXPECT_EQ(mc_duktape_close(heap.js, MC_FOREVER), MC_OK);
        }
        return testing::internal::GetCapturedStderr();
    }
};

TEST_F(DuktapeErrors, OnceTheHandleIsGone) {
    const std::string told = told_by(
        "function broken() { throw new Error('ouch') }\n"
        "multicore.spawn(broken); settle(); 'done'");
    EXPECT_NE(told.find("error in task 'broken', which nobody joined: Error: ouch"), std::string::npos)
        << told;
    EXPECT_NE(told.find("at broken"), std::string::npos) << told;
}

TEST_F(DuktapeErrors, AtTheEndOfTheHeapIfTheHandleLives) {
    const std::string told =
        told_by("var kept = multicore.spawn(function () { throw 'a string' }); settle(); 'done'");
    EXPECT_NE(told.find("a string"), std::string::npos) << told;
}

TEST_F(DuktapeErrors, NotIfJoined) {
    EXPECT_EQ(
        told_by("var t = multicore.spawn(function () { throw 1 }); try { t.join() } catch (e) {} 'done'"),
        "");
    EXPECT_EQ(told_by("multicore.spawn(function () { return new Error('a value') }); settle(); 'done'"), "");
}

TEST_F(DuktapeErrors, NotIfTheTaskWasCancelled) {
    EXPECT_EQ(told_by("multicore.spawn(function () { multicore.sleep(Infinity) }); settle(); 'done'"), "");
}

TEST_F(DuktapeErrors, AlsoAfterAJoinThatTimedOut) {
    const std::string told = told_by(
        "var t = multicore.spawn(function () { multicore.yield(); throw 'late' });\n"
        "try { t.join(0) } catch (e) {} t = null; settle(); 'done'");
    EXPECT_NE(told.find("late"), std::string::npos) << told;
}

TEST_F(DuktapeErrors, ToTheHandler) {
    EXPECT_EQ(told_by("var told = [];\n"
                      "multicore.onerror = function (e, name) { told.push(e + ' ' + name) };\n"
                      "function f() { throw 'x' } multicore.spawn(f); multicore.spawn(f);\n"
                      "settle(); if (told.join() !== 'x f,x f') throw told.join(); 'done'"),
              "");
}

TEST_F(DuktapeErrors, AHandlerThatFailsIsToldAsWell) {
    const std::string told = told_by(
        "multicore.onerror = function (e, name) { multicore.sleep(1) };\n"
        "multicore.spawn(function () { throw 'first' }); settle(); 'done'");
    EXPECT_NE(told.find("multicore.onerror failed"), std::string::npos) << told;
    EXPECT_NE(told.find("cannot suspend in a finaliser"), std::string::npos) << told;
    EXPECT_NE(told.find("first"), std::string::npos) << told;
}

}  // namespace
