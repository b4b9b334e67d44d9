// Uses every form of multicore.hpp: compiled by every supported compiler and dialect. With
// USE_ALL_MAIN only the sections, which must link without the library.
// SPDX-License-Identifier: BSL-1.0
#include <multicore/multicore.hpp>

namespace {

int sections(int& n) {
    const mc::section plain;
    mc_section_options options = MC_SECTION_OPTIONS_INIT;
    mc::section with(options);
    {
        const mc::entered inside;
        n += inside.status();
    }
    n += with.status() + with.close();
    mc::release([] {});
    int& same = mc::release([&]() -> int& { return n; });
    return mc::release_with(options, [&] { ++same; });
}

}  // namespace

#ifdef USE_ALL_MAIN
int main() {
    int n = 0;
    return sections(n) + n - 1;
}
#else
int use_all_hpp(mc_runtime* runtime);

int use_all_hpp(mc_runtime* runtime) {
    int n = 0;
    const mc::attached here(runtime);
    const mc_task_options options = MC_TASK_OPTIONS_INIT;
    const mc::attached again(runtime, options, 0);
    const mc::scope atomic(MC_SCOPE_ATOMIC);
    mc::task task;
    mc::task copy(task);
    copy = task;
    return sections(n) +
           mc::spawn(
               runtime, [n] { (void)n; }, "name", &task) +
           here.status() + atomic.status() + (task ? 1 : 0);
}
#endif
