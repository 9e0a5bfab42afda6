// How episodes of a batch begin and end.
#include <algorithm>
#include <cmath>
#include <utility>

#include "core/philox.h"
#include "physics/batch.h"
#include "physics/rows.h"

namespace vernier::physics {
namespace {

constexpr int kResetTries = 4;

}  // namespace

// What the automatic reset overwrites.
void Batch::keepLast(std::size_t i) {
  std::copy_n(row(buffers_.observation, i, O_).data(), O_, row(buffers_.final_observation, i, O_).data());
  const std::size_t S = spec_.program.signals.length;
  std::copy_n(row(buffers_.signals, i, S).data(), S, row(buffers_.final_signals, i, S).data());
  const std::size_t P = buffers_.predicates.size() / B_;
  std::copy_n(row(buffers_.predicates, i, P).data(), P, row(buffers_.final_predicates, i, P).data());
}

void Batch::idle(std::size_t i) {
  buffers_.reward[i] = 0;
  buffers_.terminated[i] = buffers_.truncated[i] = buffers_.success[i] = 0;
  if (!buffers_.final_robustness.empty()) buffers_.final_robustness[i] = std::nan("");
  if (monitor_) std::ranges::fill(row(buffers_.violated, i, monitor_->guards()), std::uint8_t{0});
  keepLast(i);
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
  trapped([&] {
    mj_resetData(worker.model, worker.data.get());
    if (frames_rest_) derive(*worker.model, *worker.data);
  });
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
  if (const char* cause = placeAtStart(key, i, worker)) return cause;
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

// Puts the simulation where the episode starts, with all that the program reads up to date.
const char* Batch::placeAtStart(const EpisodeKey& key, std::size_t i, Worker& worker) {
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

}  // namespace vernier::physics
