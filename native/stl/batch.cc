#include "stl/batch.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/error.h"

namespace vernier::stl {

MonitorBatch::MonitorBatch(std::span<const double> code, std::size_t traces, int threads)
    : program_(Program::decode(code)), traces_(traces), pool_(sharedPool(threads)) {
  constexpr std::size_t kMostWords = std::size_t{1} << 30;
  if (traces > kMostWords / program_.stateWords()) throw Error("SHAPE", "the monitors' states take more than 8 GiB");
  states_.resize(traces * program_.stateWords());
  last_.resize(traces);
  scratch_.resize(static_cast<std::size_t>(pool_->threads()));
  for (auto& scratch : scratch_) scratch.resize(program_.scratchWords());
}

void MonitorBatch::feed(std::span<const double> samples, const Readings& out) {
  const std::size_t P = program_.predicates(), row = traces_ * P;
  const auto bad = std::find_if(samples.begin(), samples.end(), [](double x) { return std::isnan(x); });
  if (bad != samples.end()) {
    const auto at = static_cast<std::size_t>(bad - samples.begin());
    throw Error("NUMERIC", "predicate " + std::to_string(at % P) + " of trace " + std::to_string(at % row / P) +
                               ": the robustness at sample " + std::to_string(at / row) + " is NaN");
  }
  const std::size_t T = row == 0 ? 0 : samples.size() / row;
  pool_->run(traces_, [&](std::size_t trace, int worker) {
    auto& scratch = scratch_[static_cast<std::size_t>(worker)];
    const auto state = stateOf(trace);
    for (std::size_t t = 0; t < T; ++t) {
      const Reading reading = step(program_, samples.subspan(t * row + trace * P, P), state, scratch);
      const std::size_t at = t * traces_ + trace;
      if (!out.value.empty()) out.value[at] = reading.value;
      if (!out.lower.empty()) out.lower[at] = reading.lower;
      if (!out.upper.empty()) out.upper[at] = reading.upper;
      if (!out.verdict.empty()) out.verdict[at] = static_cast<std::int8_t>(reading.verdict);
      last_[trace] = reading;
    }
  });
}

void MonitorBatch::reset(std::size_t trace) { std::ranges::fill(stateOf(trace), 0.0); }

void MonitorBatch::finish(std::span<double> out) {
  pool_->run(traces_, [&](std::size_t trace, int worker) {
    auto& scratch = scratch_[static_cast<std::size_t>(worker)];
    out[trace] = stl::finish(program_, last_[trace], stateOf(trace), scratch).robustness;
  });
}

}  // namespace vernier::stl
