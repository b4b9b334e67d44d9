// Status texts, version, clock.
// SPDX-License-Identifier: BSL-1.0
#include "multicore/multicore.h"
#include "platform/platform.h"

extern "C" {

const char* mc_status_name(mc_status status) {
    switch (status) {
#define MC_NAME(name, value, text) \
    case name: return #name;
        MC_STATUS_TABLE(MC_NAME)
#undef MC_NAME
        default: return "MC_UNKNOWN";
    }
}

const char* mc_status_message(mc_status status) {
    switch (status) {
#define MC_TEXT(name, value, text) \
    case name: return text;
        MC_STATUS_TABLE(MC_TEXT)
#undef MC_TEXT
        default: return "not a status of this library";
    }
}

uint32_t mc_version(void) { return MC_VERSION_MAJOR << 16 | MC_VERSION_MINOR << 8 | MC_VERSION_PATCH; }

uint64_t mc_now(void) { return mc::now_ns(); }

}  // extern "C"
