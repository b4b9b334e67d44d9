// SPDX-License-Identifier: BSL-1.0
#include <cstring>

#include "core/runtime.h"

extern "C" mc_status mc_runtime_stats(mc_runtime* rt, mc_stats* stats) {
    if (!rt || !stats || stats->size < sizeof(std::uint32_t)) return MC_EINVAL;
    if (mc::lost(*rt)) return MC_EFORK;
    // Relaxed throughout: a snapshot of counters, not of one moment.
    constexpr auto relaxed = std::memory_order_relaxed;
    mc_stats now = MC_STATS_INIT;
    now.tasks_alive = rt->unbound.load(relaxed) - rt->jobs.load(relaxed) + rt->attached.load(relaxed);
    now.tasks_spawned = rt->spawned.load(relaxed);
    now.sections = rt->sections.load(relaxed);
    now.sections_inline = rt->sections_inline.load(relaxed);
    now.handoffs = rt->handoffs.load(relaxed);
    now.wakes = rt->wakes.load(relaxed);
    now.threads = rt->threads.load(relaxed);
    now.threads_peak = rt->threads_peak.load(relaxed);
    now.longest_wait = rt->longest_wait.load(relaxed);
    now.size = stats->size;
    std::memcpy(stats, &now, stats->size < sizeof now ? stats->size : sizeof now);
    return MC_OK;
}
