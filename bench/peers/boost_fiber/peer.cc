// Boost.Fiber: yield, spawn and join: peer tasks; prints one JSON object.
// SPDX-License-Identifier: BSL-1.0
#include <cstdio>

#include <boost/fiber/all.hpp>

#include "../../suite/work.h"

namespace {

double yield_ns() {
    constexpr std::uint64_t rounds = 200'000;
    const auto yields = [] {
        for (std::uint64_t i = 0; i < rounds; ++i) boost::this_fiber::yield();
    };
    const std::uint64_t start = bench_now();
    boost::fibers::fiber one(yields), two(yields);
    one.join();
    two.join();
    return static_cast<double>(bench_now() - start) / (2 * rounds);
}

double spawn_join_ns() {
    constexpr std::uint64_t rounds = 20'000;
    boost::fibers::pooled_fixedsize_stack stacks(64 << 10);
    double best = 0;
    for (int i = 0; i < 7; ++i) {
        const std::uint64_t start = bench_now();
        for (std::uint64_t k = 0; k < rounds; ++k)
            boost::fibers::fiber(std::allocator_arg, stacks, [] {}).join();
        const double each = static_cast<double>(bench_now() - start) / rounds;
        if (i == 0 || each < best) best = each;
    }
    return best;
}

}  // namespace

int main() { std::printf("{\"yield_ns\": %.6g, \"spawn_join_ns\": %.6g}\n", yield_ns(), spawn_join_ns()); }
