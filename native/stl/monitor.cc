#include "stl/monitor.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "stl/tree.h"
#include "stl/window.h"

namespace vernier::stl {
namespace {

// A robustness of 0 is moved aside by the least there is, so that signs alone tell whether a formula holds.
constexpr double kLeast = std::numeric_limits<double>::denorm_min();

double reported(double value) { return std::abs(value) <= kLeast ? 0 : value; }

bool isHeld(Op op) { return op >= Op::kHeldMax; }

double gate(const Operation& in, double* state, double x) {
  const double run = state[0]++;
  return run >= in.p && run <= in.q ? x : in.r;
}

// State: runs, the extremum so far.
double heldMax(const Operation& in, bool runs, double* state, double x) {
  if (runs) {
    const double run = state[0]++;
    if (run >= in.p && run <= in.q) state[1] = run == in.p ? x : extremum<true>(state[1], x);
  }
  return state[0] > in.p ? state[1] : -kInfinity;
}

double heldMin(const Operation& in, bool runs, double* state, double x) {
  if (runs) {
    const double run = state[0]++;
    if (run >= in.p && run <= in.q) state[1] = run == in.p ? x : extremum<false>(state[1], x);
  }
  const bool so_far = in.r == 1;
  if (state[0] > (so_far ? in.p : in.q)) return state[1];
  return so_far ? kInfinity : -kInfinity;
}

// The stack of obligations: run t owes max(weight(t), best of what the runs t to t + span bring). State: runs, bottom,
// count, min over the obligations whose window is over; weights [span + 1]; pieces [span + 1] of four words: the best
// so far, the least weight, the last run, the min of max(best, weight) over this piece and all below. A piece is a
// stretch of runs with the same best; a new value merges the pieces it betters. Weights of runs whose window is over
// stay in their piece: they count no more there than they do in the min of the finished ones.
class Obligations {
 public:
  Obligations(double* state, double span)
      : state_(state),
        capacity_(static_cast<std::size_t>(span) + 1),
        weights_(state + 4),
        pieces_(weights_ + capacity_) {}

  void take(double run, double weight, double value) {
    if (run == 0) state_[3] = kInfinity;
    retire(run);
    const auto at = static_cast<std::size_t>(std::fmod(run, static_cast<double>(capacity_)));
    weights_[at] = weight;
    double least = weight;
    while (state_[2] > 0 && top()[0] <= value) {
      least = extremum<false>(least, top()[1]);
      --state_[2];
    }
    const double below = state_[2] > 0 ? top()[3] : kInfinity;
    ++state_[2];
    double* piece = top();
    piece[0] = value;
    piece[1] = least;
    piece[2] = run;
    piece[3] = extremum<false>(below, extremum<true>(least, value));
  }

  double value() const {
    if (state_[0] == 0) return kInfinity;
    return extremum<false>(state_[3], const_cast<Obligations*>(this)->top()[3]);
  }

 private:
  double* piece(std::size_t i) { return pieces_ + 4 * ((static_cast<std::size_t>(state_[1]) + i) % capacity_); }
  double* top() { return piece(static_cast<std::size_t>(state_[2]) - 1); }

  // The window of run `run - capacity` is over.
  void retire(double run) {
    const double over = run - static_cast<double>(capacity_);
    if (over < 0 || state_[2] == 0) return;
    const auto at = static_cast<std::size_t>(std::fmod(over, static_cast<double>(capacity_)));
    const double* bottom = piece(0);
    state_[3] = extremum<false>(state_[3], extremum<true>(weights_[at], bottom[0]));
    if (bottom[2] > over) return;
    state_[1] = state_[1] + 1 == static_cast<double>(capacity_) ? 0 : state_[1] + 1;
    --state_[2];
  }

