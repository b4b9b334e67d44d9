// A controlled scheduler: simulated threads on one OS thread, for the baton's own code.
//
// Responsible for: which simulated thread goes on at each access to an atomic, what each of them sees (a
// store buffer per thread, as x86 has), the clock, and saying how to run a failure again. Knows nothing of
// the baton; SimSys (sim_sys.h) is the seam.
//
// A run is a function of its seed. It ends when no simulated thread is left that could go on: that is
// the end of the work, or a deadlock; the caller knows which.
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "fiber/fiber.h"

namespace sim {

// Numbers that depend on the seed only (splitmix64).
class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed) {}
    std::uint64_t next() {
        std::uint64_t z = (state_ += 0x9E3779B97F4A7C15u);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        return z ^ (z >> 31);
    }
    std::uint64_t below(std::uint64_t bound) { return next() % bound; }
    bool one_in(std::uint64_t n) { return n != 0 && below(n) == 0; }  // never, if n is 0

private:
    std::uint64_t state_;
};

// Planted in the machine, to see that the tests find them.
enum class Flaw {
    none,
    no_heavy_fence,  // membarrier does nothing
    weak_stores,     // a seq_cst store stays in the store buffer like any other
    torn_exchange,   // a compare-exchange is a load and a store
    blind_block,     // block does not look at the state again
};

// What an atomic's cell is to the scheduler.
class Cell {
public:
    Cell() = default;
    ~Cell();
    Cell(const Cell&) = delete;
    Cell& operator=(const Cell&) = delete;

    std::uint64_t raw() const { return value_; }  // what all agree on, now

protected:
    explicit Cell(std::uint64_t value) : value_(value) {}
    std::uint64_t load() const;
    void store(std::uint64_t value, bool seq_cst);
    // Between these two nobody else runs. begin returns the value.
    std::uint64_t begin_update();
    void end_update(std::uint64_t value) { value_ = value; }
    bool fails_for_nothing() const;  // compare_exchange_weak

private:
    friend class World;
    std::uint64_t value_ = 0;
};

class World {
public:
    World(std::uint64_t seed, Flaw flaw);
    ~World();
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    static World* current() { return current_; }

    void start(std::string name, std::function<void()> body);
    // Until nobody can go on, a failure, or `max_steps`.
    void run(std::uint64_t max_steps);
    bool finished() const;  // every simulated thread has ended

    // ---- by simulated threads ----
    void point();  // somebody else may go on here
    void pause();  // likewise, and it leaves the others more room
    std::uint64_t now();
    void heavy_fence();
    void fence() { drain(*running_); }
    // Blocks on `where` while *state == expected, until `until` or unblock(where).
    void block(const void* where, const std::function<bool()>& still, std::uint64_t until);
    void unblock(const void* where);
    // Ends the run. The caller's stack is left as it is: whatever it owns would leak.
    [[noreturn]] void fail(const char* what);
    void check(bool condition, const char* what) {
        if (!condition) fail(what);
    }

    Random& random() { return random_; }
    bool failed() const { return !failure_.empty(); }
    const std::string& failure() const { return failure_; }
    // With MC_SIM_TRACE in the environment, to standard error: what the running thread does now.
    void trace(const char* what, const void* where, std::uint64_t value) {
        if (traced_) print_trace(what, where, value);
    }
    void name(const void* where, std::size_t size, std::string text) {
        if (traced_) names_.push_back({static_cast<const char*>(where), size, std::move(text)});
    }
    void note_failure(const std::string& what) {
        if (failure_.empty()) failure_ = what;
    }
    std::uint64_t seed() const { return seed_; }
    Flaw flaw() const { return flaw_; }
    int cpus() const { return cpus_; }
    std::uint64_t steps() const { return steps_; }
    std::string describe() const;  // where each simulated thread stands

private:
    friend class Cell;
    enum class Way { random, sticky, priorities };

    struct BufferedStore {
        Cell* cell;
        std::uint64_t value;
        std::uint64_t due;  // at the latest committed at this step
    };
    struct Thread {
        std::string name;
        std::function<void()> body;
        mc::Fiber fiber;
        mc::Stack stack;
        std::deque<BufferedStore> buffer;
        const void* blocked_on = nullptr;
        std::uint64_t until = 0;
        std::uint64_t priority = 0;
        bool ended = false;
    };

    struct Name {
        const char* where;
        std::size_t size;
        std::string text;
    };
    void print_trace(const char* what, const void* where, std::uint64_t value) const;
    static void entry(void* world);
    void step();
    Thread* choose();  // NULL: nobody can go on
    bool wake_sleepers();
    void go_on(Thread* next);  // from the running simulated thread
    void drain(Thread& thread);
    void commit_some();
    bool outside() const { return running_ == nullptr; }

    static World* current_;

    const std::uint64_t seed_;
    Random random_;
    const Flaw flaw_;
    Way way_;
    int cpus_;
    std::uint64_t tick_;                             // most nanoseconds per step
    std::uint64_t commit_one_in_;                    // how long stores stay buffered
    std::uint64_t switch_one_in_;                    // for `sticky`
    std::uint64_t lowest_ = std::uint64_t{1} << 62;  // priority of the one that paused last
    std::uint64_t steps_ = 0;
    std::uint64_t max_steps_ = 0;
    std::uint64_t now_ = 1'000'000;
    std::vector<std::unique_ptr<Thread>> threads_;
    Thread* running_ = nullptr;
    mc::Fiber main_;
    std::string failure_;
    std::vector<Name> names_;
    bool traced_;
};

}  // namespace sim
