// What a module says of itself lasts for the process.
// SPDX-License-Identifier: BSL-1.0
#include "testing.h"

namespace {

using mctest::child;
using mctest::Runtime;
using mctest::thread_id;

TEST(ShipDeathTest, AModuleMayDeclareAllItsSectionsMigratable) {
    EXPECT_EXIT(child([] {
                    mc_host host = MC_HOST_INIT;
                    host.way = MC_WAY_SHIP;
                    Runtime runtime(host);
                    mc_support(MC_SUPPORT_MIGRATABLE);
                    const int home = thread_id();
                    runtime.spawn([&] {
                        mc_release();
                        EXPECT_NE(home, thread_id());
                        mc_acquire();
                        EXPECT_EQ(home, thread_id());
                    });
                    runtime.spawn([] {});
                    runtime.run();
                }),
                ::testing::ExitedWithCode(0), "");
}

}  // namespace
