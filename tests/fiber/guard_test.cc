// Guards on a kernel without markers, which a system call filter plays.
// SPDX-License-Identifier: BSL-1.0
#include "fiber/guard.h"

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "fiber/stack.h"

namespace {

constexpr unsigned guard_install = 102;

// From here on the process's kernel does not know guard markers. Final.
bool forget_markers() {
    sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[2])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, guard_install, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const sock_fprog filter = {sizeof program / sizeof *program, program};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

constexpr int skipped = 77;

void forget_markers_or_skip() {
    if (!forget_markers()) {
        std::fputs("this test was skipped\n", stderr);
        _exit(skipped);
    }
}

bool zero_or_skipped(int status) {
    return WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == skipped);
}

bool guarded(const mc::Stack& stack) {
    int ends[2];
    if (pipe(ends) != 0) return false;
    const long rc = syscall(SYS_write, ends[1], stack.base - 1, 1);
    close(ends[0]);
    close(ends[1]);
    return rc < 0;
}

TEST(GuardDeathTest, ProtectsWithoutMarkers) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_EXIT(
        {
            forget_markers_or_skip();
            mc::Stack stack;
            if (!mc::stack_allocate(32 << 10, stack)) _exit(1);
            _exit(guarded(stack) ? 0 : 2);
        },
        zero_or_skipped, "");
}

[[noreturn]] void use_up_mappings() {
    forget_markers_or_skip();
    std::vector<mc::Stack> stacks(60'000);
    for (auto& stack : stacks)
        if (!mc::stack_allocate(16 << 10, stack)) _exit(1);
    if (!guarded(stacks.front())) _exit(2);
    if (guarded(stacks.back())) _exit(3);
    for (auto& stack : stacks) stack.base[stack.size - 1] = 1;
    // There is room left for what else the process maps.
    std::vector<std::thread> threads;
    for (int i = 0; i < 100; ++i) threads.emplace_back([] {});
    for (auto& thread : threads) thread.join();
    _exit(0);
}

TEST(GuardDeathTest, GoesOnUnguardedNearTheLimitAndSaysSoOnce) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    // All of standard error is matched, so that a second message fails.
    EXPECT_EXIT(
        use_up_mappings(), zero_or_skipped,
        testing::MatchesRegex("(multicore: [^\n]*vm.max_map_count[^\n]* guard page|[^\n]*skipped)\n"));
}

}  // namespace
