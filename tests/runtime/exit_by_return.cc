// Returns from main with sections, a sleeper and a job that do not end. Its status is to be 47.
// SPDX-License-Identifier: BSL-1.0
#include <atomic>
#include <thread>

#include <unistd.h>

#include <multicore/multicore.h>

int main() {
    static std::atomic<int> inside{0};
    const auto block = [](void*) {
        inside.fetch_add(1);
        for (;;) pause();
    };
    alarm(25);
    mc_runtime* runtime = nullptr;
    if (mc_runtime_create(nullptr, &runtime) != MC_OK) return 1;
    for (int i = 0; i < 3; ++i)
        if (mc_task_spawn(
                runtime,
                [](void*) {
                    mc_release();
                    inside.fetch_add(1);
                    for (;;) pause();
                },
                nullptr, nullptr, nullptr) != MC_OK)
            return 2;
    if (mc_task_spawn(
            runtime, [](void*) { (void)mc_task_sleep(MC_FOREVER); }, nullptr, nullptr, nullptr) != MC_OK ||
        mc_job_submit(runtime, block, nullptr, nullptr, nullptr, nullptr) != MC_OK)
        return 3;
    std::thread([runtime] { (void)mc_runtime_run(runtime); }).detach();
    while (inside.load() < 4) std::this_thread::yield();
    return 47;
}
