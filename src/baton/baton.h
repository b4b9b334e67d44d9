// The baton: the right to touch one interpreter, and the line for it.
//
// Responsible for who holds, who is next, who is woken and who sleeps. Knows threads (seats) and ready
// tasks (nodes) but never runs anything. docs/design/baton.md has the transitions and the argument why
// no wake-up is lost; the numbers below are the ones used there.
//
// I1  At most one thread holds: the one named by a HELD word, or the seat that was GRANTED it.
// I2  Only the holder writes a HELD word, and touches line_, refused_ (to set it) and PlainData.
// I3  A node is in the inbox, in the line, or with the thread that took it; a thread that takes the
//     baton itself unlinks its node before it goes on.
// I4  If the baton is FREE or LENT and somebody can use it, somebody is awake who will look.
// I5  If the baton is HELD and the inbox is not empty, hint_ says so, and the holder's next release,
//     yield or checkpoint sees it.
// J1  If there is a job, a carrier is awake that looks for one before it sleeps, or none can be had. A
//     carrier that stops waiting for another reason passes that on.
//
// Rejected: granting only to waiters that spin (starves), a mutex and a condition variable (a wake per
// hand-over), a monitor that ticks (costs when idle).
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>

#include "baton/crowd.h"
#include "baton/idle.h"
#include "baton/line.h"
#include "baton/scouts.h"
#include "baton/seat.h"
#include "baton/sys.h"
#include "baton/word.h"

namespace mc {

// What the baton asks of the runtime; slow paths only. No call may block.
template <class Sys>
class BatonClient {
public:
    // A carrier to be, and its start. NULL, false: a limit is reached, or it failed. Any thread.
    virtual Seat<Sys>* prepare_carrier() noexcept = 0;
    virtual bool launch_carrier(Seat<Sys>& seat) noexcept = 0;
    virtual void discard_carrier(Seat<Sys>& seat) noexcept = 0;

    virtual bool may_lend() noexcept = 0;  // with the baton, before a lend is given or taken
    virtual void attention(std::uint32_t holder) noexcept = 0;  // any thread; the holder's seat id
    virtual bool should_leave(bool drives) noexcept = 0;        // a waiting carrier: has it to end
    virtual bool wants_spare() noexcept = 0;                    // a signal handler may post a ready task
    virtual bool has_job(bool drives) noexcept = 0;  // is there work for a thread that needs no baton
    virtual bool waits_in_vain(const Seat<Sys>& seat) noexcept = 0;  // the thread needs the baton no more
    virtual bool stranded() noexcept = 0;                            // ready tasks, but no carrier can be had
    virtual bool needs_poller() noexcept = 0;                        // the reactor waits and nobody polls
    virtual bool always_polls() noexcept = 0;                        // nor can it be left to the holder
    virtual void seek_poller_elsewhere() noexcept = 0;  // for what waits there for other runtimes
    // With the baton: a node left the line whose thread does not wait (any more, or just now).
    virtual void dropped(Node<Sys>& node) noexcept = 0;
    // Any thread; racy. Work for carriers that is in no line: a host's own scheduler has some.
    virtual bool has_other_work() noexcept { return false; }
    // With the baton: the thread that waits with a node of the line's, also if any carrier may serve it.
    virtual Seat<Sys>* seat_of(Node<Sys>& node) noexcept { return node.seat; }
    virtual void woke() noexcept = 0;  // any thread: a sleeping thread was woken
    // Any thread: its own node stands in the line; it may have to see to it that somebody ends a pause.
    virtual void queued() noexcept {}

protected:
    ~BatonClient() = default;
};

struct BatonTimes {
    std::uint64_t section_slice = 5'000;
    std::uint64_t slice = 1'000'000;
    std::uint64_t idle_timeout = 5'000'000'000;
    std::uint32_t keep_idle = 2;
    bool attention = false;  // somebody wants to be told that the holder is waited for
    bool anywhere = true;    // any thread may hold; else only those that drive
};

enum class GaveUp { yes, own_turn, stuck };

// How a carrier's wait ends: it holds the baton; there is a job; it is to end.
enum class Idle { holds, works, leaves };

template <class Sys>
class Baton {
public:
    using SeatT = Seat<Sys>;
    using NodeT = Node<Sys>;
    template <class T>
    using Atomic = typename Sys::template Atomic<T>;

    static constexpr std::uint64_t kCrowdSlice = 1'000'000;      // ns between grants by name in a crowd
    static constexpr std::uint64_t kGrace = 1'000;               // ns a lend is left alone by the standby
    static constexpr std::uint64_t kWakeTime = 60'000;           // ns a woken thread is given to arrive
    static constexpr std::uint64_t kLooksOften = 4 * kWakeTime;  // ns between looks at the line
    static constexpr unsigned kEmptyDrains = 16;  // looks at an empty inbox until the hint goes
    static constexpr unsigned kWatchTicks = 8;    // idle ticks until the watcher stops

