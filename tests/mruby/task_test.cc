// What scripts can do with tasks.
// SPDX-License-Identifier: BSL-1.0
#include "mruby_test.h"

namespace {

using mrbtest::State;

class Task : public ::testing::TestWithParam<uint32_t> {
protected:
    State state{GetParam()};
};

TEST_P(Task, HasArgumentsAndAValue) {
    EXPECT_EQ("[3, [nil, 1]]", state.run(R"(
        a = Multicore.spawn(1, 2) { |x, y| Multicore.pass; x + y }
        b = Multicore.spawn(nil, 1) { |*all| all }
        [a.value, b.value].inspect)"));
    EXPECT_EQ("ok", state.run("Multicore.spawn('ok', &:to_s).value"));
    EXPECT_EQ("no block given (ArgumentError)", state.run("Multicore.spawn"));
}

TEST_P(Task, RunsInTurn) {
    EXPECT_EQ("a0 b0 a1 b1 a2 b2", state.run(R"(
        log = []
        %w(a b).map { |n| Multicore.spawn { 3.times { |i| log << n + i.to_s; Multicore.pass } } }.each(&:join)
        log.join(" "))"));
}

TEST_P(Task, KnowsItselfAndWhetherItIsAlive) {
    EXPECT_EQ("[true, true, false, true, \"main\"]", state.run(R"(
        main = Multicore.current
        gate = Native::Gate.new
        task = Multicore.spawn { gate.pass; Multicore.current }
        alive = task.alive?
        gate.open
        [alive, task.value.equal?(task), task.alive?, Multicore.current.equal?(main), main.name].inspect)"));
}

TEST_P(Task, JoinHasATimeout) {
    EXPECT_EQ("[nil, true, true]", state.run(R"(
        gate = Native::Gate.new
        task = Multicore.spawn { gate.pass }
        late = task.join(0)
        gate.open
        [late, task.join.equal?(task), task.join(0).equal?(task)].inspect)"));
    EXPECT_EQ("join: seconds must not be negative (ArgumentError)",
              state.run("Multicore.spawn { Multicore.sleep 0.01 }.join(-1)"));
    EXPECT_EQ("Multicore.sleep: seconds must be a number (TypeError)", state.run("Multicore.sleep '1'"));
    EXPECT_EQ("join: a task cannot wait for itself (Multicore::Error)", state.run("Multicore.current.join"));
}

TEST_P(Task, ItsExceptionIsRaisedWhereItIsJoined) {
    EXPECT_EQ("[\"bad\", \"bad\", true]", state.run(R"(
        task = Multicore.spawn { Multicore.pass; raise ArgumentError, "bad" }
        one = (task.join rescue $!)
        one = begin; task.join; rescue ArgumentError => e; e; end
        two = begin; task.value; rescue ArgumentError => e; e; end
        [one.message, two.message, one.equal?(two)].inspect)"));
}

TEST_P(Task, CannotLeaveItsBlockIntoAnother) {
    EXPECT_EQ("[LocalJumpError, LocalJumpError, FiberError, FiberError, 7]", state.run(R"(
        def returning; Multicore.spawn { [1].each { return 1 } }.join; end
        def error; yield; rescue LocalJumpError, FiberError => e; e.class; end
        here = Fiber.current
        [error { returning },
         error { Multicore.spawn { break }.join },
         error { Multicore.spawn { Fiber.yield }.join },
         error { Multicore.spawn { here.resume }.join },
         Multicore.spawn { [6, 7].each { |n| break n if n == 7 } }.value].inspect)"));
}

TEST(Report, AnExceptionThatNobodyJoinsIsToldOnceAtTheEndAtTheLatest) {
    testing::internal::CaptureStderr();
    {
        State state;
        state.run(R"(
            begin; Multicore.spawn { raise "seen" }.join; rescue; end
            Multicore.spawn { raise "lost" }
            $late = Multicore.spawn { raise "late" }
            3.times { Multicore.sleep 0 }
            nil)");
        state.run("GC.start");
    }
    EXPECT_EQ(
        "multicore: exception in 'task 2', which nobody joined: lost (RuntimeError)\n    test:3\n"
        "multicore: exception in 'task 3', which nobody joined: late (RuntimeError)\n    test:4\n",
        testing::internal::GetCapturedStderr());
}

TEST_P(Task, AnExceptionThatCannotBeShownIsReported) {
    testing::internal::CaptureStderr();
    state.run(R"(
        class Bad < StandardError; def to_s; raise self; end; end
        Multicore.spawn { raise Bad }
        3.times { Multicore.sleep 0 }
        nil)");
    state.run("GC.start; GC.start");
    EXPECT_EQ("multicore: exception in 'task 1', which nobody joined; it cannot be shown\n",
              testing::internal::GetCapturedStderr());
}

TEST_P(Task, NestsAsDeepAsMrubyLetsIt) {
    const std::string deep = R"(
        def deep(n); $depth = n; Native.sort([1, 2]) { |a, b| Native.call_back(n) { |m| deep(m + 1) }; 0 }; end
        def depth; deep(0); rescue SystemStackError; $depth; end
    )";
    const std::string here = state.run(deep + "depth");
    EXPECT_EQ(here, state.run("Multicore.spawn { depth }.value"));
    EXPECT_GE(std::atoi(here.c_str()), 50);
}

TEST_P(Task, AnInterruptIsRaisedInIt) {
    ASSERT_EQ(MC_OK, mc_task_interrupt(mc_task_current(), nullptr));
    EXPECT_EQ("Multicore.pass: interrupted (Multicore::Interrupted)", state.run("Multicore.pass"));
    EXPECT_EQ("2", state.run("Multicore.pass; 2"));
}

INSTANTIATE_TEST_SUITE_P(Way, Task, mrbtest::kWays, mrbtest::way_name);

}  // namespace
