#include "physics/control.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/error.h"
#include "physics/dynamics.h"

namespace vernier::physics {
namespace {

constexpr int kIterations = 3;
constexpr double kConverged = 1e-5;           // m and rad
constexpr double kLeash = 0.1;                // rad or m by which a commanded goal may lead the arm
constexpr double kDefaultVelocityGain = 0.1;  // kv / kp where a servo has no kv of its own

// exp of a rotation vector.
void fromRotationVector(const double* v, double* out) {
  const double angle = std::sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]);
  const double scale = angle < 1e-12 ? 0.5 : std::sin(angle / 2) / angle;
  out[0] = std::cos(angle / 2);
  for (int i = 0; i < 3; ++i) out[1 + i] = scale * v[i];
}

// log of a unit quaternion, the short way round.
void toRotationVector(const double* q, double* out) {
  const double sine = std::sqrt(q[1] * q[1] + q[2] * q[2] + q[3] * q[3]);
  const double sign = q[0] < 0 ? -1 : 1;
  const double scale = sine < 1e-12 ? 2 : 2 * std::atan2(sine, sign * q[0]) / sine;
  for (int i = 0; i < 3; ++i) out[i] = sign * scale * q[1 + i];
}

// The part of a rotation that lies about the listed axes: all of it, its twist about one axis, or its rotation vector
// without the unlisted component.
void keepListed(const double* q, const bool* listed, double* out) {
  const int count = listed[0] + listed[1] + listed[2];
  if (count == 3) {
    std::copy_n(q, 4, out);
  } else if (count == 1) {
    const int axis = listed[0] ? 0 : listed[1] ? 1 : 2;
    const double norm = std::hypot(q[0], q[1 + axis]);
    out[0] = norm < 1e-12 ? 1 : q[0] / norm;
    for (int i = 0; i < 3; ++i) out[1 + i] = i == axis && norm >= 1e-12 ? q[1 + i] / norm : 0;
  } else {
    double v[3];
    toRotationVector(q, v);
    for (int i = 0; i < 3; ++i) v[i] = listed[i] ? v[i] : 0;
    fromRotationVector(v, out);
  }
}

std::string nameOf(const mjModel& model, mjtObj type, int id) {
  const char* name = mj_id2name(&model, type, id);
  return name == nullptr ? "number " + std::to_string(id) : "'" + std::string(name) + "'";
}

bool isServo(const mjModel& model, int actuator) {
  const double* gain = model.actuator_gainprm + actuator * mjNGAIN;
  const double* bias = model.actuator_biasprm + actuator * mjNBIAS;
  return model.actuator_gaintype[actuator] == mjGAIN_FIXED && model.actuator_biastype[actuator] == mjBIAS_AFFINE &&
         gain[0] > 0 && std::abs(gain[0] + bias[1]) <= 1e-9 * gain[0];
}

// Solves the symmetric positive definite 6x6 system m x = b in place of b.
void choleskySolve(double m[6][6], double b[6]) {
  for (int i = 0; i < 6; ++i) {
    for (int j = 0; j <= i; ++j) {
      double sum = m[i][j];
      for (int k = 0; k < j; ++k) sum -= m[i][k] * m[j][k];
      m[i][j] = i == j ? std::sqrt(sum) : sum / m[j][j];
    }
  }
  for (int i = 0; i < 6; ++i) {
    for (int k = 0; k < i; ++k) b[i] -= m[i][k] * b[k];
    b[i] /= m[i][i];
  }
  for (int i = 5; i >= 0; --i) {
    for (int k = i + 1; k < 6; ++k) b[i] -= m[k][i] * b[k];
    b[i] /= m[i][i];
  }
}

}  // namespace