    Baton(BatonClient<Sys>& client, const BatonTimes& times) noexcept : client_(client), times_(times) {}

    // ---- the fast paths ----

    // Release. By the holder: lends the baton, or hands it over. The caller no longer holds.
    void lend(SeatT& me) noexcept {
        if (!line_.empty()) [[unlikely]]
            return lend_slow(me);
        // Relaxed: only the holder writes a HELD word (I2).
        const word::Word lent = word_.load(std::memory_order_relaxed) + word::kLend;
        // Release: pairs with the acquire of whoever takes the baton.
        word_.store(lent, std::memory_order_release);
        // Orders the store above before the load below; pairs with heavy_fence in post and wait (L1).
        Sys::light_fence();
        if (hint_.load(std::memory_order_relaxed) != 0) [[unlikely]]
            serve_hint(me, lent);
    }

    // Acquire, first attempt. True: this thread holds again and nobody had taken the baton.
    bool reclaim(SeatT& me) noexcept {
        word::Word lent = word_.load(std::memory_order_relaxed);  // the CAS validates it
        return static_cast<std::uint32_t>(lent) == (me.id << 2 | word::LENT) &&
               word_.compare_exchange_strong(lent, lent - word::kReclaim, std::memory_order_acquire,
                                             std::memory_order_relaxed);
    }

    // ---- the slow paths, in baton_slow.h and baton_wait.h ----

    // Acquire after reclaim failed, or a first acquire: returns holding. False: `until` passed first, or it
    // waits in vain; then the node stays behind and belongs to the line (client.dropped). node.seat must be
    // set.
    bool acquire(SeatT& me, NodeT& node, std::uint64_t until) noexcept;

    // The same for a node that somebody else posts: waits until posted() says so, and then for the baton.
    // The seat's state must have been SPIN since before anybody could post. False, and not yet posted:
    // `until` has passed, or the ready tasks are stranded; the seat still waits: call again. Once it is
    // posted `until` does not matter.
    template <class Posted>
    bool await(SeatT& me, NodeT& node, std::uint64_t until, Posted posted) noexcept;

    // A thread that can run any ready task waits for the baton and something to do, or for a job.
    Idle acquire_as_carrier(SeatT& me) noexcept;

    // Takes the baton if that takes no wait.
    bool try_take(SeatT& me) noexcept;

    // By the holder: the ready task to run here next, taken from the line. NULL: the baton has been handed
    // over or is free. `self` (may be NULL): the caller's own node; returned when it is its turn.
    NodeT* next(SeatT& me, NodeT* self) noexcept;

    // By the holder, which cannot run tasks: hands the baton over or frees it. own_turn: `self` was next,
    // the caller still holds. stuck: it is free, and there are ready tasks, but no thread to run them.
    GaveUp give_up(SeatT& me, NodeT* self) noexcept;

    // By the holder, when no thread drives the runtime any more; `still_none` is asked again afterwards.
    template <class StillNone>
    void pause(SeatT& me, StillNone still_none) noexcept;

    // By the holder, for another seat of the same thread: from now on that one holds.
    void rename(SeatT& to) noexcept {
        // Relaxed: no other thread reads what this one wrote before it holds itself.
        word_.store(word::with(word_.load(std::memory_order_relaxed), word::HELD, to.id),
                    std::memory_order_relaxed);
    }

    // By the holder: a task became ready.
    void push(NodeT* node) noexcept;

    // The same, also from a signal handler that has interrupted the holder anywhere; starts no thread.
    void push_from_anywhere(NodeT* node) noexcept;

    // By the holder: nodes posted by others join the line.
    void drain() noexcept {
        if (hint_.load(std::memory_order_relaxed) & kInbox) drain_slow();
    }

    // By the holder: the head of the line has waited its slice, or what the reactor waits for is not
    // looked after. Cheap when nobody waits.
    bool due() noexcept;

    // The head of the line after drain; NULL when it is empty or a thread's.
    NodeT* front_task() noexcept {
        NodeT* head = line_.front();
        return head && !head->seat ? head : nullptr;
    }
    NodeT* pop_front() noexcept {
        NodeT* head = line_.front();
        line_.remove(head);
        ++turns_;
        turn_.store(turns_, std::memory_order_relaxed);
        // The thread that watched may be the one that runs it.
        if (line_.ready_tasks() > 0) rouse_watcher(true);
        return head;
    }
    // The head of the line, if it is a ready task and there is nothing to see to but whose turn it is.
    NodeT* plain_front() const noexcept {
        // Relaxed: as in drain; a stale value of the watcher's costs it one slice.
        if (hint_.load(std::memory_order_relaxed) != 0) return nullptr;
        if (watched() && !watching_.load(std::memory_order_relaxed)) return nullptr;
        NodeT* head = line_.front();
        return head && !head->seat ? head : nullptr;
    }
    // By the holder, after plain_front: the head's turn; `node`, a ready task, is the last one now.
    void rotate(NodeT* node) noexcept {
        line_.rotate(node);
        ++turns_;
        turn_.store(turns_, std::memory_order_relaxed);
    }
    // How many nodes stand in the line, without the inbox. By the holder.
    std::uint32_t length() const noexcept { return line_.size(); }
    // By the holder: takes a node from the line that somebody has posted, or is about to.
    void take_out(NodeT& node) noexcept;
    // ---- where the host schedules (own_scheduler.h), in baton_hosted.h ----

