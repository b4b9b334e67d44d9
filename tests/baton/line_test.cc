// SPDX-License-Identifier: BSL-1.0
#include "baton/line.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace {

using Node = mc::Node<mc::RealSys>;
using Seat = mc::Seat<mc::RealSys>;
using Line = mc::Line<mc::RealSys>;
using Inbox = mc::Inbox<mc::RealSys>;

TEST(Line, IsFirstInFirstOut) {
    Line line;
    Node a, b, c;
    EXPECT_TRUE(line.empty());
    for (Node* node : {&a, &b, &c}) line.push_back(node);
    for (Node* node : {&a, &b, &c}) {
        EXPECT_EQ(node, line.front());
        line.remove(node);
        EXPECT_FALSE(node->linked);
    }
    EXPECT_TRUE(line.empty());
    EXPECT_EQ(nullptr, line.front());
}

TEST(Line, LosesAnyNode) {
    Line line;
    Node a, b, c;
    for (Node* node : {&a, &b, &c}) line.push_back(node);
    line.remove(&b);
    EXPECT_EQ(&a, line.front());
    EXPECT_EQ(&c, a.next);
    EXPECT_EQ(&a, c.prev);
    line.remove(&c);
    line.push_back(&b);
    EXPECT_EQ(&b, a.next);
    line.remove(&a);
    EXPECT_EQ(&b, line.front());
}

TEST(Line, Rotates) {
    Line line;
    Node a, b, c;
    line.push_back(&a);
    a.since = a.passed = 1;
    line.rotate(&b);  // a line of one
    EXPECT_EQ(&b, line.front());
    EXPECT_FALSE(a.linked);
    EXPECT_EQ(0u, a.since + a.passed);
    line.push_back(&c);
    line.rotate(&a);
    EXPECT_EQ(2u, line.ready_tasks());
    for (Node* node : {&c, &a}) {
        EXPECT_EQ(node, line.front());
        EXPECT_TRUE(node->linked);
        line.remove(node);
    }
    EXPECT_TRUE(line.empty());
    EXPECT_EQ(nullptr, line.front());
}

TEST(Line, CountsTasksAndFindsThreads) {
    Line line;
    Seat seat;
    Node task, thread;
    thread.seat = &seat;
    EXPECT_EQ(nullptr, line.first_seat());
    line.push_back(&task);
    EXPECT_EQ(1u, line.ready_tasks());
    EXPECT_EQ(nullptr, line.first_seat());
    line.push_back(&thread);
    EXPECT_EQ(1u, line.ready_tasks());
    EXPECT_EQ(&seat, line.first_seat());
    line.remove(&task);
    EXPECT_EQ(0u, line.ready_tasks());
    EXPECT_FALSE(line.empty());
    line.remove(&thread);
    EXPECT_EQ(nullptr, line.first_seat());
}

TEST(Line, ForgetsHowLongANodeHasWaited) {
    Line line;
    Node node;
    node.since = node.passed = 5;
    line.push_back(&node);
    line.remove(&node);
    EXPECT_EQ(0u, node.since);
    EXPECT_EQ(0u, node.passed);
}

TEST(Inbox, GivesNodesInTheOrderOfTheirPosting) {
    Inbox inbox;
    EXPECT_EQ(nullptr, inbox.take_all());
    Node a, b, c;
    for (Node* node : {&a, &b, &c}) inbox.push(node);
    EXPECT_EQ(&c, inbox.newest());
    Node* node = inbox.take_all();
    for (Node* expected : {&a, &b, &c}) {
        ASSERT_EQ(expected, node);
        node = node->next;
    }
    EXPECT_EQ(nullptr, node);
    EXPECT_EQ(nullptr, inbox.take_all());
}

TEST(Inbox, LosesNothingBetweenThreads) {
    constexpr int kThreads = 4, kNodes = 5'000;
    Inbox inbox;
    std::vector<Node> nodes(kThreads * kNodes);
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t)
        threads.emplace_back([&, t] {
            for (int i = 0; i < kNodes; ++i) inbox.push(&nodes[static_cast<std::size_t>(t * kNodes + i)]);
        });
    std::vector<std::ptrdiff_t> last(kThreads, -1);
    for (int got = 0; got < kThreads * kNodes;) {
        for (Node* node = inbox.take_all(); node;) {
            Node* following = node->next;
            const auto index = node - nodes.data();
            auto& newest = last[static_cast<std::size_t>(index / kNodes)];
            EXPECT_LT(newest, index);  // each thread's in its order
            newest = index;
            node = following;
            ++got;
        }
    }
    for (auto& thread : threads) thread.join();
}

}  // namespace
