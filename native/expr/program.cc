#include "expr/program.h"

#include <cmath>
#include <limits>
#include <string>

#include "core/error.h"

namespace vernier::expr {
namespace {

constexpr double kMagic = 0x5645524e;
constexpr double kVersion = 1;
constexpr std::size_t kHeaderWords = 16;
constexpr std::size_t kInstructionWords = 10;
constexpr std::int32_t kMaxRegisters = 1 << 20;

enum FrameKind { kBody = 0, kSite = 1, kGeom = 2 };

[[noreturn]] void refuse(const std::string& why) { throw Error("EXPRESSION", "malformed expression program: " + why); }

std::int32_t integer(double word, const char* what) {
  if (!(word >= std::numeric_limits<std::int32_t>::min() && word <= std::numeric_limits<std::int32_t>::max()) ||
      word != std::floor(word)) {
    refuse(std::string(what) + " is not an integer");
  }
  return static_cast<std::int32_t>(word);
}

std::int32_t count(double word, std::int32_t limit, const char* what) {
  const std::int32_t value = integer(word, what);
  if (value < 0 || value > limit) refuse(std::string(what) + " is out of range");
  return value;
}

// Checks one instruction after the other: every register read has been written, every register is written once.
class Checker {
 public:
  Checker(const mjModel& model, std::int32_t registers, std::int32_t constants, std::size_t action, std::size_t command)
      : model_(model), action_(action), command_(command), written_(static_cast<std::size_t>(registers), false) {
    for (std::int32_t i = 0; i < constants; ++i) written_[static_cast<std::size_t>(i)] = true;
  }

  // Returns what the instruction needs of mjData.
  unsigned check(const Instruction& in) {
    if (in.n < 1 || in.n > kMaxRegisters) refuse("a length is out of range");
    const unsigned needs = in.op >= Op::kFramePosition ? checkRead(in) : checkArithmetic(in);
    write(in.destination, resultLength(in));
    return needs;
  }

  void read(std::int32_t first, std::int32_t stride, std::int32_t n) const {
    if (stride != 0 && stride != 1) refuse("a stride is neither 0 nor 1");
    const std::int64_t last = static_cast<std::int64_t>(first) + static_cast<std::int64_t>(stride) * (n - 1);
    if (first < 0 || last >= static_cast<std::int64_t>(written_.size()))
      refuse("an operand lies outside the registers");
    for (std::int64_t i = first; i <= last; ++i) {
      if (!written_[static_cast<std::size_t>(i)]) refuse("a register is read before it is written");
    }
  }

 private:
  static std::int32_t resultLength(const Instruction& in) {
    switch (in.op) {
      case Op::kDot:
      case Op::kNorm:
      case Op::kQuaternionYaw:
      case Op::kQuaternionAngle:
      case Op::kVectorAngle:
        return 1;
      default:
        return in.n;
    }
  }

  void write(std::int32_t first, std::int32_t n) {
    if (first < 0 || static_cast<std::int64_t>(first) + n > static_cast<std::int64_t>(written_.size())) {
      refuse("a destination lies outside the registers");
    }
    for (std::int32_t i = first; i < first + n; ++i) {
      if (written_[static_cast<std::size_t>(i)]) refuse("a register is written twice");
      written_[static_cast<std::size_t>(i)] = true;
    }
  }

  void length(const Instruction& in, std::int32_t n) const {
    if (in.n != n) refuse("an operation has the wrong length");
  }

  void index(std::int32_t first, std::int32_t n, std::int64_t size, const char* what) const {
    if (first < 0 || static_cast<std::int64_t>(first) + n > size) {
      refuse(std::string(what) + " is outside the model");
    }
  }

  void frame(std::int32_t kind, std::int32_t id) const {
    switch (kind) {
      case kBody:
        return index(id, 1, model_.nbody, "a body");
      case kSite:
        return index(id, 1, model_.nsite, "a site");
      case kGeom:
        return index(id, 1, model_.ngeom, "a geom");
      default:
        refuse("an unknown kind of frame");
    }
  }

