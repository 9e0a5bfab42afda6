#include "stl/tree.h"

#include <algorithm>
#include <cmath>

#include "stl/window.h"

namespace vernier::stl {
namespace {

// Values of the nodes, one row of `samples` each. An operator over the future is one over the past with time reversed.
class Evaluation {
 public:
  Evaluation(const Program& program, std::span<const double> state, Unknown unknown, std::span<double> scratch)
      : program_(program), unknown_(unknown), history_(state.data() + program.historyAt()) {
    known_ = static_cast<std::size_t>(std::min(state[0], static_cast<double>(program.history())));
    samples_ = known_ + (unknown == Unknown::kNone ? 0 : program.settling() + 1);
    rows_ = scratch.data();
    kept_ = rows_ + program.nodes().size() * samples_;
  }

  double first() {
    for (std::size_t i = 0; i < program_.nodes().size(); ++i) fill(program_.nodes()[i], row(i));
    return row(program_.nodes().size() - 1)[0];
  }

 private:
  double* row(std::size_t node) { return rows_ + node * samples_; }

  void fill(const Node& node, double* out) {
    switch (node.kind) {
      case Kind::kTrue:
      case Kind::kFalse:
        std::fill_n(out, samples_, node.kind == Kind::kTrue ? kInfinity : -kInfinity);
        return;
      case Kind::kAtom:
      case Kind::kNegated:
        return literal(node, out);
      case Kind::kAnd:
        std::transform(row(node.a), row(node.a) + samples_, row(node.b), out, extremum<false>);
        return;
      case Kind::kOr:
        std::transform(row(node.a), row(node.a) + samples_, row(node.b), out, extremum<true>);
        return;
      case Kind::kAlways:
        return over<false>(node, true, out);
      case Kind::kEventually:
        return over<true>(node, true, out);
      case Kind::kHistorically:
        return over<false>(node, false, out);
      case Kind::kOnce:
        return over<true>(node, false, out);
      case Kind::kUntil:
        return joining<false>(node, true, out);
      case Kind::kRelease:
        return joining<true>(node, true, out);
      case Kind::kSince:
        return joining<false>(node, false, out);
      case Kind::kTrigger:
        return joining<true>(node, false, out);
    }
  }

  void literal(const Node& node, double* out) const {
    const double sign = node.kind == Kind::kNegated ? -1 : 1;
    for (std::size_t t = 0; t < known_; ++t) out[t] = sign * history_[t * program_.predicates() + node.a];
    std::fill(out + known_, out + samples_, unknown_ == Unknown::kLeast ? -kInfinity : kInfinity);
  }

  // Width of a window that no more than the samples fit in; 0 when it is unbounded.
  std::size_t width(const Node& node) const {
    return static_cast<std::size_t>(std::min(node.to - node.from + 1, static_cast<double>(samples_)));
  }

  template <bool kMax>
  void over(const Node& node, bool reversed, double* out) {
    const double* x = row(node.a);
    std::fill_n(kept_, 3, 0.0);
    for (std::size_t run = 0; run < samples_; ++run) {
      const std::size_t t = reversed ? samples_ - 1 - run : run;
      const auto lead = static_cast<std::size_t>(std::min(node.from, static_cast<double>(samples_)));
      const double operand = run < lead ? 0 : x[reversed ? t + lead : t - lead];
      out[t] = window<kMax>(kept_, operand, width(node), node.from);
      // Behind the settled samples all is as at the last.
      if (reversed && unknown_ != Unknown::kNone && run < lead) out[t] = x[samples_ - 1];
    }
  }

  template <bool kDual>
  void joining(const Node& node, bool reversed, double* out) {
    const double* left = row(node.a);
    const double* right = row(node.b);
    const auto lead = static_cast<std::size_t>(std::min(node.from, static_cast<double>(samples_)));
    const auto sample = [&](std::size_t run) { return reversed ? samples_ - 1 - run : run; };
    const auto rightAt = [&](std::size_t t) {
      return program_.closed() ? extremum<kDual>(left[t], right[t]) : right[t];
    };
    std::fill_n(kept_, 4, 0.0);
    for (std::size_t run = 0; run < samples_; ++run) {
      const std::size_t then = run < lead ? 0 : sample(run - lead);
      out[sample(run)] = stretchWindow<true, kDual>(kept_, left[then], rightAt(then), width(node), node.from);
    }
    const bool holds = reversed && unknown_ != Unknown::kNone;
    double soFar = kDual ? -kInfinity : kInfinity;
    for (std::size_t run = 0; run < std::min(lead, samples_) && holds; ++run) {
      soFar = extremum<kDual>(soFar, left[sample(run)]);
      out[sample(run)] = extremum<kDual>(soFar, right[samples_ - 1]);
    }
    if (lead == 0) return;
    // The left side between the window and the present sample.
    std::fill_n(kept_, 3, 0.0);
    for (std::size_t run = 0; run < samples_; ++run) {
      const double behind = window<kDual>(kept_, left[sample(run)], std::min(lead, samples_), 0);
      out[sample(run)] = extremum<kDual>(out[sample(run)], behind);
    }
  }

  const Program& program_;
  Unknown unknown_;
  const double* history_;
  std::size_t known_, samples_;
  double* rows_;
  double* kept_;
};

}  // namespace

double atFirst(const Program& program, std::span<const double> state, Unknown unknown, std::span<double> scratch) {
  return Evaluation(program, state, unknown, scratch).first();
}

}  // namespace vernier::stl
