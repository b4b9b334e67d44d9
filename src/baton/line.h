// The line: what waits for the baton, in the order in which it became runnable.
//
// A node is a ready task that any carrier may run (no seat), or a thread that waits with a task of its
// own: a returning section or an attached thread (its seat). Plain data that only the holder of the
// baton touches, but for the two counters that others may read.
//
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "baton/seat.h"

namespace mc {

template <class Sys>
struct Node {
    Node* next = nullptr;  // in the line, or in the inbox
    Node* prev = nullptr;
    Seat<Sys>* seat = nullptr;  // the thread that waits; NULL: a ready task
    std::uint64_t since = 0;    // ns; when it began to wait; 0: not looked at yet
    std::uint64_t passed = 0;   // ns; when the holder woke it and went on; 0: not yet
    bool returning = false;     // a section's end: its slice is the shorter one
    bool linked = false;        // in the line
};

template <class Sys>
class Line {
public:
    Node<Sys>* front() const noexcept { return head_; }

    void push_back(Node<Sys>* node) noexcept {
        node->next = nullptr;
        node->prev = tail_;
        node->linked = true;
        (tail_ ? tail_->next : head_) = node;
        tail_ = node;
        count(node, +1);
    }

    void remove(Node<Sys>* node) noexcept {
        (node->prev ? node->prev->next : head_) = node->next;
        (node->next ? node->next->prev : tail_) = node->prev;
        node->next = node->prev = nullptr;
        node->linked = false;
        node->since = node->passed = 0;
        count(node, -1);
    }

    // The head, a ready task, leaves, and another ready task comes to the end.
    void rotate(Node<Sys>* node) noexcept {
        Node<Sys>* head = head_;
        node->next = nullptr;
        node->prev = tail_;  // the head, if it is alone
        node->linked = true;
        tail_->next = node;
        tail_ = node;
        head_ = head->next;
        head_->prev = nullptr;
        head->next = head->prev = nullptr;
        head->linked = false;
        head->since = head->passed = 0;
    }

    // The first thread that waits, wherever in the line.
    Seat<Sys>* first_seat() const noexcept {
        if (seats_ == 0) return nullptr;
        Node<Sys>* node = head_;
        while (!node->seat) node = node->next;
        return node->seat;
    }

    // Relaxed: single writer (the holder). Other threads take them for a hint, and the holder's next
    // store to the baton's word publishes them.
    bool empty() const noexcept { return size() == 0; }
    std::uint32_t size() const noexcept { return size_.load(std::memory_order_relaxed); }
    std::uint32_t ready_tasks() const noexcept { return ready_.load(std::memory_order_relaxed); }

private:
    void count(Node<Sys>* node, int by) noexcept {
        bump(size_, by);
        if (node->seat)
            seats_ += static_cast<std::uint32_t>(by);
        else
            bump(ready_, by);
    }
    static void bump(typename Sys::template Atomic<std::uint32_t>& counter, int by) noexcept {
        counter.store(counter.load(std::memory_order_relaxed) + static_cast<std::uint32_t>(by),
                      std::memory_order_relaxed);
    }

    Node<Sys>* head_ = nullptr;
    Node<Sys>* tail_ = nullptr;
    std::uint32_t seats_ = 0;
    typename Sys::template Atomic<std::uint32_t> size_{0};
    typename Sys::template Atomic<std::uint32_t> ready_{0};
};

// The inbox: nodes posted by threads that do not hold the baton. Lock-free and async-signal-safe: a
// push is a CAS, the holder takes all with one exchange. There is no pop, so there is no ABA.
template <class Sys>
class Inbox {
public:
    void push(Node<Sys>* node) noexcept {
        Node<Sys>* head = head_.load(std::memory_order_relaxed);  // the CAS validates it
        do {
            node->next = head;
            // Release: the node's fields, for the acquire in take_all.
        } while (
            !head_.compare_exchange_weak(head, node, std::memory_order_seq_cst, std::memory_order_relaxed));
    }

    Node<Sys>* newest() const noexcept { return head_.load(std::memory_order_seq_cst); }

    // All nodes, oldest first, linked by `next`.
    Node<Sys>* take_all() noexcept {
        Node<Sys>* newest = head_.exchange(nullptr, std::memory_order_seq_cst);
        Node<Sys>* oldest = nullptr;
        while (newest) {
            Node<Sys>* next = newest->next;
            newest->next = oldest;
            oldest = newest;
            newest = next;
        }
        return oldest;
    }

private:
    typename Sys::template Atomic<Node<Sys>*> head_{nullptr};
};

}  // namespace mc