  void contactSide(std::int32_t kind, std::int32_t id) const {
    if (kind != kBody && kind != kGeom) refuse("a contact is between bodies and geoms");
    frame(kind, id);
  }

  unsigned checkArithmetic(const Instruction& in) const {
    switch (in.op) {
      case Op::kMove:
      case Op::kNegate:
      case Op::kAbs:
      case Op::kSqrt:
      case Op::kSin:
      case Op::kCos:
      case Op::kExp:
      case Op::kLog:
      case Op::kTanh:
      case Op::kNot:
      case Op::kNorm:
        read(in.a, in.stride_a, in.n);
        return 0;
      case Op::kAdd:
      case Op::kSubtract:
      case Op::kMultiply:
      case Op::kDivide:
      case Op::kMin:
      case Op::kMax:
      case Op::kAtan2:
      case Op::kPower:
      case Op::kLess:
      case Op::kLessEqual:
      case Op::kEqual:
      case Op::kNotEqual:
      case Op::kAnd:
      case Op::kOr:
      case Op::kDot:
        read(in.a, in.stride_a, in.n);
        read(in.b, in.stride_b, in.n);
        return 0;
      case Op::kClamp:
      case Op::kSelect:
        read(in.a, in.stride_a, in.n);
        read(in.b, in.stride_b, in.n);
        read(in.c, in.stride_c, in.n);
        return 0;
      case Op::kCross:
        length(in, 3);
        read(in.a, 1, 3);
        read(in.b, 1, 3);
        return 0;
      case Op::kRotate:
        length(in, 3);
        read(in.a, 1, 4);
        read(in.b, 1, 3);
        return 0;
      case Op::kQuaternionMultiply:
        length(in, 4);
        read(in.a, 1, 4);
        read(in.b, 1, 4);
        return 0;
      case Op::kQuaternionConjugate:
        length(in, 4);
        read(in.a, 1, 4);
        return 0;
      case Op::kQuaternionYaw:
        length(in, 1);
        read(in.a, 1, 4);
        return 0;
      case Op::kQuaternionAngle:
        length(in, 1);
        read(in.a, 1, 4);
        read(in.b, 1, 4);
        return 0;
      case Op::kVectorAngle:
        length(in, 1);
        read(in.a, 1, 3);
        read(in.b, 1, 3);
        return 0;
      default:
        refuse("an unknown operation");
    }
  }

  unsigned checkRead(const Instruction& in) const {
    switch (in.op) {
      case Op::kFramePosition:
        length(in, 3);
        frame(in.a, in.b);
        return kNeedsPosition;
      case Op::kFrameQuaternion:
        length(in, 4);
        frame(in.a, in.b);
        return kNeedsPosition;
      case Op::kFrameVelocity:
      case Op::kFrameAngularVelocity:
        length(in, 3);
        frame(in.a, in.b);
        return kNeedsPosition | kNeedsVelocity;
      case Op::kQpos:
        index(in.a, in.n, model_.nq, "a joint position");
        return 0;
      case Op::kQvel:
        index(in.a, in.n, model_.nv, "a joint velocity");
        return 0;
      case Op::kActuatorForce:
        length(in, 1);
        index(in.a, 1, model_.nactuator, "an actuator");
        return kNeedsActuator;
      case Op::kControl:
        length(in, 1);
        index(in.a, 1, model_.nactuator, "an actuator");
        return 0;
      case Op::kSensor:
        index(in.a, in.n, model_.nsensordata, "a sensor");
        return kNeedsSensor;
      case Op::kCommand:
        index(in.a, in.n, static_cast<std::int64_t>(command_), "a command");
        return 0;
      case Op::kAction:
        index(in.a, in.n, static_cast<std::int64_t>(action_), "an action");
        return 0;
      case Op::kTime:
      case Op::kStep:
        length(in, 1);
        return 0;
      case Op::kContact:
      case Op::kContactForce:
        length(in, 1);
        contactSide(in.a, in.b);
        if (in.c != -1) contactSide(in.c, in.d);
        return in.op == Op::kContact ? kNeedsContact : kNeedsContact | kNeedsContactForce;
      default:
        refuse("an unknown read");
    }
  }

