#include "physics/batch.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <iterator>
#include <utility>

#include "core/error.h"
#include "core/philox.h"

namespace vernier::physics {
namespace {

constexpr std::uint64_t kStateMagic = 0x3130485059524556;  // "VERYPH01"
constexpr std::size_t kTasksPerThread = 16;
constexpr int kResetTries = 4;

template <class T>
std::span<T> row(std::span<T> all, std::size_t i, std::size_t width) {
  return all.subspan(i * width, width);
}
template <class T>
std::span<T> row(std::vector<T>& all, std::size_t i, std::size_t width) {
  return std::span<T>(all).subspan(i * width, width);
}
std::span<const double> slot(const std::vector<double>& outputs, const Slot& where) {
  return std::span<const double>(outputs).subspan(where.offset, where.length);
}

const char* warningText(const mjData& data) {
  if (data.warning[mjWARN_BADQPOS].number) return "the positions diverged (NaN or huge qpos)";
  if (data.warning[mjWARN_BADQVEL].number) return "the velocities diverged (NaN or huge qvel)";
  if (data.warning[mjWARN_BADQACC].number) return "the accelerations diverged (NaN or huge qacc)";
  if (data.warning[mjWARN_BADCTRL].number) return "a control is not finite";
  if (data.warning[mjWARN_INERTIA].number) return "the inertia matrix is singular";
  if (data.warning[mjWARN_CONTACTFULL].number) return "too many contacts for the model's memory";
  if (data.warning[mjWARN_CNSTRFULL].number) return "too many constraints for the model's memory";
  return nullptr;
}

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
  for (int i = 0; i < pool_.threads(); ++i) {
    Worker worker;
    if (randomizer_->parameters() > 0) worker.own_model = copyModel(*model_);
    worker.model = worker.own_model ? worker.own_model.get() : model_.get();
    worker.data = makeData(*model_);
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
  forEach([&](std::size_t i, Worker& worker) {
    finished_[i] = 0;
    resetOne(i, worker, episode);
    idle(i);
  });
}

void Batch::step() {
  forEach([&](std::size_t i, Worker& worker) { stepOne(i, worker); });
}

void Batch::idle(std::size_t i) {
  buffers_.reward[i] = 0;
  buffers_.terminated[i] = buffers_.truncated[i] = buffers_.success[i] = 0;
  if (!buffers_.final_robustness.empty()) buffers_.final_robustness[i] = std::nan("");
  if (monitor_) std::ranges::fill(row(buffers_.violated, i, monitor_->guards()), std::uint8_t{0});
  keepLast(i);
}

// What the automatic reset overwrites.
void Batch::keepLast(std::size_t i) {
  std::copy_n(row(buffers_.observation, i, O_).data(), O_, row(buffers_.final_observation, i, O_).data());
  const std::size_t P = buffers_.predicates.size() / B_;
  std::copy_n(row(buffers_.predicates, i, P).data(), P, row(buffers_.final_predicates, i, P).data());
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

// mj_step leaves what it derived one substep behind the positions: what the program reads is brought up to date.
// Contacts, contact forces, actuator forces and the sensors of accelerations stay those of the last substep.
void Batch::refresh(const mjModel& model, mjData& data) const {
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

// Reward and the end of the episode, after a step that went well.
void Batch::finish(std::size_t i, Worker& worker) {
  const ProgramSpec& p = spec_.program;
  const auto condition = slot(worker.outputs, p.success);
  const bool now = !condition.empty() && condition[0] != 0;
  held_[i] = now ? held_[i] + 1 : 0;
  bool success = held_[i] >= spec_.success_hold;
  const auto failures = slot(worker.outputs, p.failure);
  bool failure = !success && !failures.empty() && failures[0] != 0;
  const double judged = judge(i, worker, success, failure);
  double reward = success ? 1 : 0;
  if (p.reward.length > 0) {
    reward = 0;
    for (double term : slot(worker.outputs, p.reward)) reward += term;
  }
  buffers_.reward[i] = static_cast<float>(reward + judged);
  buffers_.success[i] = success;
  buffers_.terminated[i] = success || failure;
  buffers_.truncated[i] = !buffers_.terminated[i] && steps_[i] >= spec_.horizon;
  buffers_.steps[i] = steps_[i];
  keepLast(i);
  if (!buffers_.terminated[i] && !buffers_.truncated[i]) return;
  if (spec_.auto_reset) {
    resetOne(i, worker, episodes_[i] + 1);
  } else {
    finished_[i] = 1;
  }
}

// What the formulas make of the step: success and failure, and what they add to the reward.
double Batch::judge(std::size_t i, Worker& worker, bool& success, bool& failure) {
  if (!monitor_) return 0;
  const auto violated = row(buffers_.violated, i, monitor_->guards());
  const MonitorSample& sample = worker.sample;
  for (std::size_t g = 0; g < violated.size(); ++g) violated[g] = monitor_->violated(i, g);
  const bool terminates = failure || sample.must_stop;
  const bool ends = terminates || steps_[i] >= spec_.horizon;
  const Judgement judgement = monitor_->judge(i, sample, ends, terminates, worker.monitor_scratch);
  if (sample.must_stop) {
    success = false;
    failure = true;
  } else if (monitor_->hasSpecification()) {
    success = !failure && judgement.succeeds;
    failure = failure || judgement.fails;
  }
  if (monitor_->hasSpecification()) buffers_.final_robustness[i] = judgement.robustness;
  return judgement.reward;
}

// Notes a fault and clears what it left in the worker's data: warnings, half a stack.
void Batch::report(Worker& worker, Fault fault) {
  worker.faults.push_back(std::move(fault));
  trapped([&] { mj_resetData(worker.model, worker.data.get()); });
}

// The episode ends where it was before the step.
void Batch::fault(std::size_t i, Worker& worker, std::uint32_t step, const char* cause) {
  report(worker, {i, episodes_[i], step, cause});
  idle(i);
  buffers_.truncated[i] = 1;
  if (spec_.auto_reset) {
    resetOne(i, worker, episodes_[i] + 1);
  } else {
    finished_[i] = 1;
  }
}

void Batch::resetOne(std::size_t i, Worker& worker, std::uint32_t episode) {
  const char* cause = nullptr;
  for (int attempt = 0; attempt < kResetTries; ++attempt) {
    const std::uint32_t next = episode + static_cast<std::uint32_t>(attempt);
    const char* fatal = trapped([&] { cause = startEpisode(i, worker, next); });
    cause = fatal != nullptr ? fatal : cause;
    if (cause == nullptr) return;
    report(worker, {i, next, 0, cause});
  }
  worker.failure = "environment " + std::to_string(i) + " cannot start an episode: " + worker.faults.back().cause;
}

const char* Batch::startEpisode(std::size_t i, Worker& worker, std::uint32_t episode) {
  mjModel* model = worker.model;
  mjData* data = worker.data.get();
  const EpisodeKey key = keyOf(i, episode);
  const std::size_t parameters = randomizer_->parameters();
  if (parameters > 0) {
    randomizer_->load(randomizer_->nominal(), *model);
    randomizer_->drawParameters(key, *model, *data);
  }
  if (const char* cause = rest(key, i, worker)) return cause;
  episodes_[i] = buffers_.episode[i] = episode;
  steps_[i] = buffers_.steps[i] = held_[i] = 0;
  const std::size_t slots = static_cast<std::size_t>(spec_.latency_hi) + 1;
  const auto ring = row(queue_, i, slots * A_);
  for (std::size_t k = 0; k < slots; ++k) controller_.neutralAction(ring.subspan(k * A_, A_));
  PhiloxStream stream(key.seed, kLatencyStream, key.environment, key.episode);
  const int choices = spec_.latency_hi - spec_.latency_lo + 1;
  latency_[i] = spec_.latency_lo + static_cast<int>(stream.uniform() * choices);
  if (monitor_) monitor_->begin(i);
  const char* cause = observe(i, worker, ring.subspan(0, A_));
  if (monitor_) monitor_->enter(i, worker.sample);
  mj_getState(model, data, states_.data() + i * state_size_, static_cast<int>(state_spec_));
  return cause;
}

// Puts the simulation where the episode starts, everything that the program reads up to date.
const char* Batch::rest(const EpisodeKey& key, std::size_t i, Worker& worker) {
  mjModel* model = worker.model;
  mjData* data = worker.data.get();
  if (dynamics_) {
    mj_setState(model, data, home_.data(), static_cast<int>(state_spec_));
  } else if (model->nkey > 0) {
    mj_resetDataKeyframe(model, data, 0);
    data->time = 0;
  } else {
    mj_resetData(model, data);
  }
  if (!dynamics_) controller_.home(*model, *data);
  randomizer_->drawPositions(key, *model, *data);
  if (const std::size_t parameters = randomizer_->parameters(); parameters > 0) {
    randomizer_->store(*model, row(parameters_, i, parameters));
  }
  if (dynamics_) {
    refresh(*model, *data);
    return nullptr;
  }
  controller_.hold(*data, row(commands_, i, controller_.commandLength()));
  mj_forward(model, data);
  return warningText(*data);
}

EpisodeKey Batch::keyOf(std::size_t i, std::uint32_t episode) const {
  return {spec_.seed, spec_.first_environment + static_cast<std::uint32_t>(i), episode};
}

// Every byte of the state, in order.
template <class Visit>
void Batch::visitState(const Visit& visit) {
  auto bytes = [&](auto& values) { visit(values.data(), values.size() * sizeof(values[0])); };
  visit(&spec_.seed, sizeof(spec_.seed));
  visit(&spec_.first_environment, sizeof(spec_.first_environment));
  bytes(states_);
  bytes(parameters_);
  bytes(commands_);
  bytes(queue_);
  bytes(latency_);
  bytes(episodes_);
  bytes(steps_);
  bytes(held_);
  bytes(finished_);
  bytes(buffers_.observation);
  bytes(buffers_.final_observation);
  bytes(buffers_.reward);
  bytes(buffers_.terminated);
  bytes(buffers_.truncated);
  bytes(buffers_.success);
  bytes(buffers_.episode);
  bytes(buffers_.steps);
  bytes(buffers_.signals);
  bytes(buffers_.expert);
  if (!monitor_) return;
  bytes(monitor_->words());
  bytes(buffers_.robustness);
  bytes(buffers_.final_robustness);
  bytes(buffers_.predicates);
  bytes(buffers_.final_predicates);
  bytes(buffers_.violated);
}

std::array<std::uint64_t, 6> Batch::stateHeader() const {
  return {kStateMagic, model_->signature, B_, state_size_, parameters_.size(), stateSize()};
}

std::size_t Batch::stateSize() const {
  std::size_t size = sizeof(std::array<std::uint64_t, 6>);
  const_cast<Batch*>(this)->visitState([&](void*, std::size_t bytes) { size += bytes; });
  return size;
}

void Batch::getState(std::span<std::uint8_t> out) const {
  requireSize(out, stateSize(), "state");
  const auto header = stateHeader();
  std::uint8_t* target = out.data();
  std::memcpy(target, header.data(), sizeof(header));
  target += sizeof(header);
  const_cast<Batch*>(this)->visitState([&](const void* source, std::size_t bytes) {
    if (bytes > 0) std::memcpy(target, source, bytes);
    target += bytes;
  });
}

void Batch::setState(std::span<const std::uint8_t> in) {
  const auto expected = stateHeader();
  if (in.size() != stateSize() || std::memcmp(in.data(), expected.data(), sizeof(expected)) != 0) {
    throw Error("CHECKPOINT", "this environment state is of another model, task or number of environments");
  }
  const std::uint8_t* source = in.data() + sizeof(expected);
  visitState([&](void* target, std::size_t bytes) {
    if (bytes > 0) std::memcpy(target, source, bytes);
    source += bytes;
  });
  faults_.clear();
  if (monitor_ && !monitor_->isValid()) {
    monitor_->clear();
    throw Error("CHECKPOINT", "the monitors' part of this environment state is damaged; reset() before going on");
  }
}

void Batch::readEnvironment(std::size_t environment, mjModel& model, mjData& data) const {
  const std::size_t parameters = randomizer_->parameters();
  if (parameters > 0) {
    randomizer_->load(std::span<const double>(parameters_).subspan(environment * parameters, parameters), model);
  }
  mj_setState(&model, &data, states_.data() + environment * state_size_, static_cast<int>(state_spec_));
  if (dynamics_) data.time = steps_[environment] * period_;
}

}  // namespace vernier::physics
