#include "physics/batch.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "core/error.h"
#include "core/philox.h"
#include "physics/rows.h"

namespace vernier::physics {
namespace {

constexpr std::size_t kTasksPerThread = 16;

template <class T>
void requireSize(std::span<T> buffer, std::size_t size, const char* name) {
  if (buffer.size() != size) {
    throw Error("SHAPE", std::string("buffer ") + name + ": expected " + std::to_string(size) + " elements, got " +
                             std::to_string(buffer.size()));
  }
}

ModelPtr prepared(ModelPtr model, double timestep) {
  if (timestep > 0) model->opt.timestep = timestep;
  return model;
}

// Whether no frame that the program reads can move.
bool readsStaticFramesOnly(const expr::Program& program, const mjModel& model) {
  return std::ranges::all_of(program.instructions(), [&model](const expr::Instruction& in) {
    const int body = expr::frameBody(in, model);
    return body < 0 || (model.body_weldid[body] == 0 && model.body_mocapid[body] < 0);
  });
}

}  // namespace

Batch::Batch(const BatchSpec& spec, ModelPtr model, const Buffers& buffers)
    : spec_(spec),
      model_(prepared(std::move(model), spec.timestep)),
      buffers_(buffers),
      controller_(spec.control, *model_, spec.substeps),
      dynamics_(spec.control.dynamics ? std::make_optional<const Dynamics>(*spec.control.dynamics, spec.control.arm,
                                                                           *model_, spec.substeps)
                                      : std::nullopt),
      program_(expr::Program::decode(spec.program.code, *model_)),
      monitor_(spec.monitor ? std::make_optional<TaskMonitor>(*spec.monitor, spec.environments) : std::nullopt),
      pool_(static_cast<int>(std::min<std::size_t>(std::max(spec.threads, 1), spec.environments))),
      period_(spec.substeps * model_->opt.timestep),
      B_(spec.environments),
      O_(spec.program.observation.length + (spec.monitor ? spec.monitor->observed.size() : 0)),
      A_(controller_.actionLength()) {
  if (program_.actionLength() > A_ || program_.commandLength() > controller_.commandLength()) {
    throw Error("SHAPE", "the program reads a longer action or command than the control mode has");
  }
  const ProgramSpec& p = spec_.program;
  for (const Slot& part : {p.signals, p.observation, p.reward, p.success, p.failure, p.expert, p.monitor}) {
    if (part.offset + part.length > program_.outputs())
      throw Error("SHAPE", "a program group lies outside its outputs");
  }
  requireSize(buffers_.action, B_ * A_, "action");
  requireSize(buffers_.observation, B_ * O_, "observation");
  requireSize(buffers_.final_observation, B_ * O_, "finalObservation");
  requireSize(buffers_.reward, B_, "reward");
  requireSize(buffers_.terminated, B_, "terminated");
  requireSize(buffers_.truncated, B_, "truncated");
  requireSize(buffers_.success, B_, "success");
  requireSize(buffers_.active, B_, "active");
  requireSize(buffers_.episode, B_, "episode");
  requireSize(buffers_.steps, B_, "steps");
  requireSize(buffers_.signals, B_ * p.signals.length, "signals");
  requireSize(buffers_.final_signals, B_ * p.signals.length, "finalSignals");
  requireSize(buffers_.expert, B_ * p.expert.length, "expert");
  const bool judged = monitor_ && monitor_->hasSpecification();
  requireSize(buffers_.robustness, judged ? 2 * B_ : 0, "robustness");
  requireSize(buffers_.final_robustness, judged ? B_ : 0, "finalRobustness");
  const std::size_t predicates = judged ? B_ * monitor_->specificationPredicates() : 0;
  requireSize(buffers_.predicates, predicates, "predicates");
  requireSize(buffers_.final_predicates, predicates, "finalPredicates");
  requireSize(buffers_.violated, monitor_ ? B_ * monitor_->guards() : 0, "violated");
  if (p.monitor.length != (monitor_ ? monitor_->predicates() : 0)) {
    throw Error("SHAPE", "the program's monitor group does not have the predicates of the formulas");
  }
  state_spec_ = dynamics_ ? mjSTATE_QPOS | mjSTATE_QVEL : mjSTATE_FULLPHYSICS | mjSTATE_WARMSTART;
  if (model_->nmocap > 0) state_spec_ |= mjSTATE_MOCAP_POS | mjSTATE_MOCAP_QUAT;
  if (model_->neq > 0 && !dynamics_) state_spec_ |= mjSTATE_EQ_ACTIVE;
  state_size_ = static_cast<std::size_t>(mj_stateSize(model_.get(), static_cast<int>(state_spec_)));
  buildWorkers();
  states_.resize(B_ * state_size_);
  parameters_.resize(B_ * randomizer_->parameters());
  commands_.resize(B_ * controller_.commandLength());
  queue_.resize(B_ * (static_cast<std::size_t>(spec_.latency_hi) + 1) * A_);
  latency_.resize(B_);
  episodes_.resize(B_);
  steps_.resize(B_);
  held_.resize(B_);
  finished_.resize(B_);
  reset(spec_.seed, 0, spec_.first_environment);
}

void Batch::buildWorkers() {
  DataPtr data = makeData(*model_);
  const char* fatal = trapped([&] {
    if (model_->nkey > 0) mj_resetDataKeyframe(model_.get(), data.get(), 0);
    controller_.home(*model_, *data);
    mj_forward(model_.get(), data.get());
    controller_.rememberHome(*data);
  });
  if (fatal != nullptr) throw Error("PHYSICS", std::string("the model's home position fails: ") + fatal);
  home_.resize(state_size_);
  mj_getState(model_.get(), data.get(), home_.data(), static_cast<int>(state_spec_));
  randomizer_ = std::make_unique<const Randomizer>(spec_.randomize, *model_, *data);
  frames_rest_ = dynamics_ && randomizer_->parameters() == 0 && readsStaticFramesOnly(program_, *model_);
  for (int i = 0; i < pool_.threads(); ++i) {
    Worker worker;
    if (randomizer_->parameters() > 0) worker.own_model = copyModel(*model_);
    worker.model = worker.own_model ? worker.own_model.get() : model_.get();
    worker.data = makeData(*model_);
    if (frames_rest_) trapped([&] { derive(*worker.model, *worker.data); });
    worker.plan = controller_.plan();
    worker.registers.resize(program_.registers());
    worker.outputs.resize(program_.outputs());
    if (monitor_) worker.monitor_scratch.resize(monitor_->scratchWords());
    workers_.push_back(std::move(worker));
  }
}

template <class Body>
void Batch::forEach(const Body& body) {
  const std::size_t share =
      std::max<std::size_t>(1, B_ / (static_cast<std::size_t>(pool_.threads()) * kTasksPerThread));
  const std::size_t tasks = (B_ + share - 1) / share;
  pool_.run(tasks, [&](std::size_t task, int worker) {
    const std::size_t end = std::min(B_, (task + 1) * share);
    for (std::size_t i = task * share; i < end; ++i) body(i, workers_[static_cast<std::size_t>(worker)]);
  });
  faults_.clear();
  for (Worker& worker : workers_) {
    std::move(worker.faults.begin(), worker.faults.end(), std::back_inserter(faults_));
    worker.faults.clear();
  }
  std::sort(faults_.begin(), faults_.end(),
            [](const Fault& a, const Fault& b) { return a.environment < b.environment; });
  for (Worker& worker : workers_) {
    if (worker.failure.empty()) continue;
    const std::string failure = std::exchange(worker.failure, {});
    throw Error("PHYSICS", failure);
  }
}

void Batch::reset(std::uint32_t seed, std::uint32_t episode, std::uint32_t first_environment) {
  spec_.seed = seed;
  spec_.first_environment = first_environment;
  driven_ = 0;
  forEach([&](std::size_t i, Worker& worker) {
    finished_[i] = 0;
    resetOne(i, worker, episode);
    idle(i);
  });
}

void Batch::step() {
  forEach([&](std::size_t i, Worker& worker) { stepOne(i, worker); });
}

void Batch::stepOne(std::size_t i, Worker& worker) {
  if (!buffers_.active[i] || finished_[i]) {
    idle(i);
    return;
  }
  const std::uint32_t step = steps_[i];
  if (const char* cause = advance(i, worker)) {
    fault(i, worker, step, cause);
  } else {
    finish(i, worker);
  }
}

// Returns what went wrong, or nullptr with the environment stepped, observed and saved.
const char* Batch::advance(std::size_t i, Worker& worker) {
  const auto action = row(buffers_.action, i, A_);
  for (float a : action) {
    if (!std::isfinite(a)) return "the action is not finite";
  }
  const auto effective = delayed(i, action);
  const char* cause = nullptr;
  const char* fatal = trapped([&] { cause = simulate(i, worker, effective); });
  return fatal != nullptr ? fatal : cause;
}

// Puts the clipped action into the ring and returns the one that takes effect now.
std::span<const float> Batch::delayed(std::size_t i, std::span<const float> action) {
  const std::size_t slots = static_cast<std::size_t>(spec_.latency_hi) + 1;
  const auto ring = row(queue_, i, slots * A_);
  const std::size_t now = steps_[i] % slots;
  for (std::size_t k = 0; k < A_; ++k) ring[now * A_ + k] = std::clamp(action[k], -1.0f, 1.0f);
  const std::size_t past = (now + slots - static_cast<std::size_t>(latency_[i])) % slots;
  return ring.subspan(past * A_, A_);
}

const char* Batch::simulate(std::size_t i, Worker& worker, std::span<const float> action) {
  mjModel* model = worker.model;
  mjData* data = worker.data.get();
  const std::size_t parameters = randomizer_->parameters();
  if (parameters > 0) randomizer_->load(row(parameters_, i, parameters), *model);
  mj_setState(model, data, states_.data() + i * state_size_, static_cast<int>(state_spec_));
  if (const char* cause = integrate(i, worker, action)) return cause;
  ++steps_[i];
  refresh(*model, *data);
  const char* cause = observe(i, worker, action);
  mj_getState(model, data, states_.data() + i * state_size_, static_cast<int>(state_spec_));
  return cause;
}

// One control step of what the worker's data holds.
const char* Batch::integrate(std::size_t i, Worker& worker, std::span<const float> action) {
  mjData* data = worker.data.get();
  if (dynamics_) return dynamics_->step(action, *data) ? nullptr : "the positions diverged (NaN or huge qpos)";
  controller_.begin(*worker.model, *data, action, row(commands_, i, controller_.commandLength()), worker.plan);
  for (int k = 0; k < spec_.substeps; ++k) {
    controller_.apply(*data, k, worker.plan);
    mj_step(worker.model, data);
  }
  return warningText(*data);
}

void Batch::refresh(const mjModel& model, mjData& data) const {
  if (!frames_rest_) derive(model, data);
}

// mj_step leaves what it derived one substep behind the positions: what the program reads is brought up to date.
// Contacts, contact forces, actuator forces and the sensors of accelerations stay those of the last substep.
void Batch::derive(const mjModel& model, mjData& data) const {
  const unsigned needs = program_.needs();
  if (needs & (expr::kNeedsPosition | expr::kNeedsVelocity | expr::kNeedsSensor)) mj_kinematics(&model, &data);
  if (needs & (expr::kNeedsVelocity | expr::kNeedsSensor)) {
    mj_comPos(&model, &data);
    mj_comVel(&model, &data);
  }
  if (needs & expr::kNeedsSensor) {
    mj_camlight(&model, &data);
    mj_tendon(&model, &data);
    mj_transmission(&model, &data);
    mj_fwdVelocity(&model, &data);
    mj_sensorPos(&model, &data);
    mj_sensorVel(&model, &data);
  }
}

// Evaluates the program and writes observation, signals and expert. Returns what went wrong.
const char* Batch::observe(std::size_t i, Worker& worker, std::span<const float> action) {
  const expr::Frame frame{worker.model,
                          worker.data.get(),
                          steps_[i] * period_,
                          static_cast<double>(steps_[i]),
                          action,
                          row(commands_, i, controller_.commandLength())};
  expr::evaluate(program_, frame, worker.registers, worker.outputs);
  const ProgramSpec& p = spec_.program;
  for (const Slot* part : {&p.observation, &p.reward}) {
    for (double value : slot(worker.outputs, *part)) {
      if (!std::isfinite(value)) {
        return part == &p.observation ? "an observation is not finite" : "a reward term is not finite";
      }
    }
  }
  writeObservation(i, slot(worker.outputs, p.observation));
  if (monitor_) {
    const auto features = row(buffers_.observation, i, O_).subspan(p.observation.length);
    const auto predicates = slot(worker.outputs, p.monitor);
    if (!monitor_->take(i, predicates, worker.monitor_scratch, features, worker.sample)) {
      return "the robustness of a predicate is NaN";
    }
    if (monitor_->hasSpecification()) {
      buffers_.robustness[2 * i] = worker.sample.reading.lower;
      buffers_.robustness[2 * i + 1] = worker.sample.reading.upper;
    }
  }
  if (!buffers_.predicates.empty()) {
    const std::size_t P = monitor_->specificationPredicates();
    std::copy_n(slot(worker.outputs, p.monitor).data(), P, row(buffers_.predicates, i, P).data());
  }
  std::ranges::copy(slot(worker.outputs, p.signals), row(buffers_.signals, i, p.signals.length).begin());
  std::ranges::copy(slot(worker.outputs, p.expert), row(buffers_.expert, i, p.expert.length).begin());
  return nullptr;
}

void Batch::writeObservation(std::size_t i, std::span<const double> values) {
  const std::size_t n = values.size();
  const auto out = row(buffers_.observation, i, O_);
  for (std::size_t k = 0; k < n; ++k) out[k] = static_cast<float>(values[k]);
  if (spec_.observation_noise == 0) return;
  const EpisodeKey key = keyOf(i, episodes_[i]);
  PhiloxStream stream(key.seed, kNoiseStream, key.environment, key.episode);
  stream.seekBlock(static_cast<std::uint64_t>(steps_[i]) * ((n + 1) / 2));
  for (std::size_t k = 0; k < n; ++k) {
    out[k] = static_cast<float>(values[k] + spec_.observation_noise * stream.normal());
  }
}

EpisodeKey Batch::keyOf(std::size_t i, std::uint32_t episode) const {
  return {spec_.seed, spec_.first_environment + static_cast<std::uint32_t>(i), episode};
}

}  // namespace vernier::physics
