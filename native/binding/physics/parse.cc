#include "binding/physics/parse.h"

#include <cmath>
#include <limits>

#include "core/error.h"

namespace vernier::physics {
namespace {

[[noreturn]] void fail(const std::string& path, const std::string& expected) {
  throw Error("PHYSICS", "physics specification: " + path + ": expected " + expected);
}

// A value of the JavaScript object with its path, for messages.
class Field {
 public:
  Field(Napi::Value value, std::string path) : value_(value), path_(std::move(path)) {}

  const std::string& path() const { return path_; }
  bool present() const { return !value_.IsUndefined() && !value_.IsNull(); }
  Field operator[](const char* key) const {
    if (!value_.IsObject()) fail(path_, "an object");
    return {value_.As<Napi::Object>().Get(key), path_ + "." + key};
  }
  std::vector<Field> items() const {
    if (!value_.IsArray()) fail(path_, "an array");
    const auto array = value_.As<Napi::Array>();
    std::vector<Field> out;
    out.reserve(array.Length());
    for (std::uint32_t i = 0; i < array.Length(); ++i) out.emplace_back(array.Get(i), path_ + "." + std::to_string(i));
    return out;
  }

  double number() const {
    if (!value_.IsNumber()) fail(path_, "a number");
    const double number = value_.As<Napi::Number>().DoubleValue();
    if (std::isnan(number)) fail(path_, "a number, got NaN");
    return number;
  }
  double finite() const {
    const double number = this->number();
    if (!std::isfinite(number)) fail(path_, "a finite number");
    return number;
  }
  // A whole number in [lo, hi].
  template <class T = int>
  T whole(double lo, double hi) const {
    const double number = finite();
    if (number != std::floor(number) || number < lo || number > hi) {
      fail(path_, "a whole number in [" + std::to_string(static_cast<long long>(lo)) + ", " +
                      std::to_string(static_cast<long long>(hi)) + "], got " + std::to_string(number));
    }
    return static_cast<T>(number);
  }
  bool boolean() const {
    if (!value_.IsBoolean()) fail(path_, "true or false");
    return value_.As<Napi::Boolean>();
  }
  std::string text() const {
    if (!value_.IsString()) fail(path_, "a string");
    return value_.As<Napi::String>();
  }
  Range range() const {
    const auto both = items();
    if (both.size() != 2) fail(path_, "[lo, hi]");
    const Range range{both[0].number(), both[1].number()};
    if (range.lo > range.hi) fail(path_, "lo <= hi");
    return range;
  }
  std::vector<double> numbers() const {
    std::vector<double> out;
    for (const Field& item : items()) out.push_back(item.number());
    return out;
  }
  std::vector<int> ids(mjtSize count) const {
    std::vector<int> out;
    for (const Field& item : items()) out.push_back(item.whole(0, static_cast<double>(count) - 1));
    return out;
  }
  int id(mjtSize count) const { return whole(0, static_cast<double>(count) - 1); }
  std::span<const double> doubles() const {
    if (!value_.IsTypedArray() || value_.As<Napi::TypedArray>().TypedArrayType() != napi_float64_array) {
      fail(path_, "a Float64Array");
    }
    const auto array = value_.As<Napi::Float64Array>();
    return {array.Data(), array.ElementLength()};
  }