Controller::Controller(const ControlSpec& spec, mjModel& model, int substeps)
    : spec_(spec), substeps_(substeps), period_(substeps * model.opt.timestep) {
  const EndEffectorSpec& end = spec_.end_effector;
  const bool cartesian = spec_.mode == Mode::kEndEffectorDelta;
  if (cartesian && end.site < 0) throw Error("PHYSICS", "end_effector_delta needs the end effector's site");
  for (int axis : end.axes) listed_[axis] = true;
  action_length_ = actionLength(spec_);
  for (std::size_t i = 0; i < joints(); ++i) {
    const int id = spec_.arm.joints[i], actuator = spec_.arm.actuators[i];
    const int type = model.jnt_type[id];
    if (type != mjJNT_HINGE && type != mjJNT_SLIDE) {
      throw Error("PHYSICS", "the arm joint " + nameOf(model, mjOBJ_JOINT, id) + " is neither hinge nor slide");
    }
    Joint joint{};
    joint.id = id;
    joint.hinge = type == mjJNT_HINGE;
    joint.qpos = model.jnt_qposadr[id];
    joint.control = model.actuator_ctrladr[actuator];
    joint.gear = model.actuator_gear[6 * actuator];
    arm_.push_back(joint);
  }
  if (cartesian) buildChain(model);
  for (int actuator : spec_.gripper.actuators) gripper_controls_.push_back(model.actuator_ctrladr[actuator]);
  reparameterise(model);
}

std::size_t Controller::actionLength(const ControlSpec& spec) {
  if (spec.dynamics) return Dynamics::actionLength(*spec.dynamics, spec.arm.joints.size());
  const bool cartesian = spec.mode == Mode::kEndEffectorDelta;
  return (cartesian ? spec.end_effector.axes.size() : spec.arm.joints.size()) + (spec.gripper.in_action ? 1 : 0);
}

void Controller::buildChain(const mjModel& model) {
  const EndEffectorSpec& end = spec_.end_effector;
  bool has_base = end.base == 0;
  for (int body = model.site_bodyid[end.site]; body > 0; body = model.body_parentid[body]) {
    Link link{body, {}};
    for (int id = model.body_jntadr[body]; id < model.body_jntadr[body] + model.body_jntnum[body]; ++id) {
      const auto found = std::find(spec_.arm.joints.begin(), spec_.arm.joints.end(), id);
      const int index = found == spec_.arm.joints.end() ? -1 : static_cast<int>(found - spec_.arm.joints.begin());
      if (index >= 0) arm_[static_cast<std::size_t>(index)].moves_end_effector = true;
      link.joints.push_back({id, model.jnt_type[id], model.jnt_qposadr[id], index});
    }
    has_base |= body == end.base;
    chain_.push_back(std::move(link));
  }
  std::reverse(chain_.begin(), chain_.end());
  if (!has_base) {
    throw Error("PHYSICS", "the base " + nameOf(model, mjOBJ_BODY, end.base) + " does not carry the end effector");
  }
}

void Controller::reparameterise(mjModel& model) {
  for (std::size_t i = 0; i < joints(); ++i) {
    const int actuator = spec_.arm.actuators[i];
    double* gain = model.actuator_gainprm + actuator * mjNGAIN;
    double* bias = model.actuator_biasprm + actuator * mjNBIAS;
    double* range = model.actuator_ctrlrange + 2 * arm_[i].control;
    const bool servo = isServo(model, actuator);
    const double kp = servo ? gain[0] : 0;
    double kv = servo ? -bias[2] : 0;
    if (model.actuator_dyntype[actuator] != mjDYN_NONE) {
      throw Error("PHYSICS",
                  "the arm actuator " + nameOf(model, mjOBJ_ACTUATOR, actuator) + " has activation dynamics");
    }
    if (spec_.mode != Mode::kTorque && !servo) {
      throw Error("PHYSICS", "the arm actuator " + nameOf(model, mjOBJ_ACTUATOR, actuator) +
                                 " is no position servo (gain kp, bias 0 -kp -kv); only the torque mode can drive it");
    }
    if (spec_.mode == Mode::kTorque || spec_.mode == Mode::kJointVelocity) {
      const bool torque = spec_.mode == Mode::kTorque;
      kv = kv > 0 ? kv : kDefaultVelocityGain * kp;
      std::fill_n(gain, mjNGAIN, 0.0);
      std::fill_n(bias, mjNBIAS, 0.0);
      gain[0] = torque ? 1 : kv;
      bias[2] = torque ? 0 : -kv;
      model.actuator_gaintype[actuator] = mjGAIN_FIXED;
      model.actuator_biastype[actuator] = mjBIAS_AFFINE;
      range[0] = arm_[i].lo = -mjMAXVAL;
      range[1] = arm_[i].hi = mjMAXVAL;
    } else {
      const bool limited = model.actuator_ctrllimited[arm_[i].control] != 0;
      arm_[i].lead = kv / kp / period_;
      arm_[i].lo = limited ? range[0] : -mjMAXVAL;
      arm_[i].hi = limited ? range[1] : mjMAXVAL;
    }
    if (spec_.mode == Mode::kJointPosition && !std::isfinite(spec_.arm.position[i].hi - spec_.arm.position[i].lo)) {
      throw Error("PHYSICS", "joint_position needs position limits, and the joint " +
                                 nameOf(model, mjOBJ_JOINT, arm_[i].id) + " has none");
    }
  }
}

