/* A runtime that is ready for three dispatches and then fails: for programs without the library.
 * SPDX-License-Identifier: BSL-1.0 */
#include <multicore/multicore.h>
#include <sys/eventfd.h>

static int fake_fd = -1;
static int dispatches = 0;

int mc_runtime_event_fd(mc_runtime *runtime) {
    (void)runtime;
    if (fake_fd < 0) fake_fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK); /* stays readable */
    return fake_fd;
}

int mc_runtime_dispatch(mc_runtime *runtime, uint32_t max_events) {
    (void)runtime;
    if (max_events == 0) return MC_EINVAL;
    return dispatches++ < 3 ? 1 : MC_ESHUTDOWN;
}

const char *mc_status_name(mc_status status) { return status == MC_ESHUTDOWN ? "MC_ESHUTDOWN" : "other"; }
const char *mc_status_message(mc_status status) { return status == MC_ESHUTDOWN ? "shut down" : "other"; }
