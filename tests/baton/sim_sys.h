// The machine that the baton runs on in a simulated world.
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "baton/seat.h"
#include "sim.h"

namespace sim {

template <class T>
class SimAtomic : public Cell {
public:
    SimAtomic() : SimAtomic(T{}) {}
    SimAtomic(T value) : Cell(bits(value)) {}

    T load(std::memory_order) const { return value(Cell::load()); }
    void store(T to, std::memory_order order) { Cell::store(bits(to), order == std::memory_order_seq_cst); }
    T exchange(T to, std::memory_order) {
        return update([&](T) { return to; });
    }
    T fetch_or(T mask, std::memory_order) {
        return update([&](T old) { return static_cast<T>(old | mask); });
    }
    T fetch_and(T mask, std::memory_order) {
        return update([&](T old) { return static_cast<T>(old & mask); });
    }
    T fetch_add(T by, std::memory_order) {
        return update([&](T old) { return static_cast<T>(old + by); });
    }
    T fetch_sub(T by, std::memory_order) {
        return update([&](T old) { return static_cast<T>(old - by); });
    }
    bool compare_exchange_strong(T& expected, T to, std::memory_order,
                                 std::memory_order = std::memory_order_seq_cst) {
        const T old = value(begin_update());
        if (bits(old) != bits(expected)) {
            expected = old;
            return false;
        }
        end_update(bits(to));
        return true;
    }
    bool compare_exchange_weak(T& expected, T to, std::memory_order success,
                               std::memory_order failure = std::memory_order_seq_cst) {
        return !fails_for_nothing() && compare_exchange_strong(expected, to, success, failure);
    }

private:
    static_assert(sizeof(T) <= 8 && std::is_trivially_copyable_v<T>);
    static std::uint64_t bits(T value) {
        std::uint64_t out = 0;
        std::memcpy(&out, &value, sizeof value);
        return out;
    }
    static T value(std::uint64_t bits) {
        T out;
        std::memcpy(&out, &bits, sizeof out);
        return out;
    }
    template <class F>
    T update(F change) {
        const T old = value(begin_update());
        end_update(bits(change(old)));
        return old;
    }
};

struct SimSys {
    template <class T>
    using Atomic = SimAtomic<T>;

    static std::uint64_t now() { return World::current()->now(); }
    static int cpus() { return World::current()->cpus(); }
    static bool one_cpu() { return cpus() == 1; }
    static void light_fence() { World::current()->point(); }
    static void heavy_fence() { World::current()->heavy_fence(); }
    static void pause() { World::current()->pause(); }
    static constexpr unsigned kYields = 2;  // so that they do block
    static void yield_cpu() { World::current()->pause(); }
    static void block(mc::Seat<SimSys>& seat, std::uint64_t until) {
        World::current()->block(
            &seat, [&] { return seat.state.raw() == mc::seat::PARKED; }, until);
    }
    static void unblock(mc::Seat<SimSys>& seat) { World::current()->unblock(&seat); }
};

}  // namespace sim
