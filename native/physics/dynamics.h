// Analytic models in the place of mj_step: joint positions and velocities of a small model from an action. The twin is
// src/native/wasm/dynamics.ts. A position that would leave its joint's range stops there.
//
// linear     q+ = q + a speed dt, for every arm joint.
// unicycle   Joints x, y, yaw; the speed v is (vx, vy) along the heading. x+ = x + v cos(yaw) dt, y+ = y + v sin(yaw)
// dt,
//            yaw+ = yaw + turn_rate a0 dt, v+ = v + acceleration a1 dt within `speed`.
// quadrotor  Joints x, y, z, yaw, pitch, roll, R = Rz(yaw) Ry(pitch) Rx(roll). Roll and pitch follow tilt a0 and tilt
// a1
//            with the time constant `response`, yaw turns at yaw_rate a2, the thrust per mass is g (1 + thrust a3):
//            v+ = v + (R e3 g (1 + thrust a3) - g e3 - drag v) dt, p+ = p + v+ dt.
//            Source: Kamel, Burri, Siegwart 2017, arXiv:1611.09240, the model under an attitude controller; differs:
//            the gains of the inner loop are 1, drag acts on all axes alike.
#pragma once
#include <mujoco/mujoco.h>

#include <cstddef>
#include <span>
#include <vector>

#include "physics/spec.h"

namespace vernier::physics {

class Dynamics {
 public:
  // Error PHYSICS when the arm's joints are not those of the kind.
  Dynamics(const DynamicsSpec& spec, const ArmSpec& arm, const mjModel& model, int substeps);

  // Entries of an action for an arm of `joints` joints.
  static std::size_t actionLength(const DynamicsSpec& spec, std::size_t joints);

  // One control step. False when a position or velocity is no longer finite.
  bool step(std::span<const float> action, mjData& data) const;

 private:
  struct Joint {
    int qpos, dof;
    double lo, hi;
  };
  void linear(std::span<const float> action, mjData& data) const;
  void unicycle(std::span<const float> action, mjData& data) const;
  void quadrotor(std::span<const float> action, mjData& data) const;
  // Moves joint k by `shift`; whether it stopped at the end of its range.
  bool move(std::size_t k, double shift, mjData& data) const;

  DynamicsSpec spec_;
  std::vector<Joint> joints_;
  double dt_;
  int substeps_;
  double decay_;  // of roll and pitch in one substep
};

}  // namespace vernier::physics