ControlPlan Controller::plan() const {
  ControlPlan plan;
  plan.start.resize(joints());
  plan.target.resize(joints());
  plan.axis.resize(3 * joints());
  plan.anchor.resize(3 * joints());
  plan.jacobian.resize(6 * joints());
  plan.shift.resize(joints());
  plan.locked.resize(joints());
  return plan;
}

void Controller::neutralAction(std::span<float> out) const {
  std::fill(out.begin(), out.end(), 0.0f);
  if (spec_.mode == Mode::kJointPosition) {
    for (std::size_t i = 0; i < joints(); ++i) {
      const Range& range = spec_.arm.position[i];
      out[i] = static_cast<float>(2 * (spec_.arm.home[i] - range.lo) / (range.hi - range.lo) - 1);
    }
  }
  if (spec_.gripper.in_action) out[action_length_ - 1] = 1;
}

void Controller::home(const mjModel& model, mjData& data) const {
  for (std::size_t i = 0; i < joints(); ++i) data.qpos[arm_[i].qpos] = spec_.arm.home[i];
  for (std::size_t i = 0; i < spec_.gripper.home.size(); ++i) {
    data.qpos[model.jnt_qposadr[spec_.gripper.joints[i]]] = spec_.gripper.home[i];
  }
}

void Controller::hold(mjData& data, std::span<double> command) const {
  const bool servo = spec_.mode != Mode::kTorque && spec_.mode != Mode::kJointVelocity;
  for (std::size_t i = 0; i < joints(); ++i) {
    const Joint& joint = arm_[i];
    command[i] = servo ? data.qpos[joint.qpos] : 0;
    data.ctrl[joint.control] = std::clamp(joint.gear * command[i], joint.lo, joint.hi);
  }
  for (int control : gripper_controls_) data.ctrl[control] = spec_.gripper.open;
  if (!gripper_controls_.empty()) command[joints()] = spec_.gripper.open;
}

void Controller::rememberHome(const mjData& data) {
  if (spec_.mode != Mode::kEndEffectorDelta) return;
  const int site = spec_.end_effector.site;
  std::copy_n(data.site_xpos + 3 * site, 3, home_.position);
  mju_mat2Quat(home_.rotation, data.site_xmat + 9 * site);
}

