// SPDX-License-Identifier: BSL-1.0
#include "sim.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace sim {

World* World::current_ = nullptr;

namespace {

constexpr std::size_t kStack = 64 * 1024;
constexpr std::uint64_t kHigh = std::uint64_t{1} << 63;

}  // namespace

// ---- cells ----

Cell::~Cell() {
    World* world = World::current();
    if (!world) return;
    for (auto& thread : world->threads_)
        std::erase_if(thread->buffer, [&](const World::BufferedStore& store) { return store.cell == this; });
}

std::uint64_t Cell::load() const {
    World* world = World::current();
    if (!world || world->outside()) return value_;
    world->point();
    std::uint64_t value = value_;
    for (const auto& store : world->running_->buffer)  // a thread sees its own stores first
        if (store.cell == this) value = store.value;
    world->trace("loads", this, value);
    return value;
}

void Cell::store(std::uint64_t value, bool seq_cst) {
    World* world = World::current();
    if (!world || world->outside()) {
        value_ = value;
        return;
    }
    world->point();
    world->trace("stores", this, value);
    if (seq_cst && world->flaw() != Flaw::weak_stores) {
        world->drain(*world->running_);
        value_ = value;
    } else {
        const std::uint64_t delay = 1 + world->random_.below(400);
        world->running_->buffer.push_back({this, value, world->steps_ + delay});
    }
}

std::uint64_t Cell::begin_update() {
    World* world = World::current();
    if (!world || world->outside()) return value_;
    world->point();
    world->drain(*world->running_);
    const std::uint64_t value = value_;
    world->trace("updates", this, value);
    if (world->flaw() == Flaw::torn_exchange) world->point();
    return value;
}

bool Cell::fails_for_nothing() const {
    World* world = World::current();
    return world && !world->outside() && world->random_.one_in(50);
}

// ---- the world ----

World::World(std::uint64_t seed, Flaw flaw) : seed_(seed), random_(seed), flaw_(flaw) {
    way_ = static_cast<Way>(random_.below(3));
    cpus_ = static_cast<int>(1 + random_.below(3));
    constexpr std::uint64_t ticks[] = {40, 400, 4'000, 20'000};
    tick_ = ticks[random_.below(4)];
    constexpr std::uint64_t commits[] = {1, 3, 20, 200};
    commit_one_in_ = commits[random_.below(4)];
    switch_one_in_ = 2 + random_.below(30);
    traced_ = std::getenv("MC_SIM_TRACE") != nullptr;
    current_ = this;
    main_.adopt_thread();
}

World::~World() {
    for (auto& thread : threads_) {
        thread->fiber.finish();
        mc::stack_release(thread->stack);
    }
    main_.forget_thread();
    current_ = nullptr;
}

void World::start(std::string name, std::function<void()> body) {
    auto thread = std::make_unique<Thread>();
    thread->name = std::move(name);
    thread->body = std::move(body);
    thread->priority = random_.next() | kHigh;
    if (!mc::stack_allocate(kStack, thread->stack)) std::abort();
    thread->fiber.prepare(thread->stack, entry, this);
    threads_.push_back(std::move(thread));
}

void World::entry(void* argument) {
    World& world = *static_cast<World*>(argument);
    Thread& me = *world.running_;
    me.body();
    me.ended = true;
    world.step();
    Thread* next = world.failed() ? nullptr : world.choose();
    world.running_ = next;
    mc::Fiber::exit_to(me.fiber, next ? next->fiber : world.main_);
}

void World::run(std::uint64_t max_steps) {
    max_steps_ = steps_ + max_steps;
    Thread* first = choose();
    if (!first) return;
    running_ = first;
    mc::Fiber::switch_to(main_, first->fiber);
    running_ = nullptr;
    for (auto& thread : threads_) drain(*thread);
}

bool World::finished() const {
    return std::all_of(threads_.begin(), threads_.end(), [](const auto& thread) { return thread->ended; });
}

void World::go_on(Thread* next) {
    Thread* me = running_;
    if (next == me) return;
    running_ = next;
    mc::Fiber::switch_to(me->fiber, next ? next->fiber : main_);
}

