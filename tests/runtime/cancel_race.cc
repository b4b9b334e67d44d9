// Cancel SAFE, cancel ABANDON and interrupt race with all that their victim may be doing: 10,000 races each,
// half of them by another task, half by a thread without the baton.
//
// A victim computes, suspends and opens sections with and without `unblock` in a random order and for random
// times; the agent strikes after a random time. What it found is told by what came of it, and each of six
// outcomes must be at least 1 % of the races. MULTICORE_RACE_SEED replays the random times.
// SPDX-License-Identifier: BSL-1.0
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <thread>

#include <malloc.h>
#include <sched.h>

#include "memory.h"
#include "testing.h"

namespace {

using mctest::Gate;
using mctest::Runtime;

constexpr unsigned races = 10000, at_once = 8;

enum Kind { safe, abandon, interrupt };
// Where the agent found the victim. `late`: its function had returned, or it could not be told any more.
enum Found : unsigned { unrun, suspended, computing, plain_section, unblockable, late, founds };
const char* const names[founds] = {"unrun", "suspended", "computing", "section", "unblockable", "ended"};

unsigned seed() {
    const char* given = std::getenv("MULTICORE_RACE_SEED");
    return given ? static_cast<unsigned>(std::atoi(given)) : std::random_device{}();
}

std::atomic<unsigned> violations{0};
void must(bool holds, const char* what) {
    if (holds) return;
    if (violations.fetch_add(1) < 20) std::printf("violation: %s\n", what);
}

struct Race {
    Kind kind{};
    std::minstd_rand random;
    mc_task* victim = nullptr;
    bool foreign = false;
    unsigned delay_us = 0, yields = 0;  // before the agent strikes

    // By the victim, guarded by the baton where not atomic.
    unsigned doing = unrun;  // what it does, as long as nothing has come of the strike
    bool told = false;       // by a status
    bool struck_unrun = false;
    std::atomic<bool> returned{false}, in_c{false}, unblock_open{false}, unblocked{false};
    std::atomic<unsigned> unblocks{0}, destroyed{0}, joined{0};
    unsigned joiners = 0;

    // By the agent.
    mc_status status = 1;
    std::atomic<bool> struck{false};  // the call has returned, and the victim's function had not
    Gate done;

    void spin() { mctest::spin(random() % 7000); }
    // Round each call of the victim's that may notice something.
    template <class Call>
    void notices(Call call) {
        const bool before = struck.load();
        const mc_status got = call();
        if (before && kind == abandon) must(false, "an abandoned task went on");
        if (before && kind == safe && status == MC_OK)
            must(got == MC_ECANCELED, "a cancelled task was not told");
        if (before && kind == interrupt) must(got == MC_EINTR, "an interrupted task was not told");
        if (got == MC_OK) return;
        must(got == (kind == interrupt ? MC_EINTR : MC_ECANCELED), "told what nobody said");
        told = true;
    }
    void compute() {
        for (unsigned rounds = random() % 8 + 1; rounds > 0 && !told; --rounds) {
            doing = computing;
            spin();
            notices(mc_checkpoint);
        }
    }
    void suspend() {
        doing = suspended;
        const uint64_t time = random() % 20000 + 1;
        notices([&] {
            mc_status got = random() % 2 ? mc_task_park(time) : mc_task_sleep(time);
            return got == MC_ETIMEDOUT ? MC_OK : got;
        });
        if (!told) doing = computing;
    }
    void section() {
        doing = plain_section;
        mc_release();
        in_c = true;
        spin();
        in_c = false;
        notices(mc_acquire_status);
        if (!told) doing = computing;
    }
    void unblockable_section() {
        mc_section_options options = MC_SECTION_OPTIONS_INIT;
        options.unblock = [](void* arg) {
            auto& race = *static_cast<Race*>(arg);
            must(race.unblock_open, "unblock without its section");
            ++race.unblocks;
            race.unblocked = true;
        };
        options.unblock_arg = this;
        doing = unblockable;
        unblock_open = true;
        const mc_status pending = mc_release_with(&options);
        in_c = true;
        const uint64_t end = mc_now() + random() % 30000;
        while (pending == MC_OK && !unblocked && mc_now() < end) {
        }
        in_c = false;
        notices(mc_acquire_status);
        unblock_open = false;
        if (!told) doing = computing;
    }
    void run() {
        struck_unrun = struck;
        unsigned order[] = {0, 0, 0, 0, 0, 1, 1, 2, 2, 3, 3};
        std::shuffle(std::begin(order), std::end(order), random);
        for (const unsigned step : order) {
            if (told) break;
            switch (step) {
                case 0: compute(); break;
                case 1: suspend(); break;
                case 2: section(); break;
                default: unblockable_section(); break;
            }
        }
        returned = true;
        if (kind != interrupt) return;
        void* payload = nullptr;
        if (mc_task_take_interrupt(mc_task_current(), &payload) == MC_OK) {
            must(payload == this, "the payload of another interrupt");
            told = true;
        } else {
            must(!told, "an interrupt that was told and is not there");
        }
    }
    void strike() {
        mctest::spin(delay_us * mctest::us);
        status = kind == interrupt
                     ? mc_task_interrupt(victim, this)
                     : mc_task_cancel(victim, kind == safe ? MC_CANCEL_SAFE : MC_CANCEL_ABANDON);
        if (kind == abandon) must(mc_task_result(victim) != MC_EAGAIN, "abandoned, and no result");
        if (status == MC_OK && !returned) struck = true;
        done.open();
    }

