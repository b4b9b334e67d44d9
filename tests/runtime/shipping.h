// A host that must stay on its home thread: the tasks' sections move instead.
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "testing.h"

namespace mctest {

inline mc_host shipping() {
    mc_host host = MC_HOST_INIT;
    host.way = MC_WAY_SHIP;
    return host;
}

inline void release_migratable() {
    mc_section_options options = MC_SECTION_OPTIONS_INIT;
    options.flags = MC_SECTION_MIGRATABLE;
    EXPECT_EQ(MC_OK, mc_release_with(&options));
}

}  // namespace mctest
