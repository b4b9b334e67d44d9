// N tasks, each in a loop: a section of D microseconds, then D/10 with the interpreter. How much of the wall
// time was spent in sections, beside the bound that the machine sets.
// SPDX-License-Identifier: BSL-1.0
#include <condition_variable>
#include <mutex>
#include <thread>

#include "suite.h"

namespace suite {
namespace {

struct Shape {
    double tasks, section_us;
    std::uint64_t section, held, iterations;  // steps; per task

    explicit Shape(const Arguments& arguments) : tasks(arguments.at(0)), section_us(arguments.at(1)) {
        const Spin spin;
        section = spin.steps(section_us);
        held = spin.steps(section_us / 10);
        // 0.2 s of sections in all, but each task has some.
        const double each = 200'000 / section_us / tasks;
        iterations = static_cast<std::uint64_t>(each < 4 ? 4 : each);
    }
    double sections() const { return tasks * static_cast<double>(iterations); }
    void tell(std::uint64_t wall) const {
        const double speed_up = bench_two_thread_speed_up();
        const double bound = speed_up * section_us / (section_us + section_us / 10);
        const double parallelism = sections() * section_us * us / static_cast<double>(wall);
        report("parallelism", parallelism);
        report("bound", bound);
        report("of_bound", parallelism / bound);
    }
};

}  // namespace

void parallel(const Arguments& arguments) {
    const Shape shape(arguments);
    Runtime runtime(arguments.size() > 2 ? static_cast<std::uint32_t>(arguments[2]) : 0);
    for (double i = 0; i < shape.tasks; ++i)
        runtime.spawn([&] {
            for (std::uint64_t k = 0; k < shape.iterations; ++k) {
                mc_release();
                bench_steps(shape.section);
                mc_acquire();
                bench_steps(shape.held);
            }
        });
    const std::uint64_t start = bench_now();
    runtime.run();
    shape.tell(bench_now() - start);
    const mc_stats stats = runtime.stats();
    report("wakes_per_section", static_cast<double>(stats.wakes) / static_cast<double>(stats.sections));
    report("handoffs_per_section", static_cast<double>(stats.handoffs) / static_cast<double>(stats.sections));
    report("threads", static_cast<double>(stats.threads_peak));
}

// The same with a thread per task and a baton in plain C++.
template <class Baton>
static void by_threads(const Arguments& arguments) {
    const Shape shape(arguments);
    Baton baton;
    std::vector<std::thread> threads;
    baton.acquire();  // until all are there
    for (double i = 0; i < shape.tasks; ++i)
        threads.emplace_back([&] {
            baton.acquire();
            for (std::uint64_t k = 0; k < shape.iterations; ++k) {
                baton.release();
                bench_steps(shape.section);
                baton.acquire();
                bench_steps(shape.held);
            }
            baton.release();
        });
    const std::uint64_t start = bench_now();
    baton.release();
    for (std::thread& thread : threads) thread.join();
    shape.tell(bench_now() - start);
}

namespace {

class Mutex {
public:
    void acquire() { mutex_.lock(); }
    void release() { mutex_.unlock(); }

private:
    std::mutex mutex_;
};

class Condition {
public:
    void acquire() {
        std::unique_lock lock(mutex_);
        free_.wait(lock, [&] { return !held_; });
        held_ = true;
    }
    void release() {
        {
            std::lock_guard lock(mutex_);
            held_ = false;
        }
        free_.notify_one();
    }

private:
    std::mutex mutex_;
    std::condition_variable free_;
    bool held_ = false;
};

}  // namespace

void parallel_mutex(const Arguments& arguments) { by_threads<Mutex>(arguments); }
void parallel_condition(const Arguments& arguments) { by_threads<Condition>(arguments); }

}  // namespace suite
