// SPDX-License-Identifier: BSL-1.0
#include <set>
#include <string>

#include "testing.h"

namespace {

TEST(Status, EachHasItsNameAndAMessage) {
    std::set<std::string> messages;
#define CHECK_STATUS(name, value, text)          \
    EXPECT_EQ(value, name);                      \
    EXPECT_STREQ(#name, mc_status_name(name));   \
    EXPECT_STREQ(text, mc_status_message(name)); \
    EXPECT_TRUE(messages.insert(mc_status_message(name)).second);
    MC_STATUS_TABLE(CHECK_STATUS)
#undef CHECK_STATUS
    EXPECT_EQ(13u, messages.size());
}

TEST(Status, AnyOtherNumberIsUnknown) {
    for (const mc_status other : {1, -13, 1000, INT32_MIN}) {
        EXPECT_STREQ("MC_UNKNOWN", mc_status_name(other));
        EXPECT_NE(nullptr, mc_status_message(other));
    }
}

TEST(Version, IsThatOfTheHeader) {
    EXPECT_EQ(static_cast<uint32_t>(MC_VERSION_MAJOR << 16 | MC_VERSION_MINOR << 8 | MC_VERSION_PATCH),
              mc_version());
}

TEST(Now, NeverGoesBack) {
    uint64_t last = mc_now();
    EXPECT_GT(last, 0u);
    for (int i = 0; i < 1000; ++i) {
        const uint64_t now = mc_now();
        ASSERT_GE(now, last);
        last = now;
    }
}

}  // namespace
