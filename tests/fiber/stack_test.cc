// SPDX-License-Identifier: BSL-1.0
#include "fiber/stack.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

#include "child.h"
#include "fiber/annotate.h"
#include "platform/platform.h"

namespace {

using mc::Stack;
using mc::test::expect_to_die;
using mc::test::sanitized;

const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));

// Whether the kernel can read that byte; a page that faults is told by an error.
bool readable(const char* byte) {
    int ends[2];
    if (pipe(ends) != 0) return false;
    const long rc = syscall(SYS_write, ends[1], byte, 1);
    close(ends[0]);
    close(ends[1]);
    return rc == 1;
}

std::vector<Stack> allocate(std::size_t count, std::size_t size) {
    std::vector<Stack> stacks(count);
    for (auto& stack : stacks)
        if (!mc::stack_allocate(size, stack)) {
            ADD_FAILURE() << "no stack";
            return {};
        }
    return stacks;
}

void release(const std::vector<Stack>& stacks) {
    for (const auto& stack : stacks) mc::stack_release(stack);
}

TEST(Stack, IsAtLeastAsLargeAsAskedAndUsableToTheLastByte) {
    for (std::size_t size : {std::size_t{0}, std::size_t{1}, page, 4 * page, 4 * page + 1, 5 * page,
                             64 * page, 65 * page, 100 * page - 1, 8192 * page}) {
        Stack stack;
        ASSERT_TRUE(mc::stack_allocate(size, stack));
        EXPECT_GE(stack.size, size);
        EXPECT_LE(stack.size, std::max(4 * page, size + size / 4 + page) * mc::annotate::stack_factor);
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(stack.base) % page, 0u);
        EXPECT_EQ(stack.size % page, 0u);
        stack.base[0] = 1;
        stack.base[stack.size - 1] = 1;
        EXPECT_FALSE(readable(stack.base - 1));
        mc::stack_release(stack);
        Stack again;
        ASSERT_TRUE(mc::stack_allocate(size, again));
        EXPECT_EQ(again.base, stack.base);
        EXPECT_EQ(again.size, stack.size);
        mc::stack_release(again);
    }
}

TEST(Stack, AreDistinct) {
    auto stacks = allocate(1'000, 32 << 10);
    std::sort(stacks.begin(), stacks.end(), [](auto& a, auto& b) { return a.base < b.base; });
    for (std::size_t i = 1; i < stacks.size(); ++i)
        ASSERT_GE(stacks[i].base, stacks[i - 1].base + stacks[i - 1].size + page);  // a guard between them
    release(stacks);
}

TEST(Stack, LastReleasedIsFirstReused) {
    auto stacks = allocate(3, 32 << 10);
    release(stacks);
    for (int i = 2; i >= 0; --i) {
        Stack stack;
        ASSERT_TRUE(mc::stack_allocate(32 << 10, stack));
        EXPECT_EQ(stack.base, stacks[static_cast<std::size_t>(i)].base);
    }
    release(stacks);
}

TEST(StackDeathTest, TouchingTheGuardKills) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    if (sanitized) setenv("ASAN_OPTIONS", "handle_segv=0", 1), setenv("TSAN_OPTIONS", "handle_segv=0", 1);
    EXPECT_EXIT(
        {
            expect_to_die();
            Stack stack;
            if (!mc::stack_allocate(32 << 10, stack)) _exit(1);
            *static_cast<volatile char*>(stack.base) = 1;
            *static_cast<volatile char*>(stack.base - 1) = 1;
            _exit(0);
        },
        testing::KilledBySignal(SIGSEGV), "");
}

