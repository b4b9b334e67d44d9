/* Uses every macro of extension.h once: compiled by every supported compiler and dialect, never run.
 * SPDX-License-Identifier: BSL-1.0 */
#include <multicore/extension.h>

int use_all(void (*unblock)(void *), void *arg);

static void statements(int which) {
    if (which)
        mc_release();
    else
        mc_acquire();
    mc_support(MC_SUPPORT_MIGRATABLE);
}

int use_all(void (*unblock)(void *), void *arg) {
    mc_section_options options = MC_SECTION_OPTIONS_INIT;
    mc_status sum = MC_OK;
    options.unblock = unblock;
    options.unblock_arg = arg;
    options.deadline = (uint64_t)MC_NONE;

    mc_release();
    sum += mc_enter();
    sum += mc_leave();
    if (mc_cancelled() == MC_ECANCELED) sum = mc_release_with(NULL);
    mc_acquire();

    sum += mc_release_with(&options);
    sum += mc_acquire_status();

    mc_release_with(&options); /* the answers may be left alone */
    mc_enter();
    mc_leave();
    mc_cancelled();
    mc_acquire_status();
    statements(sum);
    return sum == MC_EINTR ? 1 : 0;
}

#ifdef USE_ALL_MAIN
int main(void) {
    statements(1);
    statements(0);
    return use_all(NULL, NULL);
}
#endif
