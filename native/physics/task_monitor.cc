#include "physics/task_monitor.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/error.h"

namespace vernier::physics {

TaskMonitor::TaskMonitor(const MonitorSpec& spec, std::size_t environments) : spec_(spec) {
  row_words_ = 1 + spec.guards.size();
  const auto keep = [&](const stl::Program& program) {
    scratch_words_ = std::max(scratch_words_, program.scratchWords());
    row_words_ += program.stateWords();
    return row_words_ - program.stateWords();
  };
  const auto place = [&](const stl::Program& program) {
    predicates_ += program.predicates();
    return keep(program);
  };
  if (!spec.code.empty()) {
    specification_ = stl::Program::decode(spec.code);
    specification_at_ = place(*specification_);
  }
  for (const MonitorSpec::Guard& guard : spec.guards) {
    const std::size_t at = predicates_;
    stl::Program program = stl::Program::decode(guard.code);
    if (program.value() < 0) throw Error("PLAN", "a guard has no value: its future is unbounded");
    const std::size_t state_at = place(program);
    guards_.push_back({std::move(program), guard.terminates, at, state_at});
  }
  for (const std::vector<double>& code : spec.stages) {
    stl::Program program = stl::Program::decode(code);
    if (!specification_ || program.predicates() != specification_->predicates()) {
      throw Error("PLAN", "a stage is not of the specification's predicates");
    }
    const std::size_t state_at = keep(program);
    stages_.push_back({std::move(program), state_at});
  }
  if (spec.reward == MonitorSpec::Reward::kStage && stages_.empty())
    throw Error("PLAN", "there are no stages to reward");
  for (const std::uint32_t observed : spec.observed) {
    if (!specification_ || observed >= specification_->operations().size()) {
      throw Error("PLAN", "an observed register is not one of the specification");
    }
  }
  words_.resize(environments * row_words_);
}

void TaskMonitor::begin(std::size_t i) { std::ranges::fill(rowOf(i), 0.0); }

void TaskMonitor::enter(std::size_t i, const MonitorSample& first) {
  rowOf(i)[0] = spec_.reward == MonitorSpec::Reward::kStage ? progress(i, first, false, {}) : potential(first.reading);
}

bool TaskMonitor::take(std::size_t i, std::span<const double> predicates, std::span<double> scratch,
                       std::span<float> features, MonitorSample& out) {
  if (std::ranges::any_of(predicates, [](double x) { return std::isnan(x); })) return false;
  const auto row = rowOf(i);
  out.must_stop = false;
  for (std::size_t g = 0; g < guards_.size(); ++g) {
    const Guard& guard = guards_[g];
    const auto inputs = predicates.subspan(guard.predicates_at, guard.program.predicates());
    const auto state = row.subspan(guard.state_at, guard.program.stateWords());
    const bool violated = stl::step(guard.program, inputs, state, scratch).holds == stl::Verdict::kViolated;
    row[1 + g] = violated;
    out.must_stop = out.must_stop || (violated && guard.terminates);
  }
  if (!specification_) return true;
  const auto state = row.subspan(specification_at_, specification_->stateWords());
  out.reading = stl::step(*specification_, predicates.first(specification_->predicates()), state, scratch);
  for (std::size_t k = 0; k < features.size(); ++k) {
    features[k] = static_cast<float>(std::clamp(scratch[spec_.observed[k]] / spec_.clip, -1.0, 1.0));
  }
  out.stages.clear();
  for (const Stage& stage : stages_) {
    const auto kept = row.subspan(stage.state_at, stage.program.stateWords());
    out.stages.push_back(stl::step(stage.program, predicates.first(stage.program.predicates()), kept, scratch));
  }
  return true;
}

// 0 while nothing is known, and within +-weight * clip.
double TaskMonitor::potential(const stl::Reading& reading) const {
  if (spec_.reward != MonitorSpec::Reward::kPotential) return 0;
  const double lower = std::clamp(reading.lower, -spec_.clip, spec_.clip);
  const double upper = std::clamp(reading.upper, -spec_.clip, spec_.clip);
  return spec_.weight * (lower + upper) / 2;
}

double TaskMonitor::shaping(std::size_t i, const MonitorSample& sample, bool terminates) {
  const double next = terminates ? 0 : potential(sample.reading);
  return spec_.discount * next - std::exchange(rowOf(i)[0], next);
}

// The share of the stages that hold however the episode goes on; where it succeeds or is cut off (`ends`), as their end
// has it.
double TaskMonitor::progress(std::size_t i, const MonitorSample& sample, bool ends, std::span<double> scratch) {
  double reached = 0;
  for (std::size_t k = 0; k < stages_.size(); ++k) {
    const stl::Reading& last = sample.stages[k];
    stl::Verdict verdict = last.verdict;
    if (ends && verdict == stl::Verdict::kOpen) {
      const auto kept = rowOf(i).subspan(stages_[k].state_at, stages_[k].program.stateWords());
      verdict = stl::finish(stages_[k].program, last, kept, scratch).verdict;
    }
    reached += verdict == stl::Verdict::kSatisfied;
  }
  return reached / static_cast<double>(stages_.size());
}

Judgement TaskMonitor::judge(std::size_t i, const MonitorSample& sample, bool ends, bool terminates,
                             std::span<double> scratch) {
  Judgement out;
  out.robustness = std::nan("");
  if (!specification_) return out;
  const auto row = rowOf(i);
  const bool decided = sample.reading.verdict != stl::Verdict::kOpen && (spec_.terminates || ends);
  if (decided || ends) {
    const auto state = row.subspan(specification_at_, specification_->stateWords());
    const stl::Ending ending = stl::finish(*specification_, sample.reading, state, scratch);
    const stl::Verdict verdict = decided ? sample.reading.verdict : ending.verdict;
    out.succeeds = verdict == stl::Verdict::kSatisfied;
    out.fails = decided && !out.succeeds;
    out.robustness = ending.robustness;
  }
  if (spec_.reward == MonitorSpec::Reward::kFinal && !std::isnan(out.robustness)) {
    out.reward = spec_.weight * std::clamp(out.robustness, -spec_.clip, spec_.clip);
  } else if (spec_.reward == MonitorSpec::Reward::kPotential) {
    out.reward = shaping(i, sample, terminates || out.succeeds || out.fails);
  } else if (spec_.reward == MonitorSpec::Reward::kStage) {
    const double reached = progress(i, sample, out.succeeds || (ends && !terminates && !out.fails), scratch);
    out.reward = spec_.weight * (reached - std::exchange(row[0], reached));
  }
  return out;
}

bool TaskMonitor::isValid() const {
  for (std::size_t i = 0; i * row_words_ < words_.size(); ++i) {
    if (!isValid(i)) return false;
  }
  return true;
}

bool TaskMonitor::isValid(std::size_t i) const {
  const auto row = rowOf(i);
  if (specification_ && !specification_->validState(row.subspan(specification_at_, specification_->stateWords()))) {
    return false;
  }
  const auto isKept = [&](const auto& part) {
    return part.program.validState(row.subspan(part.state_at, part.program.stateWords()));
  };
  return std::ranges::all_of(guards_, isKept) && std::ranges::all_of(stages_, isKept);
}

void TaskMonitor::clear() { std::ranges::fill(words_, 0.0); }

}  // namespace vernier::physics