 private:
  Napi::Value value_;
  std::string path_;
};

void requireLength(const Field& field, std::size_t got, std::size_t expected) {
  if (got != expected) fail(field.path(), std::to_string(expected) + " entries, got " + std::to_string(got));
}

Mode parseMode(const Field& field) {
  const std::string mode = field.text();
  if (mode == "joint_position") return Mode::kJointPosition;
  if (mode == "joint_delta") return Mode::kJointDelta;
  if (mode == "joint_velocity") return Mode::kJointVelocity;
  if (mode == "torque") return Mode::kTorque;
  if (mode == "end_effector_delta") return Mode::kEndEffectorDelta;
  fail(field.path(), "a control mode, got " + mode);
}

ArmSpec parseArm(const Field& field, const mjModel& model) {
  ArmSpec arm;
  arm.joints = field["joints"].ids(model.njnt);
  arm.actuators = field["actuators"].ids(model.nactuator);
  arm.home = field["home"].numbers();
  arm.velocity = field["velocity"].numbers();
  arm.scale = field["scale"].numbers();
  for (const Field& item : field["position"].items()) arm.position.push_back(item.range());
  const std::size_t n = arm.joints.size();
  requireLength(field["actuators"], arm.actuators.size(), n);
  requireLength(field["home"], arm.home.size(), n);
  requireLength(field["velocity"], arm.velocity.size(), n);
  requireLength(field["scale"], arm.scale.size(), n);
  requireLength(field["position"], arm.position.size(), n);
  return arm;
}

GripperSpec parseGripper(const Field& field, const mjModel& model) {
  GripperSpec gripper;
  gripper.actuators = field["actuators"].ids(model.nactuator);
  gripper.joints = field["joints"].ids(model.njnt);
  gripper.home = field["home"].numbers();
  gripper.open = field["open"].finite();
  gripper.closed = field["closed"].finite();
  gripper.in_action = field["inAction"].boolean();
  if (!gripper.home.empty()) requireLength(field["home"], gripper.home.size(), gripper.joints.size());
  return gripper;
}

EndEffectorSpec parseEndEffector(const Field& field, const mjModel& model) {
  EndEffectorSpec end;
  end.site = field["site"].id(model.nsite);
  end.base = field["base"].id(model.nbody);
  end.axes = field["axes"].ids(6);
  end.translation = field["translation"].finite();
  end.rotation = field["rotation"].finite();
  end.damping = field["damping"].finite();
  end.nullspace = field["nullspace"].finite();
  if (end.damping <= 0) fail(field["damping"].path(), "a positive number");
  const auto weights = field["weights"].numbers();
  requireLength(field["weights"], weights.size(), 6);
  std::copy(weights.begin(), weights.end(), end.weights);
  return end;
}

DynamicsSpec parseDynamics(const Field& field, std::size_t joints) {
  using Kind = DynamicsSpec::Kind;
  DynamicsSpec out;
  const std::string kind = field["kind"].text();
  if (kind == "linear") {
    out.kind = Kind::kLinear;
    out.joint_speed = field["speed"].numbers();
    requireLength(field["speed"], out.joint_speed.size(), joints);
  } else if (kind == "unicycle") {
    out.kind = Kind::kUnicycle;
    out.turn_rate = field["turnRate"].finite();
    out.acceleration = field["acceleration"].finite();
    out.speed = field["speed"].range();
  } else if (kind == "quadrotor") {
    out.kind = Kind::kQuadrotor;
    out.tilt = field["tilt"].finite();
    out.yaw_rate = field["yawRate"].finite();
    out.thrust = field["thrust"].finite();
    out.response = field["response"].finite();
    out.drag = field["drag"].finite();
    if (out.response <= 0) fail(field["response"].path(), "a positive number");
  } else {
    fail(field["kind"].path(), "linear, unicycle or quadrotor, got " + kind);
  }
  return out;
}

ControlSpec parseControl(const Field& field, const mjModel& model) {
  ControlSpec control;
  control.mode = parseMode(field["mode"]);
  const std::string goal = field["goal"].text();
  if (goal != "achieved" && goal != "commanded") fail(field["goal"].path(), "achieved or commanded");
  control.goal = goal == "achieved" ? Goal::kAchieved : Goal::kCommanded;
  control.arm = parseArm(field["arm"], model);
  if (field["dynamics"].present()) control.dynamics = parseDynamics(field["dynamics"], control.arm.joints.size());
  if (field["gripper"].present()) control.gripper = parseGripper(field["gripper"], model);
  if (field["endEffector"].present()) control.end_effector = parseEndEffector(field["endEffector"], model);
  return control;
}

Randomization parseRandomization(const Field& field, const mjModel& model) {
  using Kind = Randomization::Kind;
  Randomization out{};
  const std::string kind = field["kind"].text();
  if (kind == "pose") {
    out.kind = Kind::kPose;
    out.ids = {field["body"].id(model.nbody)};
    const char* axes[] = {"x", "y", "z", "roll", "pitch", "yaw"};
    for (int k = 0; k < 6; ++k) out.offset[k] = field[axes[k]].range();
    out.apart_from = field["apartFrom"].ids(model.nbody);
    out.distance = field["distance"].finite();
  } else if (kind == "joints") {
    out.kind = Kind::kJoints;
    out.ids = field["joints"].ids(model.njnt);
    for (int joint : out.ids) {
      if (model.jnt_type[joint] != mjJNT_HINGE && model.jnt_type[joint] != mjJNT_SLIDE) {
        fail(field["joints"].path(), "hinge and slide joints");
      }
    }
    const double noise = field["noise"].finite();
    out.scale = {-noise, noise};
  } else if (kind == "mass") {
    out.kind = Kind::kMass;
    out.ids = {field["body"].id(model.nbody)};
    out.scale = field["scale"].range();
  } else if (kind == "friction") {
    out.kind = Kind::kFriction;
    out.ids = field["geoms"].ids(model.ngeom);
    out.scale = field["scale"].range();
  } else if (kind == "gain") {
    out.kind = Kind::kGain;
    out.ids = field["actuators"].ids(model.nactuator);
    out.scale = field["scale"].range();
  } else if (kind == "damping") {
    out.kind = Kind::kDamping;
    out.ids = field["joints"].ids(model.njnt);
    out.scale = field["scale"].range();
  } else {
    fail(field["kind"].path(), "pose, joints, mass, friction, gain or damping, got " + kind);
  }
  return out;
}

Slot parseSlot(const Field& field) {
  constexpr double kMost = 1e6;
  return {field["offset"].whole<std::size_t>(0, kMost), field["length"].whole<std::size_t>(0, kMost)};
}

ProgramSpec parseProgram(const Field& field) {
  ProgramSpec program;
  const auto code = field["code"].doubles();
  program.code.assign(code.begin(), code.end());
  const Field groups = field["groups"];
  program.signals = parseSlot(groups["signals"]);
  program.observation = parseSlot(groups["observation"]);
  program.reward = parseSlot(groups["reward"]);
  program.success = parseSlot(groups["success"]);
  program.failure = parseSlot(groups["failure"]);
  program.expert = parseSlot(groups["expert"]);
  if (groups["monitor"].present()) program.monitor = parseSlot(groups["monitor"]);
  return program;
}

std::vector<double> parseCode(const Field& field) {
  const auto code = field.doubles();
  return {code.begin(), code.end()};
}

MonitorSpec parseMonitor(const Field& field) {
  MonitorSpec out;
  if (field["code"].present()) out.code = parseCode(field["code"]);
  for (const Field& item : field["observed"].items()) out.observed.push_back(item.whole<std::uint32_t>(0, 1 << 20));
  const Field reward = field["reward"];
  const std::string kind = reward["kind"].text();
  if (kind == "final") {
    out.reward = MonitorSpec::Reward::kFinal;
  } else if (kind == "potential") {
    out.reward = MonitorSpec::Reward::kPotential;
  } else if (kind == "stage") {
    out.reward = MonitorSpec::Reward::kStage;
  } else if (kind != "none") {
    fail(reward["kind"].path(), "none, final, potential or stage, got " + kind);
  }
  out.weight = reward["weight"].finite();
  out.clip = reward["clip"].finite();
  out.discount = reward["discount"].finite();
  if (out.clip <= 0) fail(reward["clip"].path(), "a positive number");
  out.terminates = field["terminates"].boolean();
  for (const Field& guard : field["guards"].items()) {
    out.guards.push_back({parseCode(guard["code"]), guard["terminates"].boolean()});
  }
  for (const Field& stage : field["stages"].items()) out.stages.push_back(parseCode(stage));
  return out;
}

template <class T>
std::span<T> typed(const Napi::Object& buffers, const char* name, napi_typedarray_type type) {
  const Napi::Value value = buffers.Get(name);
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != type) {
    throw Error("SHAPE", std::string("buffer ") + name + " is missing or of another element type");
  }
  const auto array = value.As<Napi::TypedArray>();
  auto* base = static_cast<std::uint8_t*>(array.ArrayBuffer().Data());
  return {reinterpret_cast<T*>(base + array.ByteOffset()), array.ElementLength()};
}

}  // namespace

