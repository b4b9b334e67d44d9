// Sections of native functions, and where there must be none.
// SPDX-License-Identifier: BSL-1.0
#include "mruby_test.h"

namespace {

using mrbtest::State;

class Section : public ::testing::TestWithParam<uint32_t> {
protected:
    bool lends() const { return GetParam() == MC_WAY_LEND; }
    // In a task that can be shipped: the main one is bound to its thread.
    std::string run(const std::string& script) {
        return state.run(lends() ? script : "Multicore.spawn do\n" + script + "\nend.value");
    }

    State state{GetParam()};
};

// Only if others run meanwhile does the gate ever open.
TEST_P(Section, LetsOthersRun) {
    EXPECT_EQ(lends() ? "true" : "false", run(R"(
        gate = Native::Gate.new
        thread = nil
        Multicore.spawn { thread = Native.thread; gate.open }
        gate.pass
        thread != Native.thread)"));
    EXPECT_EQ(lends(), state.stats().handoffs > 0);
    EXPECT_EQ(0u, state.stats().sections_inline);
}

// Where tasks are shipped, only those sections move that say that they may.
TEST_P(Section, OfEitherKindSideBySide) {
    const std::string threads = run(R"(
        here = Native.thread
        sections = Array.new(10) { |i| Multicore.spawn { i < 5 ? Native.section(50) : Native.plain_section(50) } }
        sections.map! { |task| task.value == here ? :stayed : :moved }
        [sections[0, 5].uniq, sections[5, 5].uniq, here == Native.thread].inspect)");
    EXPECT_TRUE(lends() || threads == "[[:moved], [:stayed], true]") << threads;
    EXPECT_EQ(lends() ? 0u : 5u, state.stats().sections_inline);
}

// Each is let out by the one that began after it.
TEST_P(Section, ManyAtOnce) {
    EXPECT_EQ("10", run(R"(
        gates = Array.new(10) { Native::Gate.new }
        tasks = (0...10).map do |i|
            Multicore.spawn do
                gates[i].pass
                gates[i - 1].open if i > 0
                1
            end
        end
        Multicore.spawn { gates.last.open }
        tasks.inject(0) { |sum, task| sum + task.value })"));
    EXPECT_GE(state.stats().threads_peak, 10u);
}

// Wherever the collector is, between two steps.
TEST_P(Section, LetsOthersRunWhateverTheCollectorDoes) {
    for (const char* mode : {"true", "false"}) {
        EXPECT_EQ("200", run("GC.generational_mode = " + std::string(mode) + R"(
            GC.interval_ratio = 110
            keep = Array.new(20_000) { |i| i.to_s }
            200.times do |n|
                gate = Native::Gate.new
                Multicore.spawn { gate.open }
                (n * 37 % 1500).times { |i| keep[i] = i.to_s }
                gate.pass
            end)"));
    }
}

TEST_P(Section, KeepsAPendingException) {
    EXPECT_EQ("pending (IndexError) fine", run(R"(
        gate = Native::Gate.new
        other = Multicore.spawn do
            GC.start
            fine = begin; raise "x"; rescue; "fine"; end
            Array.new(3000) { |i| "garbage #{i}" }
            gate.open
            fine
        end
        gate.pass_with_exception + " " + other.value)"));
}

TEST_P(Section, OfAFinaliserKeepsTheInterpreter) {
    EXPECT_EQ("0", run(R"(
        done = false
        other = Multicore.spawn { until done; Native.look; Multicore.pass; end }
        3.times do
            5.times { Native::Handle.new(2000); Multicore.pass }
            GC.start
        end
        GC.generational_mode = false
        5.times { Native::Handle.new(2000) }
        4000.times { |i| i.to_s; Multicore.pass if i % 100 == 0 }
        GC.start
        done = true
        other.join
        Native.entered)"));
}

TEST_P(Section, WithinEachObjectKeepsTheInterpreter) {
    EXPECT_EQ("[0, \"Multicore.pass: not inside ObjectSpace.each_object; collect the objects first\"]",
              run(R"(
        count = 0
        done = false
        other = Multicore.spawn { until done; count += 1; Multicore.pass; end }
        Multicore.pass
        entered = 0
        ObjectSpace.each_object(Module) { before = count; Native.section(100); entered += count - before }
        error = begin; ObjectSpace.each_object(Module) { Multicore.pass }; rescue Multicore::Error => e; e.message; end
        done = true
        other.join
        [entered, error].inspect)"));
}

INSTANTIATE_TEST_SUITE_P(Way, Section, mrbtest::kWays, mrbtest::way_name);

}  // namespace
