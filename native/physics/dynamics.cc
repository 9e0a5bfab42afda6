#include "physics/dynamics.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <string>

#include "core/error.h"

namespace vernier::physics {
namespace {

using Kind = DynamicsSpec::Kind;

constexpr double kGravity = 9.81;

void requireJoints(const ArmSpec& arm, const mjModel& model, std::initializer_list<int> types) {
  const bool fits = std::equal(arm.joints.begin(), arm.joints.end(), types.begin(), types.end(),
                               [&model](int joint, int type) { return model.jnt_type[joint] == type; });
  if (!fits) throw Error("PHYSICS", "the dynamics expect an arm of other joints");
}

}  // namespace

Dynamics::Dynamics(const DynamicsSpec& spec, const ArmSpec& arm, const mjModel& model, int substeps)
    : spec_(spec), dt_(model.opt.timestep), substeps_(substeps), decay_(std::exp(-dt_ / spec.response)) {
  if (spec.kind == Kind::kUnicycle) requireJoints(arm, model, {mjJNT_SLIDE, mjJNT_SLIDE, mjJNT_HINGE});
  if (spec.kind == Kind::kQuadrotor) {
    requireJoints(arm, model, {mjJNT_SLIDE, mjJNT_SLIDE, mjJNT_SLIDE, mjJNT_HINGE, mjJNT_HINGE, mjJNT_HINGE});
  }
  for (std::size_t i = 0; i < arm.joints.size(); ++i) {
    const int id = arm.joints[i];
    joints_.push_back({model.jnt_qposadr[id], model.jnt_dofadr[id], arm.position[i].lo, arm.position[i].hi});
  }
}

std::size_t Dynamics::actionLength(const DynamicsSpec& spec, std::size_t joints) {
  switch (spec.kind) {
    case Kind::kLinear:
      return joints;
    case Kind::kUnicycle:
      return 2;
    case Kind::kQuadrotor:
      return 4;
  }
  return joints;
}

bool Dynamics::step(std::span<const float> action, mjData& data) const {
  for (int k = 0; k < substeps_; ++k) {
    switch (spec_.kind) {
      case Kind::kLinear:
        linear(action, data);
        break;
      case Kind::kUnicycle:
        unicycle(action, data);
        break;
      case Kind::kQuadrotor:
        quadrotor(action, data);
        break;
    }
  }
  return std::all_of(joints_.begin(), joints_.end(), [&data](const Joint& joint) {
    return std::isfinite(data.qpos[joint.qpos]) && std::isfinite(data.qvel[joint.dof]);
  });
}

bool Dynamics::move(std::size_t k, double shift, mjData& data) const {
  const Joint& joint = joints_[k];
  double& q = data.qpos[joint.qpos];
  const double free = q + shift;
  q = std::clamp(free, joint.lo, joint.hi);
  return q != free;
}

void Dynamics::linear(std::span<const float> action, mjData& data) const {
  for (std::size_t k = 0; k < joints_.size(); ++k) {
    const double speed = action[k] * spec_.joint_speed[k];
    data.qvel[joints_[k].dof] = move(k, speed * dt_, data) ? 0 : speed;
  }
}

void Dynamics::unicycle(std::span<const float> action, mjData& data) const {
  double& vx = data.qvel[joints_[0].dof];
  double& vy = data.qvel[joints_[1].dof];
  const double& yaw = data.qpos[joints_[2].qpos];
  const double cosine = std::cos(yaw), sine = std::sin(yaw);
  const double speed = vx * cosine + vy * sine;
  move(0, speed * cosine * dt_, data);
  move(1, speed * sine * dt_, data);
  const double rate = action[0] * spec_.turn_rate;
  move(2, rate * dt_, data);
  const double next = std::clamp(speed + action[1] * spec_.acceleration * dt_, spec_.speed.lo, spec_.speed.hi);
  vx = next * std::cos(yaw);
  vy = next * std::sin(yaw);
  data.qvel[joints_[2].dof] = rate;
}

void Dynamics::quadrotor(std::span<const float> action, mjData& data) const {
  const double wanted[2] = {action[1] * spec_.tilt, action[0] * spec_.tilt};  // pitch, roll
  for (std::size_t k = 0; k < 2; ++k) {
    const Joint& joint = joints_[4 + k];
    double& angle = data.qpos[joint.qpos];
    angle = wanted[k] + (angle - wanted[k]) * decay_;
    data.qvel[joint.dof] = (wanted[k] - angle) / spec_.response;
  }
  const double rate = action[2] * spec_.yaw_rate;
  data.qvel[joints_[3].dof] = rate;
  move(3, rate * dt_, data);
  const double yaw = data.qpos[joints_[3].qpos], pitch = data.qpos[joints_[4].qpos], roll = data.qpos[joints_[5].qpos];
  const double up[3] = {std::cos(yaw) * std::sin(pitch) * std::cos(roll) + std::sin(yaw) * std::sin(roll),
                        std::sin(yaw) * std::sin(pitch) * std::cos(roll) - std::cos(yaw) * std::sin(roll),
                        std::cos(pitch) * std::cos(roll)};
  const double thrust = kGravity * (1 + spec_.thrust * action[3]);
  for (std::size_t k = 0; k < 3; ++k) {
    double& v = data.qvel[joints_[k].dof];
    v += (up[k] * thrust - (k == 2 ? kGravity : 0) - spec_.drag * v) * dt_;
    if (move(k, v * dt_, data)) v = 0;
  }
}

}  // namespace vernier::physics
