// A host that must stay on its home thread: the tasks' sections move instead.
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <functional>

#include <poll.h>

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

// An event loop on this thread, which drives the runtime by the descriptor and dispatch alone.
class Loop {
public:
    explicit Loop(mc_runtime* runtime) : runtime_(runtime), fd_(mc_runtime_event_fd(runtime)) {}

    bool has_something_to_do(int timeout_ms = 0) const {
        pollfd query{fd_, POLLIN, 0};
        return poll(&query, 1, timeout_ms) == 1;
    }
    // Waits until there is something to do.
    void turn() {
        ASSERT_TRUE(has_something_to_do(static_cast<int>(hang_seconds() * 1000)));
        ASSERT_GE(mc_runtime_dispatch(runtime_, 0), 0);
    }
    void turn_until(const std::function<bool()>& over) {
        while (!over() && !::testing::Test::HasFatalFailure()) turn();
    }
    // What was rung for is done, or was for nothing.
    void turn_until_idle() {
        while (has_something_to_do() && !::testing::Test::HasFatalFailure()) turn();
    }

private:
    mc_runtime* runtime_;
    int fd_;
};

}  // namespace mctest
