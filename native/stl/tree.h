// The formula at the first sample, from the history an environment keeps: linear in samples times nodes.
#pragma once
#include <span>

#include "stl/program.h"

namespace vernier::stl {

// What follows the last sample: nothing (windows are cut off), or samples of the least or greatest literals.
enum class Unknown { kNone, kLeast, kGreatest };

double atFirst(const Program& program, std::span<const double> state, Unknown unknown, std::span<double> scratch);

}  // namespace vernier::stl
