// What streams keep of their past, in words of an environment's state that are all zero at first. Each takes one value
// in and gives one out, in amortised constant time: a window is cut into blocks of its width; of the block before, the
// aggregates from each position to the block's end are kept, of the present one the aggregate so far.
#pragma once
#include <algorithm>
#include <cstddef>
#include <limits>

namespace vernier::stl {

inline constexpr double kInfinity = std::numeric_limits<double>::infinity();

template <bool kMax>
inline double extremum(double a, double b) {
  return kMax ? (a > b ? a : b) : (a < b ? a : b);
}

inline double delayed(double* state, double x, std::size_t steps) {
  const auto at = static_cast<std::size_t>(state[0]);
  double* ring = state + 1;
  const double out = ring[at];
  ring[at] = x;
  state[0] = at + 1 == steps ? 0 : static_cast<double>(at + 1);
  return out;
}

// State: runs, position, aggregate of the block, values [width].
template <bool kMax>
inline double window(double* state, double x, std::size_t width, double lead) {
  const double run = state[0]++;
  if (run < lead) return kMax ? -kInfinity : kInfinity;
  const double first = run - lead;
  const auto at = static_cast<std::size_t>(state[1]);
  state[2] = (width == 0 ? first == 0 : at == 0) ? x : extremum<kMax>(state[2], x);
  if (width == 0) return state[2];
  double* values = state + 3;
  values[at] = x;
  if (at + 1 < width) {
    state[1] = static_cast<double>(at + 1);
    return first >= static_cast<double>(width) ? extremum<kMax>(values[at + 1], state[2]) : state[2];
  }
  state[1] = 0;
  for (std::size_t i = width - 1; i-- > 0;) values[i] = extremum<kMax>(values[i], values[i + 1]);
  return state[2];
}

// A stretch of samples: the min of the left side over it, and the best min(right(i), left before or behind i) in it.
struct Stretch {
  double left, best;
};
inline Stretch loaded(const double* words) { return {words[0], words[1]}; }
inline void store(const Stretch& stretch, double* words) {
  words[0] = stretch.left;
  words[1] = stretch.best;
}

// One after the other. Until looks at the left side before i, since at it behind i; the duals exchange min and max.
template <bool kSince, bool kDual>
inline Stretch joined(const Stretch& older, const Stretch& newer) {
  const double left = extremum<kDual>(older.left, newer.left);
  if (kSince) return {left, extremum<!kDual>(newer.best, extremum<kDual>(older.best, newer.left))};
  return {left, extremum<!kDual>(older.best, extremum<kDual>(older.left, newer.best))};
}

// State: runs, position, stretch of the block, stretches [width].
template <bool kSince, bool kDual>
inline double stretchWindow(double* state, double left, double right, std::size_t width, double lead) {
  const double run = state[0]++;
  if (run < lead) return kDual ? kInfinity : -kInfinity;
  const double first = run - lead;
  const auto at = static_cast<std::size_t>(state[1]);
  const Stretch x{left, right};
  const bool begins = width == 0 ? first == 0 : at == 0;
  const Stretch block = begins ? x : joined<kSince, kDual>(loaded(state + 2), x);
  store(block, state + 2);
  if (width == 0) return block.best;
  double* values = state + 4;
  store(x, values + 2 * at);
  if (at + 1 < width) {
    state[1] = static_cast<double>(at + 1);
    const bool full = first >= static_cast<double>(width);
    return full ? joined<kSince, kDual>(loaded(values + 2 * (at + 1)), block).best : block.best;
  }
  state[1] = 0;
  Stretch behind = x;
  for (std::size_t i = width - 1; i-- > 0;) {
    behind = joined<kSince, kDual>(loaded(values + 2 * i), behind);
    store(behind, values + 2 * i);
  }
  return block.best;
}

}  // namespace vernier::stl
