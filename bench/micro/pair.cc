// What release and acquire cost when nobody else wants the baton, beside the atomic operations they need.
//
// The task runs the benchmark's loop itself: it is attached, so that no scheduling comes between.
// SPDX-License-Identifier: BSL-1.0
#include <benchmark/benchmark.h>

#include <atomic>

#include <multicore/multicore.h>

namespace {

// Raw limits: two compare-and-swaps; a store and a compare-and-swap.
void BM_raw_cas_cas(benchmark::State& state) {
    std::atomic<uint64_t> word{0};
    for (auto _ : state) {
        uint64_t expected = 0;
        word.compare_exchange_strong(expected, 1, std::memory_order_acq_rel);
        expected = 1;
        word.compare_exchange_strong(expected, 0, std::memory_order_acq_rel);
    }
}
BENCHMARK(BM_raw_cas_cas);

void BM_raw_store_cas(benchmark::State& state) {
    std::atomic<uint64_t> word{0};
    for (auto _ : state) {
        word.store(1, std::memory_order_release);
        uint64_t expected = 1;
        word.compare_exchange_strong(expected, 0, std::memory_order_acquire);
    }
}
BENCHMARK(BM_raw_store_cas);

class Attached {
public:
    explicit Attached(benchmark::State& state) {
        if (mc_runtime_create(nullptr, &runtime_) != MC_OK ||
            mc_attach(runtime_, nullptr, MC_FOREVER, nullptr) != MC_OK)
            state.SkipWithError("no runtime");
    }
    ~Attached() {
        mc_detach();
        mc_runtime_destroy(runtime_);
    }
    Attached(const Attached&) = delete;
    Attached& operator=(const Attached&) = delete;
    mc_runtime* runtime() { return runtime_; }

private:
    mc_runtime* runtime_ = nullptr;
};

void pairs(benchmark::State& state) {
    for (auto _ : state) {
        mc_release();
        mc_acquire();
    }
}

void BM_pair(benchmark::State& state) {
    Attached attached(state);
    pairs(state);
}
BENCHMARK(BM_pair);

void BM_pair_by_function(benchmark::State& state) {
    Attached attached(state);
    for (auto _ : state) {
        (mc_release)();
        (mc_acquire)();
    }
}
BENCHMARK(BM_pair_by_function);

void BM_pair_disabled(benchmark::State& state) {
    Attached attached(state);
    mc_enable(attached.runtime(), 0);
    pairs(state);
}
BENCHMARK(BM_pair_disabled);

// A host with a scheduler of its own, which is asked who runs and whether anybody else could.
void BM_pair_own_scheduler(benchmark::State& state) {
    static mc_task* coroutine = nullptr;
    mc_host host = MC_HOST_INIT;
    host.flags = MC_HOST_OWN_SCHEDULER;
    host.current = [](void*) { return coroutine; };
    host.ready = [](void*) { return 0; };
    host.run = [](void*, mc_task*) {};
    host.wake = [](void*) {};
    mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
    options.host = &host;
    mc_runtime* runtime = nullptr;
    if (mc_runtime_create(&options, &runtime) != MC_OK ||
        mc_attach(runtime, nullptr, MC_FOREVER, nullptr) != MC_OK ||
        mc_task_adopt(runtime, nullptr, &coroutine) != MC_OK)
        state.SkipWithError("no runtime");
    else
        pairs(state);
    mc_task_unref(coroutine);
    coroutine = nullptr;
    mc_detach();
    mc_runtime_destroy(runtime);
}
BENCHMARK(BM_pair_own_scheduler);

void BM_pair_without_a_task(benchmark::State& state) { pairs(state); }
BENCHMARK(BM_pair_without_a_task);

void BM_pair_with_options(benchmark::State& state) {
    Attached attached(state);
    mc_section_options options = MC_SECTION_OPTIONS_INIT;
    options.unblock = [](void*) {};
    for (auto _ : state) {
        mc_release_with(&options);
        mc_acquire();
    }
}
BENCHMARK(BM_pair_with_options);

}  // namespace

BENCHMARK_MAIN();