void Controller::begin(const mjModel& model, const mjData& data, std::span<const float> action,
                       std::span<double> command, ControlPlan& plan) const {
  const bool commanded = spec_.goal == Goal::kCommanded;
  for (std::size_t i = 0; i < joints(); ++i) {
    const double q = data.qpos[arm_[i].qpos];
    const Range& range = spec_.arm.position[i];
    const double scale = spec_.arm.scale[i];
    plan.start[i] = commanded ? std::clamp(command[i], q - kLeash, q + kLeash) : q;
    switch (spec_.mode) {
      case Mode::kJointPosition:
        plan.target[i] = range.lo + 0.5 * (action[i] + 1.0) * (range.hi - range.lo);
        break;
      case Mode::kJointDelta:
        plan.target[i] = std::clamp(plan.start[i] + action[i] * scale, range.lo, range.hi);
        break;
      case Mode::kJointVelocity:
      case Mode::kTorque:
        plan.target[i] = action[i] * scale;
        break;
      case Mode::kEndEffectorDelta:
        plan.target[i] = plan.start[i];
        break;
    }
  }
  if (spec_.mode == Mode::kEndEffectorDelta) {
    inverseKinematics(model, data, action, plan);
  }
  if (spec_.mode != Mode::kTorque && spec_.mode != Mode::kJointVelocity) limitSpeed(plan);
  std::copy(plan.target.begin(), plan.target.end(), command.begin());
  if (!gripper_controls_.empty()) {
    const GripperSpec& gripper = spec_.gripper;
    const double opening = gripper.in_action ? 0.5 * (action[action_length_ - 1] + 1.0) : 1.0;
    plan.gripper = gripper.closed + opening * (gripper.open - gripper.closed);
    command[joints()] = plan.gripper;
  }
}

// The whole joint motion slows down together, so that its direction stays.
void Controller::limitSpeed(ControlPlan& plan) const {
  double share = 1;
  for (std::size_t i = 0; i < joints(); ++i) {
    const double motion = std::abs(plan.target[i] - plan.start[i]);
    const double most = spec_.arm.velocity[i] * period_;
    if (motion > most) share = std::min(share, most / motion);
  }
  if (share == 1) return;
  for (std::size_t i = 0; i < joints(); ++i) plan.target[i] = plan.start[i] + share * (plan.target[i] - plan.start[i]);
}

// A servo's reference runs along a straight line and leads by kv / kp seconds, which cancels the servo's drag; without
// the lead the joint would only cover part of the way within one control step.
void Controller::apply(mjData& data, int k, const ControlPlan& plan) const {
  const bool torque = spec_.mode == Mode::kTorque;
  const bool servo = !torque && spec_.mode != Mode::kJointVelocity;
  const double share = (k + 1.0) / substeps_;
  for (std::size_t i = 0; i < arm_.size(); ++i) {
    const Joint& joint = arm_[i];
    double reference = plan.target[i];
    if (servo) {
      const double motion = plan.target[i] - plan.start[i];
      reference = plan.start[i] + motion * (share + joint.lead);
    }
    const double control = torque ? reference / joint.gear : reference * joint.gear;
    data.ctrl[joint.control] = std::clamp(control, joint.lo, joint.hi);
  }
  for (int control : gripper_controls_) data.ctrl[control] = plan.gripper;
}

void Controller::drive(mjData& data, std::span<const double> reference, std::span<const double> velocity) const {
  for (std::size_t i = 0; i < arm_.size(); ++i) {
    const Joint& joint = arm_[i];
    const double leading = reference[i] + velocity[i] * joint.lead * period_;
    data.ctrl[joint.control] = std::clamp(leading * joint.gear, joint.lo, joint.hi);
  }
  for (int control : gripper_controls_) data.ctrl[control] = reference[joints()];
}

void Controller::inverseKinematics(const mjModel& model, const mjData& data, std::span<const float> action,
                                   ControlPlan& plan) const {
  forwardKinematics(model, data, plan);
  Pose goal;
  targetPose(plan, action, goal);
  for (int iteration = 0; iteration < kIterations; ++iteration) {
    if (iteration > 0) forwardKinematics(model, data, plan);
    double error[6];
    const double size = poseError(plan, goal, error);
    if (iteration > 0 && size < kConverged) break;
    jacobian(plan);
    dampedStep(error, iteration == 0 ? spec_.end_effector.nullspace : 0, plan);
    for (std::size_t i = 0; i < joints(); ++i) plan.target[i] += plan.shift[i];
  }
}

