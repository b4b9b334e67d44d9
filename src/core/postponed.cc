// What this version does not have. Each call says so.
// SPDX-License-Identifier: BSL-1.0
#include "core/runtime.h"

extern "C" {

int mc_runtime_event_fd(mc_runtime* rt) { return rt ? MC_ENOTSUP : MC_EINVAL; }
int mc_runtime_dispatch(mc_runtime* rt, uint32_t) { return rt ? MC_ENOTSUP : MC_EINVAL; }

mc_status mc_task_adopt(mc_runtime* rt, const mc_task_options*, mc_task**) {
    return rt ? MC_ENOTSUP : MC_EINVAL;
}

mc_status mc_job_submit(mc_runtime* rt, void (*work)(void*), void (*)(void*, mc_status), void*,
                        const mc_job_options*, mc_job**) {
    return rt && work ? MC_ENOTSUP : MC_EINVAL;
}
mc_status mc_job_wait(mc_job* job, uint64_t) { return job ? MC_ENOTSUP : MC_EINVAL; }
mc_status mc_job_cancel(mc_job* job) { return job ? MC_ENOTSUP : MC_EINVAL; }
mc_job* mc_job_ref(mc_job* job) { return job; }
void mc_job_unref(mc_job*) {}

}  // extern "C"
