// SPDX-License-Identifier: BSL-1.0
#include "fiber/overflow.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <thread>

#include "child.h"
#include "fiber/annotate.h"
#include "fiber/fiber.h"

namespace {

using mc::Fiber;
using mc::Stack;
using mc::test::expect_to_die;

Stack running;
const char* running_name = nullptr;

bool owner(Stack& stack, const char*& name) {
    if (running.base == nullptr) return false;
    stack = running;
    name = running_name;
    return true;
}

[[gnu::noinline]] int recurse(int levels) {
    volatile char frame[256];
    frame[0] = static_cast<char>(levels);
    if (levels == 0) return 0;
    return recurse(levels - 1) + frame[0];
}

Fiber home, task;

// Runs a task that overflows, on the calling thread.
[[noreturn]] void overflow(const char* name) {
    expect_to_die();
    mc::overflow_install(owner);
    mc::overflow_enter_thread();
    if (!mc::stack_allocate(64 << 10, running)) _exit(1);
    running_name = name;
    home.adopt_thread();
    task.prepare(
        running, [](void*) { _exit(recurse(1 << 24) & 1); }, nullptr);
    Fiber::switch_to(home, task);
    _exit(2);
}

volatile char* nowhere() {
    return static_cast<char*>(mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

std::string report_of(const std::string& name) {
    return "multicore: task '" + name + "' overflowed its C stack of " +
           std::to_string(64 * mc::annotate::stack_factor) + " KiB \\(raise stack_size\\)";
}

class OverflowDeathTest : public testing::Test {
protected:
    OverflowDeathTest() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(OverflowDeathTest, NamesTheTaskAndDiesBySignal) {
    EXPECT_EXIT(overflow("deep"), testing::KilledBySignal(SIGSEGV), report_of("deep"));
}

TEST_F(OverflowDeathTest, WorksOnAnyThread) {
    EXPECT_EXIT(std::thread([] { overflow("elsewhere"); }).join(), testing::KilledBySignal(SIGSEGV),
                report_of("elsewhere"));
}

TEST_F(OverflowDeathTest, BearsNamesOfAnyLengthAndNone) {
    const std::string long_name(5'000, 'x');
    EXPECT_EXIT(overflow(long_name.c_str()), testing::KilledBySignal(SIGSEGV),
                report_of(std::string(255, 'x')));
    EXPECT_EXIT(overflow(nullptr), testing::KilledBySignal(SIGSEGV), report_of("\\?"));
}

TEST_F(OverflowDeathTest, OtherFaultsGoToThePreviousHandler) {
    EXPECT_EXIT(
        {
            struct sigaction action = {};
            action.sa_sigaction = [](int signal, siginfo_t* info, void*) {
                _exit(signal == SIGSEGV && info->si_addr == running.base + 8 ? 42 : 1);
            };
            action.sa_flags = SA_SIGINFO;
            sigaction(SIGSEGV, &action, nullptr);
            mc::overflow_install(owner);
            running.base = const_cast<char*>(nowhere());
            running.size = 4096;
            running.base[8] = 1;
        },
        testing::ExitedWithCode(42), "");
}

TEST_F(OverflowDeathTest, OtherFaultsDieQuietlyWithoutPreviousHandler) {
    EXPECT_EXIT(
        {
            expect_to_die();
            signal(SIGSEGV, SIG_DFL);
            mc::overflow_install(owner);
            *nowhere() = 1;
        },
        testing::KilledBySignal(SIGSEGV), "^$");
    EXPECT_EXIT(
        {
            expect_to_die();
            signal(SIGSEGV, SIG_IGN);
            mc::overflow_install(owner);
            *nowhere() = 1;
        },
        testing::KilledBySignal(SIGSEGV), "^$");
}

TEST_F(OverflowDeathTest, SignalsThatAreSentKeepTheirMeaning) {
    EXPECT_EXIT(
        {
            expect_to_die();
            signal(SIGBUS, SIG_DFL);
            mc::overflow_install(owner);
            raise(SIGBUS);
            _exit(0);
        },
        testing::KilledBySignal(SIGBUS), "");
    EXPECT_EXIT(
        {
            signal(SIGBUS, SIG_IGN);
            mc::overflow_install(owner);
            raise(SIGBUS);
            _exit(7);
        },
        testing::ExitedWithCode(7), "");
}

stack_t alternate_now() {
    stack_t now;
    sigaltstack(nullptr, &now);
    return now;
}

TEST(Overflow, ThreadGetsAnAlternateStackAndLosesIt) {
    std::thread([] {
        stack_t none = {};
        none.ss_flags = SS_DISABLE;
        const stack_t before = alternate_now();  // a sanitizer has one
        sigaltstack(&none, nullptr);
        mc::overflow_enter_thread();
        const stack_t during = alternate_now();
        EXPECT_EQ(during.ss_flags & SS_DISABLE, 0);
        mc::overflow_enter_thread();
        EXPECT_EQ(alternate_now().ss_sp, during.ss_sp);
        mc::overflow_leave_thread();
        EXPECT_NE(alternate_now().ss_flags & SS_DISABLE, 0);
        mc::overflow_leave_thread();
        sigaltstack(&before, nullptr);
    }).join();
}

TEST(Overflow, ThreadKeepsAnAlternateStackOfItsOwn) {
    std::thread([] {
        const stack_t before = alternate_now();
        static char memory[64 << 10];
        const stack_t own = {memory, 0, sizeof memory};
        sigaltstack(&own, nullptr);
        mc::overflow_enter_thread();
        EXPECT_EQ(alternate_now().ss_sp, memory);
        mc::overflow_leave_thread();
        EXPECT_EQ(alternate_now().ss_sp, memory);
        sigaltstack(&before, nullptr);
    }).join();
}

}  // namespace