    // Once victim, agent and joiners are through.
    Found found() {
        must(destroyed == 1, "destroy did not run once");
        must(joined == joiners, "a joiner did not wake");
        must(unblocks <= 1, "unblock was called twice");
        const mc_status result = mc_task_result(victim);
        const mc_status refused = kind == interrupt ? MC_EINVAL : kind == safe ? MC_EBUSY : MC_OK;
        must(status == MC_OK || status == refused, "a status that it may not answer");
        if (kind == interrupt) {
            must(result == (MC_OK), "an interrupt changed the result");
            must(!struck || told, "an interrupt was lost");
            must(status == MC_OK || !told, "an interrupt that was refused arrived");
        } else if (struck) {
            must(result == MC_ECANCELED, "cancelled before the end, and not the result");
        }
        if (status == MC_EBUSY) {
            must(result == MC_OK && !told, "a cancellation that was refused had effects");
            return plain_section;
        }
        if (kind == abandon ? result == MC_OK || returned : !told && doing != unrun) return late;
        return struck_unrun ? unrun : static_cast<Found>(doing);
    }
};

// Two threads without the baton, of which each takes the next race.
class Foreigners {
public:
    Foreigners() {
        for (std::thread& thread : threads_) thread = std::thread([this] { serve(); });
    }
    ~Foreigners() {
        for ([[maybe_unused]] const std::thread& thread : threads_) add(nullptr);
        for (std::thread& thread : threads_) thread.join();
    }
    void add(Race* race) {
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            races_.push_back(race);
        }
        some_.notify_one();
    }

private:
    void serve() {
        for (;;) {
            std::unique_lock<std::mutex> lock(mutex_);
            some_.wait(lock, [this] { return !races_.empty(); });
            Race* race = races_.front();
            races_.pop_front();
            lock.unlock();
            if (!race) return;
            race->strike();
        }
    }
    std::mutex mutex_;
    std::condition_variable some_;
    std::deque<Race*> races_;  // guarded by mutex_
    std::thread threads_[2];
};

void spawn(Runtime& runtime, Race& race, void (*fn)(void*), bool is_victim) {
    mc_task_options options = MC_TASK_OPTIONS_INIT;
    if (is_victim) {
        options.data = &race;
        options.destroy = [](void* data) {
            auto& mine = *static_cast<Race*>(data);
            must(!mine.in_c, "destroy ran before the C code had reached its acquire");
            mine.unblock_open = false;
            ++mine.destroyed;
        };
    }
    EXPECT_EQ(MC_OK, mc_task_spawn(runtime, fn, &race, &options, is_victim ? &race.victim : nullptr));
}

