// What this version does not have. Each call says so.
// SPDX-License-Identifier: BSL-1.0
#include "core/runtime.h"

extern "C" {

mc_status mc_task_adopt(mc_runtime* rt, const mc_task_options*, mc_task**) {
    return rt ? MC_ENOTSUP : MC_EINVAL;
}

}  // extern "C"
