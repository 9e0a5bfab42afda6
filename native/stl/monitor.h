// Steps a decoded monitor on one environment.
#pragma once
#include <cstdint>
#include <span>

#include "stl/program.h"

namespace vernier::stl {

enum class Verdict : std::int8_t { kOpen = -1, kViolated = 0, kSatisfied = 1 };

struct Reading {
  double value;         // of the formula at the sample `delay` before the last; NaN until there is one
  double lower, upper;  // of the formula at the first sample, whatever comes
  Verdict verdict;      // at the first sample
  Verdict holds;        // at the sample of `value`
};

// Takes in the robustness of every predicate at the next sample, none of them NaN. `state` is that of one environment,
// all zero before its first sample; `scratch` has program.scratchWords() words. Allocates nothing.
Reading step(const Program& program, std::span<const double> predicates, std::span<double> state,
             std::span<double> scratch);

struct Ending {
  double robustness;  // at the first sample; NaN where the program's `end` leaves it open
  Verdict verdict;
};

// What is true when no sample follows, as the program's `end` has it. `last` is what the last step returned.
Ending finish(const Program& program, const Reading& last, std::span<const double> state, std::span<double> scratch);

}  // namespace vernier::stl
