// A host in C++. SPDX-License-Identifier: BSL-1.0
#include <cstdio>
#include <multicore/multicore.hpp>

int main() {
    mc_runtime* runtime = nullptr;
    if (mc_runtime_create(nullptr, &runtime) != MC_OK) return 1;
    int value = 0;
    mc::task task;
    const mc_status spawned = mc::spawn(
        runtime, [&value] { value = mc::release([] { return 42; }); }, "answer", &task);
    if (spawned != MC_OK || mc_runtime_run(runtime) != MC_OK) return 2;
    if (mc_task_result(task.get()) != MC_OK || value != 42) return 3;
    task = mc::task();

    mc_stats stats = MC_STATS_INIT;
    if (mc_runtime_stats(runtime, &stats) != MC_OK || stats.sections != 1) return 4;
    if (mc_runtime_destroy(runtime) != MC_OK) return 5;
    std::printf("multicore %s: %d\n", mc_status_message(MC_OK), value);
    return 0;
}