void start(Runtime& runtime, Foreigners& foreigners, Race& race, std::mt19937& random) {
    auto run_victim = [](void* arg) { static_cast<Race*>(arg)->run(); };
    auto run_agent = [](void* arg) {
        auto& mine = *static_cast<Race*>(arg);
        for (unsigned i = 0; i < mine.yields; ++i) mc_task_yield();
        mine.strike();
    };
    auto run_joiner = [](void* arg) {
        auto& mine = *static_cast<Race*>(arg);
        EXPECT_EQ(MC_OK, mc_task_join(mine.victim, MC_FOREVER));
        must(mc_task_result(mine.victim) != MC_EAGAIN, "joined what has no result");
        ++mine.joined;
    };
    race.random.seed(static_cast<unsigned>(random()));
    race.foreign = random() % 2;
    race.delay_us = race.foreign ? static_cast<unsigned>(random() % 8 ? random() % 200 : 500) : 0;
    race.yields = static_cast<unsigned>(random() % 4 ? random() % 12 : random() % 60);
    race.joiners = 2;
    spawn(runtime, race, run_victim, true);
    if (race.foreign)
        foreigners.add(&race);
    else if (random() % 16 == 0)
        race.strike();  // before it has had a turn
    else
        spawn(runtime, race, run_agent, false);
    for (unsigned i = 0; i < race.joiners; ++i) spawn(runtime, race, run_joiner, false);
}

void run_races(Kind kind, const char* name) {
    mallopt(M_ARENA_MAX, 1);  // else each new thread may map one, and mappings are counted
    const unsigned first = seed();
    std::mt19937 random(first);
    unsigned counts[2][founds] = {};
    std::thread([] {}).join();  // a sanitizer may have a thread of its own from the first on
    const int threads_before = mctest::process_threads();
    std::size_t mapped = 0, heap = 0;
    uint64_t carriers = 0;
    const uint64_t begin = mc_now();
    mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
    options.slice = 20 * mctest::us;  // so that those that compute are seen by the others
    for (unsigned part = 0; part < 10; ++part) {
        {
            Runtime runtime(options);
            Foreigners foreigners;
            for (unsigned i = 0; i < races / 10 / at_once; ++i) {
                std::deque<Race> batch(at_once);
                for (Race& race : batch) race.kind = kind;
                runtime.run([&] {
                    for (Race& race : batch) {
                        start(runtime, foreigners, race, random);
                        if (random() % 2) mc_task_yield();
                    }
                });
                for (Race& race : batch) {
                    race.done.wait();
                    ++counts[race.foreign][race.found()];
                    mc_task_unref(race.victim);
                }
            }
            carriers = std::max(carriers, runtime.stats().threads_peak);
            EXPECT_EQ(0u, runtime.stats().tasks_alive);
        }
        while (mctest::process_threads() > threads_before) sched_yield();  // they end by themselves
        if (part != 1) continue;
        mapped = mctest::mappings();
        heap = mctest::heap_in_use();
    }
    if (!mctest::sanitized) {  // those map memory of their own
        EXPECT_LE(mctest::mappings(), mapped + at_once);
        EXPECT_LE(mctest::heap_in_use(), heap + mctest::heap_noise());
    }
    EXPECT_GE(carriers, 2u);
    EXPECT_EQ(0u, violations);
    std::printf("%s, seed %u: %u races in %.1f s, %llu carriers at most, %u violations; found\n", name, first,
                races, static_cast<double>(mc_now() - begin) / 1e9, static_cast<unsigned long long>(carriers),
                violations.load());
    for (unsigned i = 0; i < founds; ++i) {
        const unsigned both = counts[0][i] + counts[1][i];
        std::printf("  %-12s %5.1f %% (by tasks %u, by threads %u)\n", names[i], 100.0 * both / races,
                    counts[0][i], counts[1][i]);
        EXPECT_GE(both, races / 100) << names[i];
    }
}

void race_in_child(Kind kind, const char* name) {
    EXPECT_EXIT(mctest::child([&] { run_races(kind, name); }, 4), ::testing::ExitedWithCode(0), "");
}

TEST(CancelRaceDeathTest, Safe) { race_in_child(safe, "cancel SAFE"); }
TEST(CancelRaceDeathTest, Abandon) { race_in_child(abandon, "cancel ABANDON"); }
TEST(CancelRaceDeathTest, Interrupt) { race_in_child(interrupt, "interrupt"); }

}  // namespace