ModelPtr parseModel(const Napi::Object& source) {
  const std::string xml = Field(source, "model")["xml"].text();
  const Napi::Value files = source.Get("files");
  std::vector<Asset> assets;
  if (files.IsObject()) {
    const auto table = files.As<Napi::Object>();
    const auto names = table.GetPropertyNames();
    for (std::uint32_t i = 0; i < names.Length(); ++i) {
      const std::string name = names.Get(i).As<Napi::String>();
      const auto bytes = typed<const std::uint8_t>(table, name.c_str(), napi_uint8_array);
      assets.push_back({name, bytes});
    }
  }
  return loadModel(xml, assets);
}

BatchSpec parseSpec(const Napi::Object& object, const mjModel& model) {
  constexpr double kWord = std::numeric_limits<std::uint32_t>::max();
  const Field field(object, "spec");
  BatchSpec spec;
  spec.environments = field["environments"].whole<std::size_t>(1, 1 << 20);
  spec.threads = field["threads"].whole(1, 1024);
  spec.seed = field["seed"].whole<std::uint32_t>(0, kWord);
  spec.first_environment = field["firstEnvironment"].whole<std::uint32_t>(0, kWord);
  spec.auto_reset = field["autoReset"].boolean();
  spec.timestep = field["timestep"].finite();
  spec.substeps = field["substeps"].whole(1, 1e6);
  spec.horizon = field["horizon"].whole<std::uint32_t>(1, kWord);
  spec.success_hold = field["successHold"].whole<std::uint32_t>(1, kWord);
  spec.control = parseControl(field["control"], model);
  for (const Field& item : field["randomize"].items()) spec.randomize.push_back(parseRandomization(item, model));
  const auto latency = field["latency"].items();
  if (latency.size() != 2) fail(field["latency"].path(), "[lo, hi]");
  spec.latency_lo = latency[0].whole(0, 1000);
  spec.latency_hi = latency[1].whole(spec.latency_lo, 1000);
  spec.observation_noise = field["observationNoise"].finite();
  spec.program = parseProgram(field["program"]);
  if (field["monitor"].present()) spec.monitor = parseMonitor(field["monitor"]);
  return spec;
}

