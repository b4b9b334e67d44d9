// SPDX-License-Identifier: BSL-1.0
#include "reactor/fd_table.h"

#include <gtest/gtest.h>

#include <vector>

#include "platform/platform.h"

namespace mc {
namespace {

TEST(FdSlot, KeepsTheOrderAndTheUnion) {
    FdSlot slot;
    ReactorWait reader, writer;
    reader.events = MC_READABLE;
    writer.events = MC_WRITABLE;
    EXPECT_EQ(slot.wanted(), 0u);
    slot.append(reader);
    EXPECT_FALSE(slot.full());
    slot.append(writer);
    EXPECT_TRUE(slot.full());
    EXPECT_EQ(slot.first, &reader);
    EXPECT_EQ(slot.wanted(), std::uint32_t{MC_READABLE | MC_WRITABLE});
    EXPECT_TRUE(slot.remove(reader));
    EXPECT_FALSE(slot.remove(reader));
    EXPECT_EQ(slot.first, &writer);
    EXPECT_EQ(slot.wanted(), std::uint32_t{MC_WRITABLE});
    EXPECT_TRUE(slot.remove(writer));
    EXPECT_EQ(slot.first, nullptr);
}

TEST(FdTable, SlotsStayWhereTheyAre) {
    FdTable table;
    EXPECT_EQ(table.find(0), nullptr);
    FdSlot* low = table.make(3);
    ASSERT_NE(low, nullptr);
    EXPECT_EQ(table.find(1 << 20), nullptr);
    FdSlot* high = table.make(1 << 20);
    ASSERT_NE(high, nullptr);
    EXPECT_NE(low, high);
    EXPECT_EQ(table.find(3), low);
    EXPECT_EQ(table.make(3), low);
    EXPECT_EQ(table.find(1 << 20), high);
    EXPECT_EQ(table.find(5000), nullptr);
}

TEST(FdTable, VisitsEverySlotWithItsNumber) {
    FdTable table;
    for (const int fd : {0, 255, 256, 70'000}) {
        ASSERT_NE(table.make(fd), nullptr);
        table.find(fd)->in_set = true;
    }
    std::vector<int> seen;
    table.each([&](int fd, FdSlot& slot) {
        EXPECT_EQ(table.find(fd), &slot);
        if (slot.in_set) seen.push_back(fd);
    });
    EXPECT_EQ(seen, (std::vector<int>{0, 255, 256, 70'000}));
}

TEST(FdTable, SaysSoWhenItCannotGrow) {
    FdTable table;
    fault_fail_next(Fault::memory, 0, 1);
    EXPECT_EQ(table.make(1), nullptr);
    EXPECT_EQ(table.find(1), nullptr);
    EXPECT_NE(table.make(1), nullptr);
}

}  // namespace
}  // namespace mc