    // A release, where carriers have work that is in no line.
    void lend_with_work(SeatT& me) noexcept;
    // acquire, by a thread whose seat waits already: it may be given the baton by name, with its node left
    // behind.
    void acquire_waiting(SeatT& me, NodeT& node) noexcept;
    // By the holder, to a thread that waits. False: it does not.
    bool hand_to(SeatT& me, SeatT& to) noexcept;
    // By the holder: the baton is the lender's again, as if nobody had taken it; or a waiting thread's, if
    // one is at the head. False: a node without a thread is, and the caller still holds.
    bool lend_back(SeatT& me, SeatT& lender) noexcept;
    // The same, and nobody else is to take it. False: `node`, the lender's, is in the line.
    bool lend_back_refused(SeatT& me, SeatT& lender, const NodeT& node) noexcept;
    // By the holder: takes its own node out of the line if it is there.
    void take_off(NodeT& node) noexcept;

    // By the holder: nodes whose threads have given up leave the line.
    void drop_gone() noexcept;
    // Has the line or the inbox a ready task, or the inbox a thread? Any thread; racy.
    bool has_work() noexcept;

    // Any thread; racy. A section is open, and more than one ready task waits for a thread, or a coroutine
    // does.
    bool short_of_threads() noexcept {
        // Relaxed: a guess.
        return word::state(word_.load(std::memory_order_relaxed)) == word::LENT &&
               (line_.ready_tasks() > 1 || client_.has_other_work());
    }

    // Any thread; exact for the holder, and after its pause for those who queued before.
    bool anybody_waits() const noexcept {
        // seq_cst: a thread that queues sets the hint and then looks whether there is a pause.
        return !line_.empty() || (hint_.load(std::memory_order_seq_cst) & (kInbox | kPoll));
    }

    // Any thread: the node became runnable.
    void post(NodeT* node) noexcept { post(node, true); }

    // The same, async-signal-safe: starts no thread, but finds the spare one.
    void post_from_anywhere(NodeT* node) noexcept { post(node, false); }

    // By the holder, from when the client wants a spare carrier: an idle one is kept wherever the baton is
    // not held and one can be had.
    void ask_for_spare() noexcept { hint_.fetch_or(kSpare, std::memory_order_seq_cst); }

    // Any thread: the reactor has waits and no poller.
    void ask_for_poller() noexcept { hint_.fetch_or(kPoll, std::memory_order_seq_cst); }
    void poller_found() noexcept { hint_.fetch_and(~kPoll, std::memory_order_seq_cst); }
    bool asked_for_poller() const noexcept { return hint_.load(std::memory_order_relaxed) & kPoll; }
    void rouse_for_poll() noexcept;

    // Any thread: one that waits looks again, and looks after the reactor before it sleeps.
    bool rouse_any() noexcept;
    void rouse_all() noexcept;
    // Any thread: a job waits. A carrier is awake that will look, or is started. False: there is none.
    bool rouse_for_job() noexcept;
    // By a carrier at work: it will look for the next job before it sleeps. Before others see that there is
    // room for one.
    void will_look_for_job(SeatT& me) noexcept;
    // By a thread that does not hold: there is a ready task, and the baton could be had for it. Racy.
    bool can_work(const SeatT& me) noexcept;
    // Any thread: one more carrier could be started now than a moment ago.
    void room_for_carrier() noexcept;
    // By a thread that leaves the runtime and may have been the reactor's poller.
    void leave_poller() noexcept;
    bool seek_poller() noexcept;
    // By the holder: is the reactor's poller still asked for? If not, the hint goes.
    bool poller_wanted() noexcept;

    // ---- around fork(), by the thread that forks; in baton_fork.h ----

