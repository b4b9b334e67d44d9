// The baton of a host that schedules (baton_hosted.h) under the controlled scheduler: one coroutine with
// sections, carriers that run what else the host has, which is in no line, and threads that stand in it.
//
// MC_SIM_SEED=n runs one seed only, MC_SIM_RUNS=n that many of each test.
// SPDX-License-Identifier: BSL-1.0
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "sim_runs.h"

namespace {

using sim::Baton;
using sim::Node;
using sim::Seat;
using sim::SimSys;
using sim::World;

constexpr std::uint64_t kSlice = 20'000;
constexpr std::uint64_t kMaxSteps = 100'000;

mc::BatonTimes times() {
    mc::BatonTimes times;
    times.slice = kSlice;
    return times;
}

class Host final : public mc::BatonClient<SimSys> {
public:
    explicit Host(World& world) : world_(world), baton_(*this, times()) { lender_.id = ++seats_; }

    // The lender's whole life, and then all leave.
    template <class F>
    void run(F life) {
        world_.start("lender", [this, life] {
            lender_.drives = true;
            world_.check(baton_.acquire(lender_, node_, mc::kForever), "the first acquire failed");
            hold();
            life();
            closed_ = true;
            baton_.rouse_all();
        });
        world_.run(kMaxSteps);
        if (!world_.failed() && !world_.finished())
            world_.note_failure("nobody can go on, and work is left\n" + world_.describe());
    }

    // ---- by the lender, with the baton ----
    void others_become_ready() {
        ran_ = false;
        work_.store(1, std::memory_order_relaxed);
    }
    bool others_ran() const { return ran_; }
    template <class F>
    void section(F body) {
        const bool others = has_other_work();
        let_go();
        others ? baton_.lend_with_work(lender_) : baton_.lend(lender_);
        body();
        if (!baton_.reclaim(lender_)) {
            lender_.state.store(mc::seat::SPIN, std::memory_order_relaxed);
            due_.store(1, std::memory_order_seq_cst);
            node_.seat = &lender_;
            if (baton_.try_take(lender_))
                lender_.state.store(mc::seat::BUSY, std::memory_order_relaxed);
            else
                baton_.acquire_waiting(lender_, node_);
            baton_.take_off(node_);
            due_.store(0, std::memory_order_relaxed);
        }
        hold();
    }
    // From a section of the lender's: a thread that has something to do on top of it.
    void another_arrives() {
        served_ = false;
        others_.push_back(std::make_unique<Other>());
        Other& other = *others_.back();
        other.seat.id = ++seats_;
        other.node.seat = &other.seat;
        world_.fence();  // starting a thread publishes what came before
        world_.start("another", [this, &other] {
            other.seat.state.store(mc::seat::SPIN, std::memory_order_relaxed);
            baton_.acquire_waiting(other.seat, other.node);
            baton_.take_off(other.node);
            hold();
            served_ = true;
            world_.unblock(this);
            let_go();
            world_.check(baton_.lend_back(other.seat, lender_), "nobody has posted for a carrier");
        });
    }
    bool served() const { return served_; }

    // ---- BatonClient ----
    Seat* prepare_carrier() noexcept override {
        if (closed_ || carriers_.size() == 2) return nullptr;
        carriers_.push_back(std::make_unique<Seat>());
        carriers_.back()->id = ++seats_;
        carriers_.back()->carrier = true;
        return carriers_.back().get();
    }
    bool launch_carrier(Seat& seat) noexcept override {
        world_.fence();  // starting a thread publishes what came before
        world_.start("carrier", [this, &seat] { carry(seat); });
        return true;
    }
    void discard_carrier(Seat&) noexcept override {}
    bool may_lend() noexcept override { return true; }
    void attention(std::uint32_t) noexcept override {}
    bool should_leave(bool) noexcept override { return closed_; }
    bool wants_spare() noexcept override { return false; }
    bool has_job(bool) noexcept override { return false; }
    bool waits_in_vain(const Seat&) noexcept override { return false; }
    bool stranded() noexcept override { return false; }
    bool needs_poller() noexcept override { return false; }
    bool always_polls() noexcept override { return false; }
    void seek_poller_elsewhere() noexcept override {}
    void dropped(Node&) noexcept override {}
    bool has_other_work() noexcept override { return work_.load(std::memory_order_relaxed) != 0; }
    void woke() noexcept override {}

private:
    struct Other {
        Seat seat;
        Node node;
    };

