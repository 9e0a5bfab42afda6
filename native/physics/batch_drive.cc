// A batch of one as the robot itself: its servos are told from outside where to be, at every physics step.
#include <algorithm>
#include <cmath>
#include <string>

#include "core/error.h"
#include "physics/batch.h"

namespace vernier::physics {
namespace {

void requireRoom(std::span<const double> values, mjtSize length, const char* name) {
  if (values.size() == static_cast<std::size_t>(length)) return;
  throw Error("SHAPE", std::string(name) + ": expected " + std::to_string(length) + " numbers, got " +
                           std::to_string(values.size()));
}

}  // namespace

void Batch::drive(std::span<const double> references, std::span<const double> velocities, bool judged,
                  const DrivenScene& out) {
  requireTwin();
  if (!controller_.servo()) throw Error("USAGE", "only position servos can be driven");
  const mjModel& model = *model_;
  const std::size_t C = controller_.commandLength(), joints = controller_.joints();
  const std::size_t substeps = references.size() / C;
  requireRoom(references, static_cast<mjtSize>(substeps * C), "references");
  requireRoom(velocities, static_cast<mjtSize>(substeps * joints), "velocities");
  requireRoom(out.qpos, model.nq, "qpos");
  requireRoom(out.qvel, model.nv, "qvel");
  requireRoom(out.force, model.nu, "force");
  requireRoom(out.position, 3 * model.nbody, "position");
  requireRoom(out.rotation, 4 * model.nbody, "rotation");
  for (const auto& values : {references, velocities}) {
    if (!std::ranges::all_of(values, [](double value) { return std::isfinite(value); })) {
      throw Error("NUMERIC", "where the servos shall be is not finite");
    }
  }
  Worker& worker = workers_[0];
  mjData& data = *worker.data;
  loadTwin();
  const char* cause = nullptr;
  const char* fatal = trapped([&] {
    for (std::size_t k = 0; k < substeps && cause == nullptr; ++k) {
      const auto reference = references.subspan(k * C, C);
      controller_.drive(data, reference, velocities.subspan(k * joints, joints));
      mj_step(worker.model, &data);
      std::ranges::copy(reference, commands_.begin());
      cause = judged ? judgeDriven(worker) : warningText(data);
    }
    mj_kinematics(worker.model, &data);
  });
  cause = fatal != nullptr ? fatal : cause;
  if (cause != nullptr) throw Error("PHYSICS", cause);
  mj_getState(worker.model, &data, states_.data(), static_cast<int>(state_spec_));
  std::copy_n(data.qpos, out.qpos.size(), out.qpos.begin());
  std::copy_n(data.qvel, out.qvel.size(), out.qvel.begin());
  std::copy_n(data.actuator_force, out.force.size(), out.force.begin());
  std::copy_n(data.xpos, out.position.size(), out.position.begin());
  std::copy_n(data.xquat, out.rotation.size(), out.rotation.begin());
}

// After every physics step; a control step of the episode is over after as many of them as in training.
const char* Batch::judgeDriven(Worker& worker) {
  if (const char* cause = warningText(*worker.data)) return cause;
  if (finished_[0] || ++driven_ < spec_.substeps) return nullptr;
  driven_ = 0;
  ++steps_[0];
  refresh(*worker.model, *worker.data);
  effective_.resize(A_);
  controller_.neutralAction(effective_);
  if (const char* cause = observe(0, worker, effective_)) return cause;
  finish(0, worker);
  return nullptr;
}

}  // namespace vernier::physics
