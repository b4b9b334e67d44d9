// What waits for a thread without the baton: jobs, by class, and the sections of tasks that were shipped.
//
// Q1  Everything but `startable` is guarded by the runtime's mutex.
// Q2  At most cpu_limit pieces of CPU work run at once, and io_limit of the other kind: a class that is full
//     leaves the other its threads. Among what may start, the oldest goes first.
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "multicore/multicore.h"

namespace mc {

// Embedded in what waits.
struct Work {
    Work* next_work = nullptr;
    Work* prev_work = nullptr;
    std::uint64_t turn = 0;
    std::uint32_t work_class = MC_WORK_CPU;
    bool queued = false;
};

class WorkQueue {
public:
    void limit(std::uint32_t cpu, std::uint32_t io) noexcept {
        classes_[MC_WORK_CPU].limit = cpu;
        classes_[MC_WORK_IO].limit = io;
    }

    void push(Work& work) noexcept {
        Class& its = classes_[work.work_class];
        work.turn = ++turn_;
        work.queued = true;
        work.next_work = nullptr;
        work.prev_work = its.last;
        (its.last ? its.last->next_work : its.first) = &work;
        its.last = &work;
        ++its.waiting;
        publish();
    }

    // Takes what is to start now; NULL: nothing. Whoever took it says finished().
    Work* take() noexcept {
        Work* work = take_oldest();
        if (work) publish();
        return work;
    }
    void finished(std::uint32_t work_class) noexcept {
        --classes_[work_class].running;
        publish();
    }
    // Both at once: nobody sees the room in between. Before others see it, if it stays, leaves_room() is
    // called.
    template <class LeavesRoom>
    Work* take_after(std::uint32_t finished_class, LeavesRoom leaves_room) noexcept {
        --classes_[finished_class].running;
        Work* work = take_oldest();
        if (!work) leaves_room();
        publish();
        return work;
    }

    void remove(Work& work) noexcept {  // one that waits
        unlink(work);
        publish();
    }

    std::size_t waiting() const noexcept { return classes_[0].waiting + classes_[1].waiting; }

    // Any thread. seq_cst: a thread that is about to sleep says so before it looks; whoever pushes looks for
    // sleepers afterwards.
    std::size_t startable() const noexcept { return startable_.load(std::memory_order_seq_cst); }

private:
    struct Class {
        Work* first = nullptr;
        Work* last = nullptr;
        std::size_t waiting = 0;
        std::uint32_t running = 0;
        std::uint32_t limit = 1;

        std::size_t startable() const noexcept {
            const std::size_t room = running < limit ? limit - running : 0;
            return waiting < room ? waiting : room;
        }
    };
    Work* take_oldest() noexcept {
        Class* oldest = nullptr;
        for (Class& its : classes_)
            if (its.startable() > 0 && (!oldest || its.first->turn < oldest->first->turn)) oldest = &its;
        if (!oldest) return nullptr;
        Work* work = oldest->first;
        ++oldest->running;
        unlink(*work);
        return work;
    }
    void unlink(Work& work) noexcept {
        Class& its = classes_[work.work_class];
        (work.prev_work ? work.prev_work->next_work : its.first) = work.next_work;
        (work.next_work ? work.next_work->prev_work : its.last) = work.prev_work;
        work.queued = false;
        --its.waiting;
    }
    void publish() noexcept {
        startable_.store(classes_[0].startable() + classes_[1].startable(), std::memory_order_seq_cst);
    }

    Class classes_[2];
    std::uint64_t turn_ = 0;
    std::atomic<std::size_t> startable_{0};
};

}  // namespace mc