Buffers parseBuffers(const Napi::Object& object) {
  Buffers out;
  out.action = typed<const float>(object, "action", napi_float32_array);
  out.observation = typed<float>(object, "observation", napi_float32_array);
  out.final_observation = typed<float>(object, "finalObservation", napi_float32_array);
  out.reward = typed<float>(object, "reward", napi_float32_array);
  out.terminated = typed<std::uint8_t>(object, "terminated", napi_uint8_array);
  out.truncated = typed<std::uint8_t>(object, "truncated", napi_uint8_array);
  out.success = typed<std::uint8_t>(object, "success", napi_uint8_array);
  out.active = typed<const std::uint8_t>(object, "active", napi_uint8_array);
  out.episode = typed<std::uint32_t>(object, "episode", napi_uint32_array);
  out.steps = typed<std::uint32_t>(object, "steps", napi_uint32_array);
  out.signals = typed<double>(object, "signals", napi_float64_array);
  out.final_signals = typed<double>(object, "finalSignals", napi_float64_array);
  out.expert = typed<double>(object, "expert", napi_float64_array);
  out.robustness = typed<double>(object, "robustness", napi_float64_array);
  out.final_robustness = typed<double>(object, "finalRobustness", napi_float64_array);
  out.predicates = typed<double>(object, "predicates", napi_float64_array);
  out.final_predicates = typed<double>(object, "finalPredicates", napi_float64_array);
  out.violated = typed<std::uint8_t>(object, "violated", napi_uint8_array);
  return out;
}

}  // namespace vernier::physics