// The chain from the world to the end effector with the arm at plan.target: what mj_kinematics does for every body and
// geom of the model, for the few that matter here.
void Controller::forwardKinematics(const mjModel& model, const mjData& data, ControlPlan& plan) const {
  double position[3] = {0, 0, 0}, rotation[4] = {1, 0, 0, 0}, turn[4], shifted[3], scratch[4];
  auto advance = [&](const double* offset, const double* relative) {
    mju_rotVecQuat(shifted, offset, rotation);
    mju_addTo3(position, shifted);
    mju_mulQuat(scratch, rotation, relative);
    mju_copy4(rotation, scratch);
  };
  mju_unit4(plan.base);
  for (const Link& link : chain_) {
    const int mocap = model.body_mocapid[link.body];
    if (mocap >= 0) {
      mju_copy3(position, data.mocap_pos + 3 * mocap);
      mju_copy4(rotation, data.mocap_quat + 4 * mocap);
    } else if (!link.joints.empty() && link.joints[0].type == mjJNT_FREE) {
      mju_copy3(position, data.qpos + link.joints[0].qpos);
      mju_copy4(rotation, data.qpos + link.joints[0].qpos + 3);
    } else {
      advance(model.body_pos + 3 * link.body, model.body_quat + 4 * link.body);
      for (const ChainJoint& joint : link.joints) {
        double axis[3], anchor[3];
        mju_rotVecQuat(axis, model.jnt_axis + 3 * joint.id, rotation);
        mju_rotVecQuat(anchor, model.jnt_pos + 3 * joint.id, rotation);
        mju_addTo3(anchor, position);
        if (joint.arm >= 0) {
          mju_copy3(plan.axis.data() + 3 * joint.arm, axis);
          mju_copy3(plan.anchor.data() + 3 * joint.arm, anchor);
        }
        const double q = joint.arm >= 0 ? plan.target[static_cast<std::size_t>(joint.arm)] : data.qpos[joint.qpos];
        if (joint.type == mjJNT_SLIDE) {
          mju_addToScl3(position, axis, q - model.qpos0[joint.qpos]);
          continue;
        }
        if (joint.type == mjJNT_HINGE) {
          mju_axisAngle2Quat(turn, model.jnt_axis + 3 * joint.id, q - model.qpos0[joint.qpos]);
        } else {
          mju_copy4(turn, data.qpos + joint.qpos);
        }
        mju_mulQuat(scratch, rotation, turn);
        mju_copy4(rotation, scratch);
        mju_rotVecQuat(shifted, model.jnt_pos + 3 * joint.id, rotation);
        mju_sub3(position, anchor, shifted);
      }
    }
    mju_normalize4(rotation);
    if (link.body == spec_.end_effector.base) mju_copy4(plan.base, rotation);
  }
  const int site = spec_.end_effector.site;
  advance(model.site_pos + 3 * site, model.site_quat + 4 * site);
  mju_copy3(plan.position, position);
  mju_copy4(plan.rotation, rotation);
}

// Listed axes start from where the frame is, the others from where it rests; all in the axes of the base.
void Controller::targetPose(const ControlPlan& plan, std::span<const float> action, Pose& out) const {
  const EndEffectorSpec& end = spec_.end_effector;
  const double* base = plan.base;
  double inverse[4], here[4], home[4], offset[3], turn[3] = {0, 0, 0};
  mju_negQuat(inverse, base);
  mju_sub3(offset, plan.position, home_.position);
  mju_rotVecQuat(offset, offset, inverse);
  for (int k = 0; k < 3; ++k) offset[k] = listed_[k] ? offset[k] : 0;
  for (std::size_t i = 0; i < end.axes.size(); ++i) {
    const int axis = end.axes[i];
    if (axis < 3) {
      offset[axis] += action[i] * end.translation;
    } else {
      turn[axis - 3] = action[i] * end.rotation;
    }
  }
  mju_rotVecQuat(offset, offset, base);
  mju_add3(out.position, home_.position, offset);

  double relative[4], kept[4], step[4], scratch[4];
  mju_mulQuat(here, inverse, plan.rotation);
  mju_mulQuat(home, inverse, home_.rotation);
  mju_negQuat(scratch, home);
  mju_mulQuat(relative, here, scratch);
  keepListed(relative, listed_ + 3, kept);
  fromRotationVector(turn, step);
  mju_mulQuat(scratch, step, kept);
  mju_mulQuat(relative, scratch, home);
  mju_mulQuat(out.rotation, base, relative);
}