    // Takes the baton for a seat of nobody's, unless a thread holds it: then false. It never waits. `from`:
    // the word before.
    bool borrow(SeatT& nobody, word::Word& from) noexcept;
    // In the parent: back to what it was borrowed from; `still_none` as for pause.
    template <class StillNone>
    void give_back(SeatT& nobody, word::Word from, StillNone still_none) noexcept;
    // The list of sleepers stays as it is in between.
    void before_fork() noexcept { idle_.before_fork(); }
    void after_fork_in_parent() noexcept { serve_wish(idle_.after_fork_in_parent()); }
    // In the child, with the baton: forgets all threads but the caller. Nodes whose threads are gone(seat)
    // are taken from the line and passed to lost(node).
    template <class Gone, class Lost>
    void after_fork_in_child(Gone gone, Lost lost) noexcept;
    // In the child, with the baton: a task is ready; and what the word is from now on. Nobody is woken: there
    // is nobody, and threads start on use.
    void enqueue(NodeT* node) noexcept { line_.push_back(node); }
    void settle(word::Word now) noexcept { word_.store(now, std::memory_order_seq_cst); }

    void set_times(const BatonTimes& times) noexcept { times_ = times; }
    word::Word peek() const noexcept { return word_.load(std::memory_order_seq_cst); }

private:
    enum Hint : std::uint32_t { kInbox = 1, kPoll = 2, kSpare = 4, kTurn = 8 };

    void post(NodeT* node, bool may_start) noexcept;
    void serve_spare() noexcept;
    bool lacks_spare() noexcept;

    void lend_slow(SeatT& me) noexcept;
    void lend_refused() noexcept;
    bool serve_hint(SeatT& me, word::Word lent) noexcept;
    bool lend_to_standby(SeatT& me) noexcept;
    void drain_slow() noexcept;
    void drain_between_tasks() noexcept;
    void empty_inbox() noexcept;
    bool takeable(const SeatT& me, word::Word w) noexcept;
    bool on_its_way(NodeT& head, SeatT& thread) noexcept;
    bool head_due(NodeT* head, std::uint64_t now) noexcept;
    bool takes_by_itself(const NodeT& head, std::uint64_t now) noexcept;
    bool grant_seat(SeatT& me, SeatT& to) noexcept;
    bool grant_standby(SeatT& me) noexcept;
    bool stand_by(SeatT& me) noexcept;
    void sit_down(SeatT& me) noexcept;
    bool rouse(bool may_start = true) noexcept;
    bool start_carrier() noexcept;
    void serve_wish(bool open) noexcept;
    void rouse_watcher(bool may_start) noexcept;
    bool drop_if_gone(NodeT& node) noexcept;
    NodeT* live_head() noexcept;
    template <class Posted>
    bool wait_in_line(SeatT& me, NodeT& node, std::uint64_t until, Posted posted, bool own_node) noexcept;
    void push_own(NodeT& node) noexcept;
    bool stop_waiting(SeatT& me) noexcept;
    // Somebody sees to it that a ready task waits no longer than its slice.
    bool watched() const noexcept { return times_.attention && times_.slice != kForever; }
    void pass_poller_on() noexcept;
    void end_pause() noexcept;
    bool free(SeatT& me) noexcept;
    void put_back(SeatT& me, word::Word lent) noexcept;
    bool lend_again(SeatT& me, word::Word lent, SeatT*& first) noexcept;
    bool retake(SeatT& me, word::Word from) noexcept;
    bool wake(SeatT& seat) noexcept;
    void stop_standing_by(SeatT& me) noexcept;
    std::uint64_t slice_of(const NodeT& node) const noexcept {
        return node.returning ? times_.section_slice : times_.slice;
    }

    // The word has a cache line of its own: waiters poll it.
    alignas(64) Atomic<word::Word> word_{word::PAUSED};
    alignas(64) Atomic<std::uint32_t> hint_{0};  // written by posters; not the waiters' line
    Inbox<Sys> inbox_;
    alignas(64) Line<Sys> line_;
    unsigned empty_drains_ = 0;        // in a row, by the holder
    std::uint64_t turns_ = 0;          // holder only
    Atomic<std::uint64_t> turn_{0};    // turns_, for the watcher; single writer
    Atomic<word::Word> refused_{0};    // the lend that may not be taken (the host said no)
    Atomic<word::Word> idle_lend_{0};  // in which the host has just found nothing to run
    Atomic<SeatT*> standby_{nullptr};  // the carrier that is next to run ready tasks
    Scouts<Sys> scouts_;
    Crowd<Sys> crowd_;
    std::uint64_t named_ = 0;  // ns; when a release last granted a thread its turn by name; holder only
    Atomic<SeatT*> granting_{nullptr};  // the standby that the holder is about to grant; by the holder
    Atomic<bool> watching_{false};      // the standby looks every slice even while parked
    IdleList<Sys> idle_{standby_};
    BatonClient<Sys>& client_;
    BatonTimes times_;
};

}  // namespace mc

#include "baton/baton_hosted.h"
#include "baton/baton_slow.h"
#include "baton/baton_wait.h"

#include "baton/baton_fork.h"