void World::step() {
    ++steps_;
    now_ += 1 + random_.below(tick_);
    commit_some();
    if (steps_ > max_steps_) note_failure("too many steps: somebody waits actively for ever");
}

void World::point() {
    step();
    if (failed()) fail("");
    go_on(choose());
}

void World::pause() {
    if (way_ == Way::priorities) running_->priority = lowest_--;
    point();
}

World::Thread* World::choose() {
    do {
        Thread* best = nullptr;
        std::size_t ready = 0;
        const bool stay = way_ == Way::sticky && !random_.one_in(switch_one_in_);
        if (way_ == Way::priorities && running_ && random_.one_in(300))
            running_->priority = random_.next() | kHigh;
        for (auto& thread : threads_) {
            if (thread->ended || thread->blocked_on) {
                if (!thread->blocked_on || thread->until > now_) continue;
                thread->blocked_on = nullptr;  // its time is over
            }
            ++ready;
            if (stay && thread.get() == running_) return running_;
            if (way_ == Way::priorities) {
                if (!best || thread->priority > best->priority) best = thread.get();
            } else if (random_.below(ready) == 0) {
                best = thread.get();
            }
        }
        if (best) return best;
    } while (wake_sleepers());
    return nullptr;
}

// Nobody can go on before some time.
bool World::wake_sleepers() {
    std::uint64_t earliest = UINT64_MAX;
    for (auto& thread : threads_)
        if (thread->blocked_on && !thread->ended) earliest = std::min(earliest, thread->until);
    if (earliest == UINT64_MAX) return false;
    now_ = std::max(now_, earliest);
    return true;
}

void World::drain(Thread& thread) {
    for (const BufferedStore& store : thread.buffer) store.cell->value_ = store.value;
    thread.buffer.clear();
}

// Store buffers empty at their own pace, but each in order and none for ever.
void World::commit_some() {
    for (auto& thread : threads_) {
        auto& buffer = thread->buffer;
        while (!buffer.empty() && (buffer.front().due <= steps_ || random_.one_in(commit_one_in_))) {
            buffer.front().cell->value_ = buffer.front().value;
            buffer.pop_front();
        }
    }
}

std::uint64_t World::now() {
    if (!outside()) point();
    return now_;
}

void World::heavy_fence() {
    point();
    if (flaw_ == Flaw::no_heavy_fence) return;
    for (auto& thread : threads_) drain(*thread);
}

void World::block(const void* where, const std::function<bool()>& still, std::uint64_t until) {
    point();
    drain(*running_);  // a system call
    if (random_.one_in(40)) return;
    if (flaw_ != Flaw::blind_block && !still()) return;
    trace("blocks on", where, until);
    running_->blocked_on = where;
    running_->until = until;
    point();
}

void World::unblock(const void* where) {
    point();
    drain(*running_);
    trace("unblocks", where, 0);
    for (auto& thread : threads_)
        if (thread->blocked_on == where) thread->blocked_on = nullptr;
}

void World::fail(const char* what) {
    note_failure(what);
    Thread* me = running_;
    running_ = nullptr;
    mc::Fiber::switch_to(me->fiber, main_);  // never continued
    std::abort();
}

void World::print_trace(const char* what, const void* where, std::uint64_t value) const {
    std::string place = "?";
    for (const Name& name : names_) {
        const auto offset = static_cast<const char*>(where) - name.where;
        if (offset >= 0 && static_cast<std::size_t>(offset) < name.size)
            place = name.text + '+' + std::to_string(offset);
    }
    std::fprintf(stderr, "%8llu %-12s %s %s: %#llx\n", static_cast<unsigned long long>(now_),
                 running_ ? running_->name.c_str() : "-", what, place.c_str(),
                 static_cast<unsigned long long>(value));
}

std::string World::describe() const {
    std::string text;
    for (auto& thread : threads_) {
        if (thread->ended) continue;
        text += "  " + thread->name + (thread->blocked_on ? " blocked" : " can go on");
        if (!thread->buffer.empty()) text += ", with stores buffered";
        text += '\n';
    }
    return text;
}

}  // namespace sim