TEST(Stack, HundredThousandGuardedOnesAtOnce) {
    auto stacks = allocate(100'000, 64 << 10);
    ASSERT_EQ(stacks.size(), 100'000u);
    for (std::size_t i = 0; i < stacks.size(); i += 997) {
        EXPECT_TRUE(readable(stacks[i].base));
        EXPECT_FALSE(readable(stacks[i].base - 1)) << i;
    }
    release(stacks);
}

std::size_t resident_pages(const Stack& stack) {
    std::vector<unsigned char> map(stack.size / page);
    EXPECT_EQ(mincore(stack.base, stack.size, map.data()), 0);
    const auto resident = std::count_if(map.begin(), map.end(), [](auto m) { return (m & 1) != 0; });
    return static_cast<std::size_t>(resident);
}

TEST(Stack, ABurstDoesNotKeepItsMemory) {
    constexpr std::size_t size = 192 << 10;  // in no other test
    constexpr std::size_t bound = std::size_t{256} << 20, top = std::size_t{16} << 10;
    auto stacks = allocate(18'500, size);
    for (auto& stack : stacks) {
        stack.base[stack.size - 1] = 1;
        stack.base[stack.size / 2] = 1;
        ASSERT_EQ(resident_pages(stack), 2u);
    }
    release(stacks);
    std::size_t hot = 0, warm = 0, cold = 0;
    for (auto& stack : stacks) {
        switch (resident_pages(stack)) {
            case 2: ++hot; break;
            case 1:
                ++warm;
                EXPECT_EQ(resident_pages({stack.base + stack.size - top, top}), 1u);
                break;
            default: ++cold;
        }
    }
    EXPECT_GT(hot, 0u);
    EXPECT_LE(hot * stacks[0].size, bound);
    EXPECT_GT(warm, 0u);
    EXPECT_LE(warm * top, bound);
    EXPECT_GT(cold, 0u);
    // Those that kept their pages are the ones to be used next.
    Stack stack;
    ASSERT_TRUE(mc::stack_allocate(size, stack));
    EXPECT_EQ(resident_pages(stack), 2u);
    mc::stack_release(stack);
}

TEST(Stack, FailureIsAnAnswer) {
    Stack stack;
    EXPECT_FALSE(mc::stack_allocate(SIZE_MAX, stack));
    EXPECT_EQ(stack.base, nullptr);
    mc::fault_fail_next(mc::Fault::stack, 1, 2);
    Stack first;
    EXPECT_TRUE(mc::stack_allocate(32 << 10, first));
    EXPECT_FALSE(mc::stack_allocate(32 << 10, stack));
    EXPECT_FALSE(mc::stack_allocate(32 << 10, stack));
    EXPECT_EQ(stack.base, nullptr);
    EXPECT_TRUE(mc::stack_allocate(32 << 10, stack));
    mc::stack_release(first);
    mc::stack_release(stack);
}

[[noreturn]] void use_up_address_space() {
    const rlimit limit = {std::uint64_t{448} << 20, std::uint64_t{448} << 20};
    setrlimit(RLIMIT_AS, &limit);
    std::vector<Stack> all;
    all.reserve(2'000);
    Stack stack;
    while (all.size() < 2'000 && mc::stack_allocate(1 << 20, stack)) all.push_back(stack);
    if (all.size() < 400 || all.size() > 448) _exit(1);  // nearly all of it was found
    release(all);
    _exit(mc::stack_allocate(1 << 20, stack) ? 0 : 2);
}

TEST(StackDeathTest, AddressSpaceMayRunOut) {
    if (sanitized) GTEST_SKIP() << "a sanitizer needs its address space";
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_EXIT(use_up_address_space(), testing::ExitedWithCode(0), "");
}

// Marks the stack as its own at both ends for as long as it has it.
void churn(std::atomic<int>& wrong, std::uintptr_t id, int rounds) {
    std::vector<Stack> mine;
    for (int i = 0; i < rounds; ++i) {
        Stack stack;
        if (!mc::stack_allocate(std::size_t{16 + 16 * (id % 2)} << 10, stack)) {
            ++wrong;
            continue;
        }
        std::memcpy(stack.base, &id, sizeof id);
        std::memcpy(stack.base + stack.size - sizeof id, &id, sizeof id);
        mine.push_back(stack);
        if (mine.size() < 8) continue;
        for (auto& s : mine) {
            wrong += std::memcmp(s.base, &id, sizeof id) != 0;
            wrong += std::memcmp(s.base + s.size - sizeof id, &id, sizeof id) != 0;
        }
        release(mine);
        mine.clear();
    }
    release(mine);
}

TEST(Stack, ThreadsShareThePool) {
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (std::uintptr_t id = 1; id <= 4; ++id) threads.emplace_back([&, id] { churn(wrong, id, 20'000); });
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(wrong, 0);
}

TEST(Stack, AForkedChildFindsThePoolUsable) {
    std::atomic<bool> stop{false};
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (std::uintptr_t id = 1; id <= 2; ++id)
        threads.emplace_back([&, id] {
            while (!stop) churn(wrong, id, 100);
        });
    for (int i = 0; i < (sanitized ? 20 : 50); ++i) {
        const pid_t child = fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            alarm(60);
            Stack stack;
            const bool got = mc::stack_allocate(16 << 10, stack);
            if (got) mc::stack_release(stack);
            _exit(got ? 0 : 1);
        }
        int status = -1;
        EXPECT_EQ(waitpid(child, &status, 0), child);
        EXPECT_EQ(status, 0);
    }
    stop = true;
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(wrong, 0);
}

}  // namespace
