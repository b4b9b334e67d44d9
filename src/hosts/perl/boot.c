/* Loading the module, and the end of perl.
 * SPDX-License-Identifier: BSL-1.0
 */
#include "host.h"

static thrhook_proc_t original_threadhook;

/* After the END blocks. True: no object is destroyed, since a section may be using what is its. */
static int before_destruct(pTHX) {
    mcp.dead = true;
    if (mcp.sections > 0) return 1;
    return original_threadhook(aTHX);
}

XS_EXTERNAL(boot_Coro__Multicore);
__attribute__((visibility("default"))) XS_EXTERNAL(boot_Coro__Multicore) {
    dXSARGS;
    PERL_UNUSED_VAR(items);
    if (mcp.perl && mcp.perl != aTHX) croak("Coro::Multicore: another interpreter of this process has it");
    I_CORO_API("Coro::Multicore");
    mcp.perl = aTHX;
    mcp.coro = GCoroAPI;
    mcp.options = (mc_runtime_options)MC_RUNTIME_OPTIONS_INIT;
    mcp.options.max_threads = 4096; /* programs with a thousand coroutines in sections are common */
    mcp_boot_cancel(aTHX);
    mcp_boot_due(aTHX);
    mcp_boot_idle(aTHX);
    mcp_boot_scope(aTHX);
    mcp_boot_settings(aTHX);
    mcp_hook_signals(aTHX);
    mcp_watch_forks();
    original_threadhook = PL_threadhook;
    PL_threadhook = before_destruct;
    mcp_publish(aTHX);
    XSRETURN_YES;
}
