// What a switch costs, and what a stack from the pool costs.
// SPDX-License-Identifier: BSL-1.0
#include <benchmark/benchmark.h>

#include <atomic>

#include "fiber/fiber.h"

namespace {

using mc::Fiber;
using mc::Stack;

constexpr std::size_t stack_size = 256 << 10;

struct Pair {
    Fiber home;
    Fiber away;
    bool stop = false;
};

void bounce(void* arg) {
    auto& pair = *static_cast<Pair*>(arg);
    while (!pair.stop) Fiber::switch_to(pair.away, pair.home);
    Fiber::exit_to(pair.away, pair.home);
}

// The time of one item is the cost one way.
void BM_switch(benchmark::State& state) {
    Pair pair;
    Stack stack;
    if (!mc::stack_allocate(stack_size, stack)) return state.SkipWithError("no stack");
    pair.home.adopt_thread();
    pair.away.prepare(stack, bounce, &pair);
    for (auto _ : state) Fiber::switch_to(pair.home, pair.away);
    state.SetItemsProcessed(state.iterations() * 2);
    pair.stop = true;
    Fiber::switch_to(pair.home, pair.away);
    pair.away.finish();
    pair.home.forget_thread();
    mc::stack_release(stack);
}
BENCHMARK(BM_switch);

void BM_stack_pooled(benchmark::State& state) {
    for (auto _ : state) {
        Stack stack;
        if (!mc::stack_allocate(stack_size, stack)) return state.SkipWithError("no stack");
        benchmark::DoNotOptimize(stack.base);
        mc::stack_release(stack);
    }
}
BENCHMARK(BM_stack_pooled);

void leave(void* arg) {
    auto& pair = *static_cast<Pair*>(arg);
    Fiber::exit_to(pair.away, pair.home);
}

void BM_create_run_exit(benchmark::State& state) {
    Pair pair;
    pair.home.adopt_thread();
    for (auto _ : state) {
        Stack stack;
        if (!mc::stack_allocate(stack_size, stack)) return state.SkipWithError("no stack");
        pair.away.prepare(stack, leave, &pair);
        Fiber::switch_to(pair.home, pair.away);
        pair.away.finish();
        mc::stack_release(stack);
    }
    pair.home.forget_thread();
}
BENCHMARK(BM_create_run_exit);

// Never used before: mapped, guarded and touched. Kept until the end, for a stack is never unmapped.
void BM_stack_fresh(benchmark::State& state) {
    for (auto _ : state) {
        Stack stack;
        if (!mc::stack_allocate(stack_size, stack)) return state.SkipWithError("no stack");
        stack.base[stack.size - 1] = 1;
    }
}
BENCHMARK(BM_stack_fresh)->Iterations(20000);

// Raw limit to read the others against: one locked operation on a line nobody else has.
void BM_raw_locked_operation(benchmark::State& state) {
    std::atomic<unsigned> word{0};
    for (auto _ : state) benchmark::DoNotOptimize(word.fetch_add(1, std::memory_order_acq_rel));
}
BENCHMARK(BM_raw_locked_operation);

}  // namespace

BENCHMARK_MAIN();
