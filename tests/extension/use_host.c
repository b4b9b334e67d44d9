/* Uses every initialiser of multicore.h: compiled by every supported compiler and dialect, never run.
 * SPDX-License-Identifier: BSL-1.0 */
#include <multicore/multicore.h>

int use_host(void);

int use_host(void) {
    mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
    mc_task_options task = MC_TASK_OPTIONS_INIT;
    mc_job_options job = MC_JOB_OPTIONS_INIT;
    mc_stats stats = MC_STATS_INIT;
    mc_host host = MC_HOST_INIT;
    options.host = &host;
    options.max_threads = (uint32_t)MC_NONE;
    return (int)(options.size + task.size + job.size + stats.size) + (MC_FOREVER > 0 ? MC_OK : MC_EINVAL);
}
