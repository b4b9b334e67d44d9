// multicore/mruby.h: begin, end, other threads.
// SPDX-License-Identifier: BSL-1.0
#include <thread>

#include "mruby_test.h"

#include <mruby/data.h>

namespace {

using mrbtest::run;
using mrbtest::State;

TEST(Open, RefusesAndLeavesTheStateAsItWas) {
    mrb_state* mrb = mrb_open();
    EXPECT_EQ(MC_EINVAL, mc_mruby_open(nullptr, nullptr, MC_WAY_LEND));
    EXPECT_EQ(MC_EINVAL, mc_mruby_open(mrb, nullptr, MC_WAY_JOB));
    mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
    options.flags = 1u << 31;
    options.misuse = [](void*, const mc_misuse*) {};
    EXPECT_EQ(MC_EINVAL, mc_mruby_open(mrb, &options, MC_WAY_LEND));
    EXPECT_EQ(nullptr, mc_mruby_runtime(mrb));
    EXPECT_EQ(MC_OK, mc_mruby_close(mrb, 0));
    EXPECT_EQ(MC_ESHUTDOWN, mc_mruby_enter(mrb));
    EXPECT_EQ("3", run(mrb, "GC.start; 1 + 2"));
    EXPECT_EQ(MC_OK, mc_mruby_open(mrb, nullptr, MC_WAY_LEND));
    EXPECT_EQ(MC_EBUSY, mc_mruby_open(mrb, nullptr, MC_WAY_LEND));
    mrb_state* second = mrb_open();
    EXPECT_EQ(MC_EPERM, mc_mruby_open(second, nullptr, MC_WAY_LEND));
    mrb_close(second);
    mrb_close(mrb);
}

TEST(Open, SaysWhatWasRaised) {
    mrb_state* mrb = mrb_open();
    run(mrb, "Multicore = 1");
    EXPECT_EQ(MC_ENOMEM, mc_mruby_open(mrb, nullptr, MC_WAY_LEND));
    ASSERT_NE(nullptr, mrb->exc);
    mrb_close(mrb);
}

class Embed : public ::testing::TestWithParam<uint32_t> {};

TEST_P(Embed, AClosedStateGoesOnWithoutTasksAndCanBeOpenedAgain) {
    State state(GetParam());
    const int step_ratio = [] {
        mrb_state* mrb = mrb_open();
        const int ratio = mrb->gc.step_ratio;
        mrb_close(mrb);
        return ratio;
    }();
    EXPECT_EQ("1", state.run("$task = Multicore.spawn { 1 }; $task.value"));
    EXPECT_EQ(MC_OK, mc_mruby_close(state, MC_FOREVER));
    EXPECT_EQ(nullptr, mc_mruby_runtime(state));
    EXPECT_EQ(step_ratio, static_cast<mrb_state*>(state)->gc.step_ratio);
    EXPECT_EQ("[1, false]", state.run("GC.start; [$task.value, $task.alive?].inspect"));
    EXPECT_EQ(0u, state.run("Multicore.pass").find("Multicore.pass: no task of this mrb_state runs here"));
    EXPECT_EQ(MC_OK, mc_mruby_open(state, nullptr, GetParam()));
    EXPECT_EQ("[1, 2]", state.run("[$task.value, Multicore.spawn { 2 }.value].inspect"));
}

TEST_P(Embed, CloseCancelsWhatWaits) {
    State state(GetParam());
    EXPECT_EQ("ready", state.run(R"(
        $log = []
        $waiting = Multicore.spawn do
            begin
                begin
                    Multicore.sleep 1000
                rescue => e
                    $log << :rescued
                ensure
                    begin; Multicore.pass; rescue Multicore::Cancelled; $log << :still; end
                    $log << :ensured
                end
            end
        end
        $suspended = Fiber.new { Fiber.yield }
        Multicore.pass
        "ready")"));
    EXPECT_EQ(MC_OK, mc_mruby_close(state, MC_FOREVER));
    EXPECT_EQ("[:still, :ensured]", state.run("$log.inspect"));
    EXPECT_EQ("task 1 was cancelled", state.run("begin; $waiting.join; rescue Exception => e; e.class == "
                                                "Multicore::Cancelled ? 'task 1 was cancelled' : e; end"));
}

// Dropped in the midst of everything: their stacks are not unwound, their closures go on.
TEST_P(Embed, TasksThatResistAreDropped) {
    State state(GetParam());
    state.run(R"(
        5.times do |n|
            Multicore.spawn do
                count = n
                $closures = ($closures || []) << -> { count += 1 }
                Fiber.new do
                    Native.hold(10) { loop { begin; Multicore.sleep 100; rescue Exception; end } }
                end.resume
            end
        end
        Multicore.sleep 0)");
    EXPECT_EQ(MC_OK, mc_mruby_close(state, 1000000));
    EXPECT_EQ("[1, 2, 3, 4, 5]", state.run("GC.start; $closures.map(&:call).inspect"));
}

TEST_P(Embed, ASectionMayOutliveTheState) {
    mrb_state* mrb = mrb_open();
    native_define(mrb);
    mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
    options.misuse = [](void*, const mc_misuse*) {};  // tells the number of stragglers
    ASSERT_EQ(MC_OK, mc_mruby_open(mrb, &options, GetParam()));
    void* const gate = DATA_PTR(mrb_load_string(mrb, R"(
        $gate = Native::Gate.new
        Multicore.spawn($gate) { |gate| gate.pass("x" * 100_000); raise "never" }
        Multicore.sleep 0
        $gate)"));
    native_await_user(gate);
    EXPECT_EQ(MC_ETIMEDOUT, mc_mruby_close(mrb, 0));
    mrb_close(mrb);
    native_open_gate(gate);
    native_await_no_user(gate);
}

TEST_P(Embed, AnAbandonedTaskNeverGoesOn) {
    State state(GetParam());
    static mc_task* task;
    mrb_define_method(
        state, static_cast<mrb_state*>(state)->kernel_module, "remember_task",
        [](mrb_state*, mrb_value self) {
            task = mc_task_ref(mc_task_current());
            return self;
        },
        MRB_ARGS_NONE());
    state.run(R"(
        $gate = Native::Gate.new
        $count = 0
        $closure = nil
        $task = Multicore.spawn do
            mine = 0
            $closure = -> { mine += 1 }
            begin; remember_task; $gate.pass("x" * 1000); $count += 1; ensure; $count += 1; end
        end
        Multicore.sleep 0)");
    EXPECT_EQ(MC_OK, mc_task_cancel(task, MC_CANCEL_ABANDON));
    EXPECT_EQ("[true, false]", state.run(R"(
        cancelled = begin; $task.join; rescue Multicore::Cancelled; true; end
        GC.start
        $gate.open
        [cancelled, $task.alive?].inspect)"));
    mc_task_unref(task);
    EXPECT_EQ("[0, 1, 40]", state.run(R"(
        sum = 0
        10.times { sum += Multicore.spawn { Native.section(100); GC.start; 4 }.value }
        [$count, $closure.call, sum].inspect)"));
}

TEST_P(Embed, OtherThreadsRunScripts) {
    State state(GetParam());
    mrb_state* const mrb = state;
    mc_runtime* const runtime = mc_mruby_runtime(mrb);
    if (GetParam() == MC_WAY_SHIP) {  // only the home thread does
        std::thread other([=] { EXPECT_EQ(MC_ENOTSUP, mc_attach(runtime, nullptr, MC_FOREVER, nullptr)); });
        return other.join();
    }
    EXPECT_EQ(MC_EPERM, mc_mruby_enter(mrb));
    EXPECT_EQ(MC_EPERM, mc_mruby_leave(mrb));
    state.run("$gate = Native::Gate.new; $sum = 0");
    std::thread other([=] {
        EXPECT_EQ(MC_OK, mc_attach(runtime, nullptr, MC_FOREVER, nullptr));
        for (int i = 0; i < 3; ++i) {
            EXPECT_EQ(MC_OK, mc_mruby_enter(mrb));
            EXPECT_EQ(MC_EPERM, mc_mruby_enter(mrb));
            EXPECT_EQ("7", run(mrb, R"(
                GC.start
                Native.section(50)
                Multicore.spawn { $sum += Multicore.spawn(3) { |n| Multicore.pass; n + 4 }.value }.join
                GC.start
                $sum / $sum * 7)"));
            EXPECT_EQ(MC_EPERM, mc_mruby_close(mrb, 0));
            EXPECT_EQ(MC_OK, mc_mruby_leave(mrb));
            EXPECT_EQ(MC_OK, mc_task_yield());
        }
        EXPECT_EQ(MC_OK, mc_mruby_enter(mrb));
        run(mrb, "$gate.open");
        EXPECT_EQ(MC_OK, mc_mruby_leave(mrb));
        EXPECT_EQ(MC_OK, mc_detach());
    });
    EXPECT_EQ("21", state.run(R"(
        others = Array.new(4) { Multicore.spawn { 50.times { Array.new(50) { |i| i.to_s }; Multicore.pass } } }
        $gate.pass
        others.each(&:join)
        $sum)"));
    mc_release();
    other.join();
    mc_acquire();
}

INSTANTIATE_TEST_SUITE_P(Way, Embed, mrbtest::kWays, mrbtest::way_name);

}  // namespace
