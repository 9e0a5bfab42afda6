// Evaluates a decoded program on one environment.
#pragma once
#include <mujoco/mujoco.h>

#include <span>

#include "expr/program.h"

namespace vernier::expr {

// What an evaluation reads. The positions, velocities, contacts and forces that Program::needs() names must be up to
// date in `data`: after mj_step they lag by one step, so run mj_forward or the parts needed first.
struct Frame {
  const mjModel* model;
  const mjData* data;
  double time;                      // seconds since the episode began
  double step;                      // control steps since the episode began
  std::span<const float> action;    // the action in effect, [-1, 1]
  std::span<const double> command;  // joint command in effect, one per arm joint, then the gripper's control value
};

// The body of the frame that an instruction reads, -1 where it reads none.
int frameBody(const Instruction& in, const mjModel& model);

// Allocates nothing. `registers` is scratch of at least program.registers(), `out` has program.outputs() entries.
// Error SHAPE when a span is too short.
void evaluate(const Program& program, const Frame& frame, std::span<double> registers, std::span<double> out);

}  // namespace vernier::expr
