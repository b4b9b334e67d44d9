// SPDX-License-Identifier: BSL-1.0
#include "reactor/timer_heap.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <set>
#include <tuple>
#include <vector>

#include "platform/platform.h"

namespace mc {
namespace {

void push(TimerHeap& heap, ReactorWait& wait) {
    ASSERT_TRUE(heap.reserve_one());
    heap.push(wait);
}

TEST(TimerHeap, IsEmptyAtFirst) {
    const TimerHeap heap;
    EXPECT_EQ(heap.size(), 0u);
    EXPECT_EQ(heap.earliest(), nullptr);
    EXPECT_EQ(heap.earliest_deadline(), UINT64_MAX);
}

TEST(TimerHeap, EqualDeadlinesLeaveInOrderOfInsertion) {
    TimerHeap heap;
    std::vector<ReactorWait> waits(1000);
    for (ReactorWait& wait : waits) {
        wait.deadline = 7;
        push(heap, wait);
    }
    for (ReactorWait& wait : waits) {
        ASSERT_EQ(heap.earliest(), &wait);
        heap.remove(wait);
    }
}

TEST(TimerHeap, RemovingWhatIsNotThereDoesNothing) {
    TimerHeap heap;
    ReactorWait in, out;
    push(heap, in);
    heap.remove(out);
    EXPECT_EQ(heap.size(), 1u);
    heap.remove(in);
    heap.remove(in);
    EXPECT_EQ(heap.size(), 0u);
    EXPECT_EQ(in.heap_index, SIZE_MAX);
}

// Against an ordered set as the model.
TEST(TimerHeap, StaysInOrderUnderRandomUse) {
    std::mt19937 random(12345);
    TimerHeap heap;
    std::vector<ReactorWait> waits(3000);
    std::set<std::tuple<std::uint64_t, std::uint64_t, ReactorWait*>> model;
    std::vector<std::uint64_t> turns(waits.size());
    std::uint64_t turn = 0;
    for (int step = 0; step < 60'000; ++step) {
        const std::size_t i = random() % waits.size();
        ReactorWait& wait = waits[i];
        if (wait.heap_index == SIZE_MAX) {
            wait.deadline = random() % 500;
            turns[i] = turn++;
            push(heap, wait);
            model.emplace(wait.deadline, turns[i], &wait);
        } else {
            heap.remove(wait);
            model.erase({wait.deadline, turns[i], &wait});
        }
        ASSERT_EQ(heap.size(), model.size());
        ASSERT_EQ(heap.earliest(), model.empty() ? nullptr : std::get<2>(*model.begin()));
    }
    for (const auto& [deadline, order, wait] : model) {
        ASSERT_EQ(heap.earliest_deadline(), deadline);
        ASSERT_EQ(heap.earliest(), wait);
        heap.remove(*wait);
    }
    EXPECT_EQ(heap.size(), 0u);
}

TEST(TimerHeap, SaysSoWhenItCannotGrow) {
    TimerHeap heap;
    fault_fail_next(Fault::memory, 0, 1);
    EXPECT_FALSE(heap.reserve_one());
    EXPECT_TRUE(heap.reserve_one());
    std::vector<ReactorWait> waits(1000);
    std::size_t pushed = 0;
    fault_fail_next(Fault::memory, 0, 1);
    while (heap.reserve_one()) heap.push(waits[pushed++]);
    EXPECT_GT(pushed, 1u);
    EXPECT_EQ(heap.size(), pushed);
    EXPECT_TRUE(heap.reserve_one());
}

}  // namespace
}  // namespace mc
