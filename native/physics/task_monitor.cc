#include "physics/task_monitor.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace vernier::physics {

TaskMonitor::TaskMonitor(const MonitorSpec& spec, std::size_t environments) : spec_(spec) {
  row_words_ = 1 + spec.guards.size();
  const auto place = [&](const stl::Program& program) {
    predicates_ += program.predicates();
    scratch_words_ = std::max(scratch_words_, program.scratchWords());
    row_words_ += program.stateWords();
    return row_words_ - program.stateWords();
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
  for (const std::uint32_t observed : spec.observed) {
    if (!specification_ || observed >= specification_->operations().size()) {
      throw Error("PLAN", "an observed register is not one of the specification");
    }
  }
  words_.resize(environments * row_words_);
}

void TaskMonitor::begin(std::size_t i) { std::ranges::fill(rowOf(i), 0.0); }

void TaskMonitor::enter(std::size_t i, const MonitorSample& first) { rowOf(i)[0] = potential(first.reading); }

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
  return true;
}

// 0 while nothing is known, and within +-weight * clip.
double TaskMonitor::potential(const stl::Reading& reading) const {
  if (spec_.reward != MonitorSpec::Reward::kPotential) return 0;
  const double lower = std::clamp(reading.lower, -spec_.clip, spec_.clip);
  const double upper = std::clamp(reading.upper, -spec_.clip, spec_.clip);
  return spec_.weight * (lower + upper) / 2;
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
    const double next = terminates || out.succeeds || out.fails ? 0 : potential(sample.reading);
    out.reward = spec_.discount * next - row[0];
    row[0] = next;
  }
  return out;
}

bool TaskMonitor::isValid() const {
  for (std::size_t i = 0; i * row_words_ < words_.size(); ++i) {
    const auto row = rowOf(i);
    if (specification_ && !specification_->validState(row.subspan(specification_at_, specification_->stateWords()))) {
      return false;
    }
    for (const Guard& guard : guards_) {
      if (!guard.program.validState(row.subspan(guard.state_at, guard.program.stateWords()))) return false;
    }
  }
  return true;
}

void TaskMonitor::clear() { std::ranges::fill(words_, 0.0); }

}  // namespace vernier::physics
