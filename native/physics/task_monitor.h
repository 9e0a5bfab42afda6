// The formulas of a task, per environment: whether they hold, what they add to reward and observation.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "physics/spec.h"
#include "stl/monitor.h"

namespace vernier::physics {

// What one sample told.
struct MonitorSample {
  stl::Reading reading;  // of the specification
  std::vector<stl::Reading> stages;
  bool must_stop = false;  // a guard that terminates is violated
};

struct Judgement {
  bool succeeds = false, fails = false;
  double robustness;  // of the episode where it ends, else NaN
  double reward = 0;
};

class TaskMonitor {
 public:
  // Error PLAN when a program is malformed.
  TaskMonitor(const MonitorSpec& spec, std::size_t environments);

  bool hasSpecification() const { return specification_.has_value(); }
  std::size_t guards() const { return guards_.size(); }
  std::size_t predicates() const { return predicates_; }
  std::size_t specificationPredicates() const { return specification_ ? specification_->predicates() : 0; }
  std::size_t scratchWords() const { return scratch_words_; }

  // An episode begins; its first sample follows, and then enter() with what that told.
  void begin(std::size_t i);
  void enter(std::size_t i, const MonitorSample& first);
  // Takes in one sample and writes the observed registers. False when a predicate is NaN.
  bool take(std::size_t i, std::span<const double> predicates, std::span<double> scratch, std::span<float> features,
            MonitorSample& out);
  // Whether guard g was violated at the last sample.
  bool violated(std::size_t i, std::size_t g) const { return rowOf(i)[1 + g] != 0; }
  // After take(). Whatever the formula says, the episode may end here for another reason; `terminates` when nothing of
  // worth follows.
  Judgement judge(std::size_t i, const MonitorSample& sample, bool ends, bool terminates, std::span<double> scratch);

  // Everything that is kept, for checkpoints; isValid() after it was overwritten.
  std::vector<double>& words() { return words_; }
  bool isValid() const;
  bool isValid(std::size_t i) const;
  void clear();

 private:
  struct Guard {
    stl::Program program;
    bool terminates;
    std::size_t predicates_at, state_at;
  };
  struct Stage {
    stl::Program program;
    std::size_t state_at;
  };
  std::span<double> rowOf(std::size_t i) { return std::span(words_).subspan(i * row_words_, row_words_); }
  std::span<const double> rowOf(std::size_t i) const { return std::span(words_).subspan(i * row_words_, row_words_); }
  double potential(const stl::Reading& reading) const;
  double shaping(std::size_t i, const MonitorSample& sample, bool terminates);
  double progress(std::size_t i, const MonitorSample& sample, bool ends, std::span<double> scratch);

  MonitorSpec spec_;
  std::optional<stl::Program> specification_;
  std::vector<Guard> guards_;
  std::vector<Stage> stages_;
  std::size_t predicates_ = 0, scratch_words_ = 0, row_words_ = 1, specification_at_ = 0;
  std::vector<double> words_;  // [B, row]: the potential or the stages paid, what guards are violated, states
};

}  // namespace vernier::physics
