// How a thread that waits for the baton sleeps: in the reactor if nobody polls it, else on its seat.
// SPDX-License-Identifier: BSL-1.0
#include <sched.h>

#include "core/worker.h"

namespace mc {

void RealSys::yield_cpu() noexcept { sched_yield(); }

void RealSys::block(Seat<RealSys>& seat, std::uint64_t until) noexcept {
    Worker& worker = *static_cast<Worker*>(seat.owner);
    mc_runtime& rt = *worker.rt;
    if (seat.carrier && !seat.drives) block_signals(worker);
    if (reactor_waits() == 0 || !reactor_take_role()) {
        futex_wait(seat.state, seat::PARKED, until);
        return;
    }
    rt.baton.poller_found();
    // seq_cst: it polls before it looks at its state; unblock changes the state before it looks whether
    // it polls.
    seat.polling.store(true, std::memory_order_seq_cst);
    ReactorWait* fired = nullptr;
    if (seat.state.load(std::memory_order_seq_cst) == seat::PARKED) fired = reactor_poll(until);
    seat.polling.store(false, std::memory_order_seq_cst);
    reactor_drop_role();
    // If this thread does not poll again, it sees to it that another one does (leave_poller, pass_poller_on).
    deliver(fired);
}

void RealSys::unblock(Seat<RealSys>& seat) noexcept {
    if (seat.polling.load(std::memory_order_seq_cst))
        reactor_kick();
    else
        futex_wake_one(seat.state);
}

}  // namespace mc