// Weighted pose error in world axes; returns its largest entry.
double Controller::poseError(const ControlPlan& plan, const Pose& goal, double* error) const {
  const EndEffectorSpec& end = spec_.end_effector;
  double here[4], difference[4];
  mju_sub3(error, goal.position, plan.position);
  mju_negQuat(here, plan.rotation);
  mju_mulQuat(difference, goal.rotation, here);
  toRotationVector(difference, error + 3);
  double size = 0;
  for (int k = 0; k < 6; ++k) {
    error[k] *= end.weights[k];
    size = std::max(size, std::abs(error[k]));
  }
  return size;
}

void Controller::jacobian(ControlPlan& plan) const {
  const EndEffectorSpec& end = spec_.end_effector;
  for (std::size_t i = 0; i < joints(); ++i) {
    const Joint& joint = arm_[i];
    double* column = plan.jacobian.data() + 6 * i;
    std::fill_n(column, 6, 0.0);
    if (!joint.moves_end_effector) continue;
    const double* axis = plan.axis.data() + 3 * i;
    if (joint.hinge) {
      double arm[3];
      mju_sub3(arm, plan.position, plan.anchor.data() + 3 * i);
      mju_cross(column, axis, arm);
      mju_copy3(column + 3, axis);
    } else {
      mju_copy3(column, axis);
    }
    for (int k = 0; k < 6; ++k) column[k] *= end.weights[k];
  }
}

// shift = z + A' (A A' + damping^2)^-1 (error - A z), with z the pull towards home; a joint that would pass its limit
// stops there, and the others make up for it.
void Controller::dampedStep(const double* error, double pull, ControlPlan& plan) const {
  const double damping = spec_.end_effector.damping * spec_.end_effector.damping;
  std::fill(plan.locked.begin(), plan.locked.end(), 0);
  for (std::size_t pass = 0; pass <= joints(); ++pass) {
    double m[6][6], y[6];
    for (int k = 0; k < 6; ++k) {
      y[k] = error[k];
      for (int l = 0; l < k; ++l) m[k][l] = 0;
      m[k][k] = damping;
    }
    for (std::size_t i = 0; i < joints(); ++i) {
      const double* a = plan.jacobian.data() + 6 * i;
      const double given = plan.locked[i] ? plan.shift[i] : pull * (spec_.arm.home[i] - plan.target[i]);
      for (int k = 0; k < 6; ++k) y[k] -= a[k] * given;
      if (plan.locked[i]) continue;
      for (int k = 0; k < 6; ++k) {
        for (int l = 0; l <= k; ++l) m[k][l] += a[k] * a[l];
      }
    }
    choleskySolve(m, y);
    bool violated = false;
    for (std::size_t i = 0; i < joints(); ++i) {
      if (plan.locked[i]) continue;
      const double* a = plan.jacobian.data() + 6 * i;
      double shift = pull * (spec_.arm.home[i] - plan.target[i]);
      for (int k = 0; k < 6; ++k) shift += a[k] * y[k];
      const Range& range = spec_.arm.position[i];
      const double limited = std::clamp(plan.target[i] + shift, range.lo, range.hi) - plan.target[i];
      if (limited != shift) {
        plan.locked[i] = 1;
        violated = true;
      }
      plan.shift[i] = limited;
    }
    if (!violated) break;
  }
}

}  // namespace vernier::physics