  const mjModel& model_;
  const std::size_t action_;
  const std::size_t command_;
  std::vector<bool> written_;
};

Instruction decodeInstruction(std::span<const double> words) {
  Instruction in;
  const std::int32_t op = count(words[0], 255, "an opcode");
  in.op = static_cast<Op>(op);
  in.n = integer(words[1], "a length");
  in.destination = integer(words[2], "a destination");
  in.a = integer(words[3], "an operand");
  in.stride_a = integer(words[4], "a stride");
  in.b = integer(words[5], "an operand");
  in.stride_b = integer(words[6], "a stride");
  in.c = integer(words[7], "an operand");
  in.stride_c = integer(words[8], "a stride");
  in.d = integer(words[9], "an operand");
  return in;
}

void checkModel(std::span<const double> code, const mjModel& model) {
  const double sizes[] = {static_cast<double>(model.nq),         static_cast<double>(model.nv),
                          static_cast<double>(model.nu),         static_cast<double>(model.nbody),
                          static_cast<double>(model.nsite),      static_cast<double>(model.ngeom),
                          static_cast<double>(model.nsensordata)};
  const char* names[] = {"nq", "nv", "nu", "nbody", "nsite", "ngeom", "nsensordata"};
  for (std::size_t i = 0; i < 7; ++i) {
    if (code[2 + i] != sizes[i]) {
      throw Error("EXPRESSION", "the expression program was compiled for another model: " + std::string(names[i]) +
                                    " is " + std::to_string(static_cast<long long>(sizes[i])) + " here");
    }
  }
}

}  // namespace

Program Program::decode(std::span<const double> code, const mjModel& model) {
  if (code.size() < kHeaderWords || code[0] != kMagic) refuse("the header is missing");
  if (code[1] != kVersion) refuse("it is of another version");
  checkModel(code, model);

  Program program;
  program.action_length_ = static_cast<std::size_t>(count(code[9], kMaxRegisters, "the action's length"));
  program.command_length_ = static_cast<std::size_t>(count(code[10], kMaxRegisters, "the command's length"));
  const std::int32_t constants = count(code[11], kMaxRegisters, "the number of constants");
  const std::int32_t registers = count(code[12], kMaxRegisters, "the number of registers");
  const std::int32_t instructions = count(code[13], kMaxRegisters, "the number of instructions");
  const std::int32_t outputs = count(code[14], kMaxRegisters, "the number of outputs");
  if (constants > registers) refuse("there are more constants than registers");
  const std::size_t size = kHeaderWords + static_cast<std::size_t>(constants) +
                           static_cast<std::size_t>(instructions) * kInstructionWords +
                           static_cast<std::size_t>(outputs);
  if (code.size() != size) refuse("its length is not what its header says");

  program.registers_ = static_cast<std::size_t>(registers);
  code = code.subspan(kHeaderWords);
  program.constants_.assign(code.begin(), code.begin() + constants);
  code = code.subspan(static_cast<std::size_t>(constants));

  Checker checker(model, registers, constants, program.action_length_, program.command_length_);
  program.instructions_.reserve(static_cast<std::size_t>(instructions));
  for (std::int32_t i = 0; i < instructions; ++i) {
    program.instructions_.push_back(decodeInstruction(code.first(kInstructionWords)));
    program.needs_ |= checker.check(program.instructions_.back());
    code = code.subspan(kInstructionWords);
  }
  program.outputs_.reserve(static_cast<std::size_t>(outputs));
  for (const double word : code) {
    program.outputs_.push_back(integer(word, "an output"));
    checker.read(program.outputs_.back(), 1, 1);
  }
  return program;
}

}  // namespace vernier::expr