  double* state_;
  std::size_t capacity_;
  double* weights_;
  double* pieces_;
};

double respond(const Operation& in, bool runs, double* state, double weight, double value) {
  Obligations obligations(state, in.r);
  if (runs) {
    const double run = state[0];
    obligations.take(run, run >= in.p && run <= in.q ? weight : kInfinity, value);
    ++state[0];
  }
  return obligations.value();
}

// What the runs so far owe, as a function of the value v that the until has at the run to come. Min, max and v alone
// make such a function max(low, min(high, v)), which its values for v = -inf and v = +inf determine. State: runs, these
// two.
template <bool kRelease>
double owe(const Operation& in, bool runs, double* state, double weight, double left, double right) {
  constexpr double kNothing = kRelease ? -kInfinity : kInfinity;
  if (!runs) return state[0] == 0 ? kNothing : state[1];
  const double run = state[0]++;
  if (run == 0) state[1] = state[2] = kNothing;
  if (run < in.p || run > in.q) weight = kNothing;
  const auto owed = [low = state[1], high = state[2]](double v) {
    return extremum<true>(low, extremum<false>(high, v));
  };
  const auto next = [&](double v) {
    const double here = extremum<!kRelease>(right, extremum<kRelease>(left, v));
    return extremum<kRelease>(owed(here), extremum<!kRelease>(weight, here));
  };
  const double low = next(-kInfinity), high = next(kInfinity);
  state[1] = low;
  state[2] = high;
  return low;
}

void run(const Operation& in, bool runs, const double* inputs, double* state, const double* r, double* out) {
  // Only where p is a width or an index.
  const auto width = [&] { return static_cast<std::size_t>(in.p); };
  double* kept = state + in.state;
  switch (in.op) {
    case Op::kPredicate:
      *out = inputs[width()];
      return;
    case Op::kConstant:
      *out = in.p;
      return;
    case Op::kNegate:
      *out = -r[in.a];
      return;
    case Op::kMin:
      *out = extremum<false>(r[in.a], r[in.b]);
      return;
    case Op::kMax:
      *out = extremum<true>(r[in.a], r[in.b]);
      return;
    case Op::kDelay:
      *out = delayed(kept, r[in.a], width());
      return;
    case Op::kWindowMin:
      *out = window<false>(kept, r[in.a], width(), in.r);
      return;
    case Op::kWindowMax:
      *out = window<true>(kept, r[in.a], width(), in.r);
      return;
    case Op::kUntil:
      *out = stretchWindow<false, false>(kept, r[in.a], r[in.b], width(), 0);
      return;
    case Op::kRelease:
      *out = stretchWindow<false, true>(kept, r[in.a], r[in.b], width(), 0);
      return;
    case Op::kSince:
      *out = stretchWindow<true, false>(kept, r[in.a], r[in.b], width(), in.r);
      return;
    case Op::kTrigger:
      *out = stretchWindow<true, true>(kept, r[in.a], r[in.b], width(), in.r);
      return;
    case Op::kGate:
      *out = gate(in, kept, r[in.a]);
      return;
    case Op::kHeldMax:
      *out = heldMax(in, runs, kept, r[in.a]);
      return;
    case Op::kHeldMin:
      *out = heldMin(in, runs, kept, r[in.a]);
      return;
    case Op::kRespond:
      *out = respond(in, runs, kept, r[in.a], r[in.b]);
      return;
    case Op::kOweUntil:
      *out = owe<false>(in, runs, kept, r[in.a], r[in.b], r[static_cast<std::size_t>(in.r)]);
      return;
    case Op::kOweRelease:
      *out = owe<true>(in, runs, kept, r[in.a], r[in.b], r[static_cast<std::size_t>(in.r)]);
      return;
  }
}

Verdict verdictOf(double lower, double upper) {
  if (lower > 0) return Verdict::kSatisfied;
  return upper < 0 ? Verdict::kViolated : Verdict::kOpen;
}

}  // namespace

Reading step(const Program& program, std::span<const double> predicates, std::span<double> state,
             std::span<double> scratch) {
  const double n = state[0]++;
  double* registers = scratch.data();
  double* inputs = registers + program.operations().size();
  const auto tree = scratch.subspan(program.operations().size() + program.predicates());
  for (std::size_t p = 0; p < predicates.size(); ++p) {
    inputs[p] = predicates[p] != 0 ? predicates[p] : program.holdsAtZero(p) ? kLeast : -kLeast;
  }
  if (n < static_cast<double>(program.history())) {
    double* kept = state.data() + program.historyAt() + static_cast<std::size_t>(n) * predicates.size();
    std::copy_n(inputs, predicates.size(), kept);
  }
  double* out = registers;
  for (const Operation& operation : program.operations()) {
    const bool runs = n >= operation.start;
    if (runs || isHeld(operation.op)) run(operation, runs, inputs, state.data(), registers, out);
    ++out;
  }
  const auto bound = [&](int where, Unknown unknown) {
    return where >= 0 ? registers[where] : atFirst(program, state, unknown, tree);
  };
  Reading reading{};
  const bool has_value = program.value() >= 0 && n >= program.delay();
  const double value = has_value ? registers[program.value()] : std::nan("");
  reading.value = reported(value);
  reading.holds = verdictOf(value, value);
  const double lower = bound(program.lower(), Unknown::kLeast), upper = bound(program.upper(), Unknown::kGreatest);
  reading.verdict = verdictOf(lower, upper);
  reading.lower = reported(lower);
  reading.upper = reported(upper);
  return reading;
}

Ending finish(const Program& program, const Reading& last, std::span<const double> state, std::span<double> scratch) {
  const Ending open{std::nan(""), Verdict::kOpen};
  if (state[0] == 0) return open;
  // Bounds from the tree count on the next sample where `prev` knows it already: `x U prev x`.
  const bool exact = program.lower() >= 0 && program.upper() >= 0;
  if (last.lower == last.upper && last.verdict != Verdict::kOpen && (exact || program.history() == 0)) {
    return {last.lower, last.verdict};
  }
  if (program.end() == End::kPessimistic) {
    return {last.lower, last.verdict == Verdict::kSatisfied ? Verdict::kSatisfied : Verdict::kViolated};
  }
  if (program.end() == End::kUndefined || program.history() == 0) return open;
  const auto tree = scratch.subspan(program.operations().size() + program.predicates());
  const double value = atFirst(program, state, Unknown::kNone, tree);
  return {reported(value), value > 0 ? Verdict::kSatisfied : Verdict::kViolated};
}

}  // namespace vernier::stl
