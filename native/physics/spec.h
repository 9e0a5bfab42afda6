// What a batch simulates, in numbers: the native form of PhysicsSpec in src/native/physicsSpec.ts.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace vernier::physics {

enum class Mode { kJointPosition, kJointDelta, kJointVelocity, kTorque, kEndEffectorDelta };
enum class Goal { kAchieved, kCommanded };

struct Range {
  double lo = 0, hi = 0;
  bool zero() const { return lo == 0 && hi == 0; }
};

struct ArmSpec {
  std::vector<int> joints;
  std::vector<int> actuators;
  std::vector<double> home;
  std::vector<Range> position;   // infinite where the joint is not limited
  std::vector<double> velocity;  // largest speed, infinite where it is not limited
  std::vector<double> scale;     // joint_delta: rad; joint_velocity: rad/s; torque: N m, all at |a| = 1
};

struct GripperSpec {
  std::vector<int> actuators;
  std::vector<int> joints;
  std::vector<double> home;
  double open = 0, closed = 0;
  bool in_action = false;
};

struct EndEffectorSpec {
  int site = -1;
  int base = 0;           // body whose axes the action moves along
  std::vector<int> axes;  // 0..5: x y z roll pitch yaw
  double translation = 0, rotation = 0;
  double damping = 0.05;
  double nullspace = 0.05;  // share of the way home per control step
  double weights[6] = {1, 1, 1, 1, 1, 1};
};

// An analytic model in the place of mj_step; see physics/dynamics.h.
struct DynamicsSpec {
  enum class Kind { kLinear, kUnicycle, kQuadrotor } kind = Kind::kLinear;
  std::vector<double> joint_speed;            // linear: of each arm joint at |a| = 1
  double turn_rate = 1, acceleration = 1;     // unicycle
  Range speed;                                // unicycle
  double tilt = 0, yaw_rate = 0, thrust = 0;  // quadrotor: rad, rad/s, share of the weight, at |a| = 1
  double response = 1, drag = 0;              // quadrotor: s, 1/s
};

struct ControlSpec {
  Mode mode = Mode::kJointPosition;
  std::optional<DynamicsSpec> dynamics;  // where there is one it tells what an action is, and the mode is torque
  Goal goal = Goal::kAchieved;
  ArmSpec arm;
  GripperSpec gripper;
  EndEffectorSpec end_effector;
};

struct Randomization {
  enum class Kind { kPose, kJoints, kMass, kFriction, kGain, kDamping } kind;
  std::vector<int> ids;  // pose, mass: one body; else joints, geoms or actuators
  Range offset[6];       // pose: x y z roll pitch yaw
  std::vector<int> apart_from;
  double distance = 0;
  Range scale;  // noise is -hi..hi
};

struct Slot {
  std::size_t offset = 0, length = 0;
};

struct ProgramSpec {
  std::vector<double> code;
  Slot signals, observation, reward, success, failure, expert, monitor;
};

// The formulas of a task. The program's group `monitor` has the predicates of the specification, then those of each
// guard.
struct MonitorSpec {
  enum class Reward { kNone, kFinal, kPotential, kStage };
  struct Guard {
    std::vector<double> code;
    bool terminates = true;
  };
  std::vector<double> code;             // empty: there are guards alone
  std::vector<std::uint32_t> observed;  // registers whose values are put behind the observation
  Reward reward = Reward::kNone;
  double weight = 0, clip = 1, discount = 1;
  bool terminates = true;  // false: the specification is judged at the horizon only
  std::vector<Guard> guards;
  std::vector<std::vector<double>> stages;  // monitors over the predicates of the specification, for kStage
};

struct BatchSpec {
  std::size_t environments = 1;
  int threads = 1;
  std::uint32_t seed = 0;
  std::uint32_t first_environment = 0;
  bool auto_reset = true;
  double timestep = 0;  // 0: the model's
  int substeps = 1;
  std::uint32_t horizon = 1;
  std::uint32_t success_hold = 1;
  ControlSpec control;
  std::vector<Randomization> randomize;
  int latency_lo = 0, latency_hi = 0;
  double observation_noise = 0;
  ProgramSpec program;
  std::optional<MonitorSpec> monitor;
};

}  // namespace vernier::physics
