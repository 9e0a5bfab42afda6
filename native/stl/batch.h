// One monitor over B traces, which take in their samples together.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/pool.h"
#include "stl/monitor.h"

namespace vernier::stl {

// What feed() writes, [T, B] each; an empty span is left out.
struct Readings {
  std::span<double> value, lower, upper;
  std::span<std::int8_t> verdict;
};

class MonitorBatch {
 public:
  MonitorBatch(std::span<const double> code, std::size_t traces, int threads);

  // samples [T, B, P]. Error NUMERIC at a NaN, before anything is taken in.
  void feed(std::span<const double> samples, const Readings& out);
  void reset(std::size_t trace);
  // [B]: the robustness at the first sample when no sample follows.
  void finish(std::span<double> out);

  const Program& program() const { return program_; }
  std::size_t traces() const { return traces_; }

 private:
  std::span<double> stateOf(std::size_t trace) {
    return std::span(states_).subspan(trace * program_.stateWords(), program_.stateWords());
  }

  Program program_;
  std::size_t traces_;
  std::shared_ptr<Pool> pool_;
  std::vector<double> states_;                // [B, stateWords]
  std::vector<Reading> last_;                 // [B]
  std::vector<std::vector<double>> scratch_;  // per thread
};

}  // namespace vernier::stl
