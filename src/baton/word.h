// The baton's word: { epoch:32 | seat:30 | state:2 }.
//
//   FREE    nobody holds it and nobody has lent it
//   HELD    the seat's thread touches the interpreter
//   LENT    the seat's thread is in a section; whoever needs the baton takes it
//   PAUSED  no thread drives the runtime; only one that is about to may take it
//
// The epoch counts lends, so that two lends by one thread can be told apart.
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>

namespace mc::word {

using Word = std::uint64_t;

enum State : std::uint32_t { FREE = 0, HELD = 1, LENT = 2, PAUSED = 3 };

inline constexpr std::uint32_t kSeatMask = (1u << 30) - 1;
inline constexpr std::uint32_t kNobody = kSeatMask;  // of a seat without a thread, see baton_fork.h
inline constexpr Word kEpoch = Word{1} << 32;
inline constexpr Word kLend = kEpoch + (LENT - HELD);  // HELD(me, e) + kLend == LENT(me, e + 1)
inline constexpr Word kReclaim = LENT - HELD;          // LENT(me, e) - kReclaim == HELD(me, e)

constexpr State state(Word w) noexcept { return static_cast<State>(w & 3); }
constexpr std::uint32_t seat(Word w) noexcept { return static_cast<std::uint32_t>(w) >> 2; }
constexpr Word with(Word w, State s, std::uint32_t id) noexcept {
    return (w & ~Word{0xFFFFFFFF}) | (id << 2) | s;
}

}  // namespace mc::word
