// SPDX-License-Identifier: BSL-1.0
#include "baton/word.h"

#include <gtest/gtest.h>

namespace {

using namespace mc::word;

TEST(Word, KeepsItsParts) {
    const Word w = with(7 * kEpoch, LENT, kSeatMask);
    EXPECT_EQ(LENT, state(w));
    EXPECT_EQ(kSeatMask, seat(w));
    EXPECT_EQ(7u, w >> 32);
    EXPECT_EQ(with(7 * kEpoch, FREE, 0), with(w, FREE, 0));
}

TEST(Word, ALendIsANewEpochAndAReclaimTheSame) {
    const Word held = with(3 * kEpoch, HELD, 5);
    const Word lent = held + kLend;
    EXPECT_EQ(with(4 * kEpoch, LENT, 5), lent);
    EXPECT_EQ(with(4 * kEpoch, HELD, 5), lent - kReclaim);
}

TEST(Word, TheEpochWrapsAlone) {
    const Word held = with(Word{0xFFFFFFFF} << 32, HELD, 9);
    EXPECT_EQ(with(0, LENT, 9), held + kLend);
}

}  // namespace