    // As carry_on and settle in own_scheduler.cc.
    void carry(Seat& me) {
        while (baton_.acquire_as_carrier(me) == mc::Idle::holds) {
            do {
                hold();
                work_.store(0, std::memory_order_relaxed);
                ran_ = true;
                world_.unblock(this);
                let_go();
                if (!due_.load(std::memory_order_acquire)) continue;
                world_.check(baton_.hand_to(me, lender_), "a section that is due does not wait");
                break;
            } while (!baton_.lend_back(me, lender_));
        }
    }

    void hold() {
        world_.check(!held_, "two threads hold the baton");
        held_ = true;
        touch();
    }
    void let_go() {
        touch();
        held_ = false;
    }
    void touch() {
        const unsigned seen = touched_;
        world_.point();
        world_.check(touched_ == seen, "two threads touch the interpreter");
        touched_ = seen + 1;
    }

    World& world_;
    Baton baton_;
    Seat lender_;
    Node node_;
    std::vector<std::unique_ptr<Seat>> carriers_;
    std::vector<std::unique_ptr<Other>> others_;
    SimSys::Atomic<unsigned> work_{0};  // somebody else is ready in the host
    SimSys::Atomic<unsigned> due_{0};   // the lender's section has ended
    std::uint32_t seats_ = 0;
    unsigned touched_ = 0;
    bool ran_ = false;  // since others became ready last
    bool served_ = false;
    bool held_ = false;
    bool closed_ = false;
};

template <class F>
void for_all_seeds(F life) {
    sim::passes([life](World& world) {
        Host host(world);
        host.run([&] { life(world, host); });
    });
}

TEST(Hosted, OthersRunDuringSections) {
    for_all_seeds([](World& world, Host& host) {
        for (unsigned i = 0; i < 12; ++i) {
            if (world.random().one_in(2)) host.others_become_ready();
            const std::uint64_t until = world.now() + world.random().below(20'000);
            const bool waits = world.random().one_in(3);
            host.section([&] {
                for (auto n = world.random().below(40); n > 0; --n) world.point();
                if (waits)
                    world.block(
                        &until, [] { return true; }, until);
            });
        }
    });
}

// A section that lasts until others have run: somebody must come, whatever slept or gave up before.
TEST(Hosted, OthersComeIfASectionLasts) {
    for_all_seeds([](World& world, Host& host) {
        for (unsigned i = 0; i < 6; ++i) {
            host.others_become_ready();
            host.section([&] {
                world.block(
                    &host, [&] { return !host.others_ran(); }, mc::kForever);
            });
        }
    });
}

// A thread comes, waits and sleeps while a carrier has the baton: the lend is not given back past it.
TEST(Hosted, ThreadsAreServedDuringSections) {
    for_all_seeds([](World& world, Host& host) {
        for (unsigned i = 0; i < 6; ++i) {
            host.others_become_ready();
            host.section([&] {
                for (auto n = world.random().below(20); n > 0; --n) world.point();
                host.another_arrives();
                while (!host.served())  // carriers unblock it as well
                    world.block(
                        &host, [&] { return !host.served(); }, mc::kForever);
            });
        }
    });
}

// No lend is ever old enough to be worth taking.
TEST(Hosted, OthersComeAmongShortSections) {
    for_all_seeds([](World& world, Host& host) {
        host.others_become_ready();
        while (!host.others_ran())
            host.section([&] {
                if (world.random().one_in(4)) world.pause();
            });
    });
}

}  // namespace
