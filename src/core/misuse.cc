// Reports of misuse, and the end of the process where going on would be unsound.
// SPDX-License-Identifier: BSL-1.0
#include <cstdarg>
#include <cstdio>
#include <cstdlib>

#include <unistd.h>

#include "core/runtime.h"

namespace mc {

void report(mc_runtime* rt, mc_status status, const mc_site* site, const char* task, const char* format,
            ...) noexcept {
    char text[512];
    va_list args;
    va_start(args, format);
    std::vsnprintf(text, sizeof text, format, args);
    va_end(args);

    mc_misuse misuse{sizeof misuse, status, text, nullptr, nullptr, 0, task};
    if (site) {
        misuse.file = site->file;
        misuse.func = site->func;
        misuse.line = site->line;
    }
    if (rt && rt->misuse) {
        call_hook("misuse", rt->misuse, rt->hooks_arg, static_cast<const mc_misuse*>(&misuse));
        return;
    }
    char line[1024];
    int length = std::snprintf(line, sizeof line, "multicore: %s%s%s%s", text, task ? " (task '" : "",
                               task ? task : "", task ? "')" : "");
    if (misuse.file && length > 0 && static_cast<std::size_t>(length) < sizeof line)
        length +=
            std::snprintf(line + length, sizeof line - static_cast<std::size_t>(length), " at %s:%u in %s",
                          misuse.file, static_cast<unsigned>(misuse.line), misuse.func ? misuse.func : "?");
    std::fprintf(stderr, "%s\n", line);
}

void die(const char* what, const char* name) noexcept {
    std::fprintf(stderr, "multicore: %s '%s'\n", what, name);
    std::abort();
}

}  // namespace mc
