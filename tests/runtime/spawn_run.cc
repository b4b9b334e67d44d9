// SPDX-License-Identifier: BSL-1.0
#include <string>
#include <thread>
#include <vector>

#include "testing.h"

namespace {

using mctest::Gate;
using mctest::Runtime;

TEST(Run, WithoutTasksReturnsAtOnce) {
    Runtime runtime;
    runtime.run();
    runtime.run();
}

TEST(Run, RunsTasksInTheOrderOfTheirSpawnOnThisThread) {
    Runtime runtime;
    std::vector<int> order;
    const int here = mctest::thread_id();
    for (int i = 0; i < 5; ++i)
        runtime.spawn([&, i] {
            EXPECT_EQ(here, mctest::thread_id());
            order.push_back(i);
        });
    EXPECT_TRUE(order.empty());  // with no runner nothing runs
    runtime.run();
    EXPECT_EQ((std::vector<int>{0, 1, 2, 3, 4}), order);
}

TEST(Run, RunsWhatItsTasksSpawn) {
    Runtime runtime;
    int depth = 0;
    std::function<void()> deeper = [&] {
        if (++depth < 100) runtime.spawn(deeper);
    };
    runtime.run(deeper);
    EXPECT_EQ(100, depth);
}

TEST(Run, MayBeCalledAgain) {
    Runtime runtime;
    int ran = 0;
    for (int i = 0; i < 10; ++i) runtime.run([&] { ++ran; });
    EXPECT_EQ(10, ran);
}

TEST(Run, FromATaskIsADeadlock) {
    Runtime runtime;
    runtime.run([&] { EXPECT_EQ(MC_EDEADLK, mc_runtime_run(runtime)); });
    runtime.attached([&] { EXPECT_EQ(MC_EDEADLK, mc_runtime_run(runtime)); });
}

TEST(Run, ByASecondThreadIsBusy) {
    Runtime runtime;
    Gate running, tried;
    runtime.spawn([&] {
        running.open();
        mc_release();
        tried.wait();
        mc_acquire();
    });
    std::thread other([&] {
        running.wait();
        EXPECT_EQ(MC_EBUSY, mc_runtime_run(runtime));
        tried.open();
    });
    runtime.run();
    other.join();
}

TEST(Run, ATaskSpawnedByAnotherThreadWakesIt) {
    Runtime runtime;
    Gate go;
    bool ran = false;
    mc_task* waits = runtime.spawn([] { EXPECT_EQ(MC_OK, mc_task_park(MC_FOREVER)); });
    runtime.spawn([&] { go.open(); });
    std::thread other([&] {
        go.wait();
        runtime.spawn([&] {
            ran = true;
            EXPECT_EQ(MC_OK, mc_task_unpark(waits));
        });
    });
    runtime.run();
    other.join();
    EXPECT_TRUE(ran);
}

TEST(Spawn, TheHandleTellsHowFarItIs) {
    Runtime runtime;
    mc_task* task = nullptr;
    task = runtime.spawn([&] {
        EXPECT_EQ(task, mc_task_current());
        EXPECT_EQ(static_cast<uint32_t>(MC_TASK_RUNNING), mc_task_state(task));
        EXPECT_EQ(MC_EAGAIN, mc_task_result(task));
    });
    const uint32_t before = mc_task_state(task);
    EXPECT_TRUE(before == MC_TASK_NEW || before == MC_TASK_READY) << before;
    EXPECT_EQ(MC_EAGAIN, mc_task_result(task));
    EXPECT_EQ(nullptr, mc_task_current());
    runtime.run();
    EXPECT_EQ(static_cast<uint32_t>(MC_TASK_ENDED), mc_task_state(task));
    EXPECT_EQ(MC_OK, mc_task_result(task));
    EXPECT_EQ(nullptr, mc_task_current());
}

TEST(Spawn, NamesAreKeptUpTo31BytesAndNeverEmpty) {
    Runtime runtime;
    const std::string longer(100, 'x');
    EXPECT_STREQ("worker", mc_task_name(runtime.spawn([] {}, "worker")));
    EXPECT_EQ(std::string(31, 'x'), mc_task_name(runtime.spawn([] {}, longer.c_str())));
    const std::string first = mc_task_name(runtime.spawn([] {}));
    const std::string second = mc_task_name(runtime.spawn([] {}));
    EXPECT_EQ(0u, first.find("task "));
    EXPECT_EQ(0u, second.find("task "));
    EXPECT_NE(first, second);
    runtime.run();
}

TEST(Spawn, WithoutAFunctionIsRefused) {
    Runtime runtime;
    mc_task* out = nullptr;
    EXPECT_EQ(MC_EINVAL, mc_task_spawn(runtime, nullptr, nullptr, nullptr, &out));
    EXPECT_EQ(nullptr, out);
}

TEST(Spawn, TheStackHasTheSizeAskedFor) {
    Runtime runtime;
    mc_task_options options = MC_TASK_OPTIONS_INIT;
    options.stack_size = 4 << 20;
    ASSERT_EQ(MC_OK, mc_task_spawn(
                         runtime,
                         [](void*) {
                             volatile char room[3 << 20];
                             for (size_t i = 0; i < sizeof room; i += 4096) room[i] = 1;
                             EXPECT_EQ(1, room[0]);
                         },
                         nullptr, &options, nullptr));
    runtime.run();
}

TEST(Spawn, StacksAreUsedAgain) {
    Runtime runtime;
    constexpr int count = mctest::sanitized ? 1000 : 4000;
    int ran = 0;
    for (int round = 0; round < 2; ++round) {
        for (int i = 0; i < count; ++i) runtime.spawn([&] { ++ran; });
        runtime.run();
    }
    EXPECT_EQ(2 * count, ran);
}

struct Destroyed {
    mc_runtime* runtime;
    int times = 0;
    bool had_baton = false;
};

void on_destroy(void* data) {
    Destroyed* seen = static_cast<Destroyed*>(data);
    ++seen->times;
    // Only the holder may spawn a task that nobody can run before this hook has returned; what tells
    // the holder apart in the interface is that an attempt to attach elsewhere times out.
    mc_status elsewhere = MC_OK;
    std::thread([&] {
        elsewhere = mc_attach(seen->runtime, nullptr, 0, nullptr);
        if (elsewhere == MC_OK) mc_detach();
    }).join();
    seen->had_baton = elsewhere == MC_ETIMEDOUT;
}

TEST(Destroy, RunsOnceWithTheBatonWhateverReferencesRemain) {
    Runtime runtime;
    Destroyed detached{runtime}, referenced{runtime};
    mc_task_options options = MC_TASK_OPTIONS_INIT;
    options.destroy = on_destroy;
    options.data = &detached;
    ASSERT_EQ(MC_OK, mc_task_spawn(
                         runtime, [](void*) {}, nullptr, &options, nullptr));
    options.data = &referenced;
    mc_task* handle = nullptr;
    ASSERT_EQ(MC_OK, mc_task_spawn(
                         runtime, [](void*) {}, nullptr, &options, &handle));
    EXPECT_EQ(&referenced, mc_task_data(handle));
    EXPECT_EQ(0, detached.times);
    runtime.run();
    EXPECT_EQ(1, detached.times);
    EXPECT_TRUE(detached.had_baton);
    EXPECT_EQ(1, referenced.times);
    EXPECT_TRUE(referenced.had_baton);
    mc_task_unref(handle);
    EXPECT_EQ(1, referenced.times);
}

TEST(Data, IsTheTasksOwn) {
    Runtime runtime;
    int one = 0, two = 0;
    mc_task* other = runtime.spawn([] {});
    runtime.run([&] {
        mc_task* self = mc_task_current();
        EXPECT_EQ(nullptr, mc_task_data(self));
        mc_task_set_data(self, &one);
        mc_task_set_data(other, &two);
        EXPECT_EQ(&one, mc_task_data(self));
        EXPECT_EQ(&two, mc_task_data(other));
    });
}

TEST(Ref, KeepsTheHandleAlive) {
    Runtime runtime;
    mc_task* handle = nullptr;
    ASSERT_EQ(MC_OK, mc_task_spawn(
                         runtime, [](void*) {}, nullptr, nullptr, &handle));
    EXPECT_EQ(handle, mc_task_ref(handle));
    mc_task_unref(handle);
    runtime.run();
    EXPECT_EQ(MC_OK, mc_task_result(handle));
    mc_task_unref(handle);
}

}  // namespace
