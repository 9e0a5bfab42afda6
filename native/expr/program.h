// The decoded form of a task's expressions. The encoding is described in src/expr/program.ts, which has the same
// opcodes; decode() trusts nothing in it.
#pragma once
#include <mujoco/mujoco.h>

#include <cstdint>
#include <span>
#include <vector>

namespace vernier::expr {

enum class Op : std::uint8_t {
  kMove = 1,
  kNegate,
  kAbs,
  kSqrt,
  kSin,
  kCos,
  kExp,
  kLog,
  kTanh,
  kNot,
  kAdd = 16,
  kSubtract,
  kMultiply,
  kDivide,
  kMin,
  kMax,
  kAtan2,
  kPower,
  kLess,
  kLessEqual,
  kEqual,
  kNotEqual,
  kAnd,
  kOr,
  kClamp = 32,
  kSelect,
  kDot = 40,
  kNorm,
  kCross,
  kRotate,
  kQuaternionMultiply,
  kQuaternionConjugate,
  kQuaternionYaw,
  kQuaternionAngle,
  kVectorAngle,
  kFramePosition = 64,
  kFrameQuaternion,
  kFrameVelocity,
  kFrameAngularVelocity,
  kQpos,
  kQvel,
  kActuatorForce,
  kControl,
  kSensor,
  kCommand,
  kAction,
  kTime,
  kStep,
  kContact,
  kContactForce,
};

// What a program reads of mjData: the caller runs no more of the pipeline than that before evaluate().
enum Needs : unsigned {
  kNeedsPosition = 1,
  kNeedsVelocity = 2,
  kNeedsContact = 4,
  kNeedsContactForce = 8,
  kNeedsActuator = 16,
  kNeedsSensor = 32,
};

// Element i of operand a is register a + i * stride_a. Model reads keep ids and addresses in a, b, c, d.
struct Instruction {
  Op op;
  std::int32_t n;
  std::int32_t destination;
  std::int32_t a, stride_a;
  std::int32_t b, stride_b;
  std::int32_t c, stride_c;
  std::int32_t d;
};

class Program {
 public:
  // Refuses (Error EXPRESSION) anything that could read or write out of bounds on `model`.
  static Program decode(std::span<const double> code, const mjModel& model);

  std::size_t outputs() const { return outputs_.size(); }
  std::size_t registers() const { return registers_; }
  unsigned needs() const { return needs_; }
  // Lengths that Frame::action and Frame::command must have at least.
  std::size_t actionLength() const { return action_length_; }
  std::size_t commandLength() const { return command_length_; }

  std::span<const double> constants() const { return constants_; }
  std::span<const Instruction> instructions() const { return instructions_; }
  std::span<const std::int32_t> outputRegisters() const { return outputs_; }

 private:
  std::vector<double> constants_;
  std::vector<Instruction> instructions_;
  std::vector<std::int32_t> outputs_;
  std::size_t registers_ = 0;
  std::size_t action_length_ = 0;
  std::size_t command_length_ = 0;
  unsigned needs_ = 0;
};

}  // namespace vernier::expr
