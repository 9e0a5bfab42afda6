// From an action to actuator controls: control modes and differential inverse kinematics.
#pragma once
#include <mujoco/mujoco.h>

#include <span>
#include <vector>

#include "physics/spec.h"

namespace vernier::physics {

// Scratch of one worker; sized once by Controller::plan().
struct ControlPlan {
  std::vector<double> start;         // joint reference at the beginning of the control step
  std::vector<double> target;        // and at its end; velocity or torque in those modes
  std::vector<double> axis, anchor;  // [joints, 3] world axes and points of the arm joints
  std::vector<double> jacobian;      // [joints, 6]
  std::vector<double> shift;         // joint update of one iteration
  std::vector<unsigned char> locked;
  double gripper = 0;               // control value
  double position[3], rotation[4];  // end effector
  double base[4];                   // orientation of the base
};

class Controller {
 public:
  // Re-parameterises the arm's actuators in `model` for the mode. Error PHYSICS if they cannot do it.
  Controller(const ControlSpec& spec, mjModel& model, int substeps);

  static std::size_t actionLength(const ControlSpec& spec);
  std::size_t actionLength() const { return action_length_; }
  // Arm joints, then the gripper's control value if there is one.
  std::size_t commandLength() const { return joints() + (spec_.gripper.actuators.empty() ? 0 : 1); }
  std::size_t joints() const { return spec_.arm.joints.size(); }

  ControlPlan plan() const;
  // The action that asks for nothing: what is in effect before a delayed first action arrives.
  void neutralAction(std::span<float> out) const;

  // Joint positions at rest into `data`; controls that hold them.
  void home(const mjModel& model, mjData& data) const;
  // Controls that hold the present joint positions; they become the command.
  void hold(mjData& data, std::span<double> command) const;
  // Measures the rest orientation that unlisted axes hold, with `data` at home and its kinematics done.
  void rememberHome(const mjData& data);

  // Plans one control step. `command` holds the previous command and receives the new one.
  void begin(const mjModel& model, const mjData& data, std::span<const float> action, std::span<double> command,
             ControlPlan& plan) const;
  // Whether the arm's actuators are position servos in this mode.
  bool servo() const { return spec_.mode != Mode::kTorque && spec_.mode != Mode::kJointVelocity; }
  // Controls of servos that shall be at `reference` (as a command) and move at `velocity` [joints].
  void drive(mjData& data, std::span<const double> reference, std::span<const double> velocity) const;
  // Controls of substep k.
  void apply(mjData& data, int k, const ControlPlan& plan) const;

 private:
  struct Joint {
    int id, qpos, control;
    double gear;
    double lead;    // kv / kp in control steps: by how much a servo's reference must lead
    double lo, hi;  // control range
    bool hinge, moves_end_effector;
  };
  struct Pose {
    double position[3];
    double rotation[4];
  };
  // A joint on the way from the world to the end effector; `arm` is its index in the arm, or -1.
  struct ChainJoint {
    int id, type, qpos, arm;
  };
  struct Link {
    int body;
    std::vector<ChainJoint> joints;
  };

  void reparameterise(mjModel& model);
  void buildChain(const mjModel& model);
  void limitSpeed(ControlPlan& plan) const;
  void inverseKinematics(const mjModel& model, const mjData& data, std::span<const float> action,
                         ControlPlan& plan) const;
  void forwardKinematics(const mjModel& model, const mjData& data, ControlPlan& plan) const;
  void targetPose(const ControlPlan& plan, std::span<const float> action, Pose& out) const;
  double poseError(const ControlPlan& plan, const Pose& goal, double* error) const;
  void jacobian(ControlPlan& plan) const;
  void dampedStep(const double* error, double pull, ControlPlan& plan) const;

  ControlSpec spec_;
  int substeps_;
  double period_;
  std::size_t action_length_;
  std::vector<Joint> arm_;
  std::vector<Link> chain_;
  std::vector<int> gripper_controls_;
  bool listed_[6] = {};
  Pose home_{};
};

}  // namespace vernier::physics
