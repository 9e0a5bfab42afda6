// A batch of one whose state comes from a robot's sensors: what step() does, without mj_step between.
#include <algorithm>
#include <cmath>
#include <string>

#include "core/error.h"
#include "physics/batch.h"
#include "physics/rows.h"

namespace vernier::physics {
namespace {

void requireLength(std::span<const double> values, mjtSize length, const char* name) {
  if (values.size() != static_cast<std::size_t>(length)) {
    throw Error("SHAPE", std::string(name) + ": expected " + std::to_string(length) + " numbers, got " +
                             std::to_string(values.size()));
  }
  if (!std::ranges::all_of(values, [](double value) { return std::isfinite(value); })) {
    throw Error("NUMERIC", std::string(name) + " is not finite");
  }
}

}  // namespace

void Batch::requireTwin() const {
  if (B_ != 1 || dynamics_) throw Error("USAGE", "only a batch of one environment in MuJoCo can be a robot's twin");
}

void Batch::sense(const SensedScene& scene, bool begins) {
  requireTwin();
  Worker& worker = workers_[0];
  mjModel& model = *worker.model;
  mjData& data = *worker.data;
  requireLength(scene.qpos, model.nq, "qpos");
  requireLength(scene.qvel, model.nv, "qvel");
  requireLength(scene.mocap_pos, 3 * model.nmocap, "mocapPos");
  requireLength(scene.mocap_quat, 4 * model.nmocap, "mocapQuat");
  requireLength(scene.body_pos, 3 * model.nbody, "bodyPos");
  requireLength(scene.body_quat, 4 * model.nbody, "bodyQuat");
  if (!begins && finished_[0]) throw Error("STATE", "the episode is over: begin another one");
  faults_.clear();
  loadTwin();
  std::ranges::copy(scene.qpos, data.qpos);
  std::ranges::copy(scene.qvel, data.qvel);
  std::ranges::copy(scene.mocap_pos, data.mocap_pos);
  std::ranges::copy(scene.mocap_quat, data.mocap_quat);
  std::ranges::copy(scene.body_pos, model.body_pos);
  std::ranges::copy(scene.body_quat, model.body_quat);
  if (begins) beginTwin(worker);
  const std::uint32_t steps = begins ? 0 : steps_[0] + 1;
  steps_[0] = buffers_.steps[0] = steps;
  const char* cause = nullptr;
  const char* fatal = trapped([&] {
    derive(model, data);
    cause = observe(0, worker, effective_);
  });
  cause = fatal != nullptr ? fatal : cause;
  if (cause != nullptr) throw Error("NUMERIC", cause);
  if (randomizer_->parameters() > 0) randomizer_->store(model, parameters_);
  mj_getState(&model, &data, states_.data(), static_cast<int>(state_spec_));
  if (!begins) {
    finish(0, worker);
    return;
  }
  if (monitor_) monitor_->enter(0, worker.sample);
  idle(0);
}

// An episode starts where the arm is: what startEpisode() does but for placing things.
void Batch::beginTwin(Worker& worker) {
  controller_.hold(*worker.data, commands_);
  effective_.resize(A_);
  controller_.neutralAction(effective_);
  held_[0] = 0;
  finished_[0] = 0;
  if (monitor_) monitor_->begin(0);
}

void Batch::command(std::span<double> out) {
  requireTwin();
  if (out.size() != controller_.commandLength()) {
    throw Error("SHAPE", "the command has " + std::to_string(controller_.commandLength()) + " numbers, got room for " +
                             std::to_string(out.size()));
  }
  if (effective_.empty()) throw Error("STATE", "sense() the beginning of an episode first");
  if (!std::ranges::all_of(buffers_.action, [](float a) { return std::isfinite(a); })) {
    throw Error("NUMERIC", "the action is not finite");
  }
  for (std::size_t k = 0; k < A_; ++k) effective_[k] = std::clamp(buffers_.action[k], -1.0f, 1.0f);
  Worker& worker = workers_[0];
  loadTwin();
  const char* fatal = trapped([&] {
    controller_.begin(*worker.model, *worker.data, effective_, commands_, worker.plan);
    controller_.apply(*worker.data, spec_.substeps - 1, worker.plan);
  });
  if (fatal != nullptr) throw Error("PHYSICS", fatal);
  std::ranges::copy(commands_, out.begin());
}

void Batch::frameAt(std::span<const double> qpos, int kind, int id, std::span<double, 7> out) {
  requireTwin();
  const mjModel& model = *workers_[0].model;
  mjData& data = *workers_[0].data;
  requireLength(qpos, model.nq, "qpos");
  const mjtSize count = kind == 0 ? model.nbody : kind == 1 ? model.nsite : kind == 2 ? model.ngeom : 0;
  if (id < 0 || id >= count) throw Error("USAGE", "there is no such frame");
  loadTwin();
  std::ranges::copy(qpos, data.qpos);
  const char* fatal = trapped([&] { mj_kinematics(&model, &data); });
  if (fatal != nullptr) throw Error("PHYSICS", fatal);
  const double* position = kind == 0 ? data.xpos : kind == 1 ? data.site_xpos : data.geom_xpos;
  mju_copy3(out.data(), position + 3 * id);
  if (kind == 0) {
    mju_copy4(out.data() + 3, data.xquat + 4 * id);
  } else {
    const int body = kind == 1 ? model.site_bodyid[id] : model.geom_bodyid[id];
    mju_mulQuat(out.data() + 3, data.xquat + 4 * body, (kind == 1 ? model.site_quat : model.geom_quat) + 4 * id);
  }
}

// The kept state into the worker's data and model.
void Batch::loadTwin() {
  Worker& worker = workers_[0];
  if (randomizer_->parameters() > 0) randomizer_->load(parameters_, *worker.model);
  mj_setState(worker.model, worker.data.get(), states_.data(), static_cast<int>(state_spec_));
}

}  // namespace vernier::physics
