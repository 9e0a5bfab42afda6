// The decoded form of a formula's monitor. The encoding is described in src/stl/monitorProgram.ts, which has the same
// opcodes; decode() trusts nothing in it.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace vernier::stl {

enum class Op : std::uint8_t {
  kPredicate = 1,
  kConstant,
  kNegate,
  kMin,
  kMax,
  kDelay,
  kWindowMin,
  kWindowMax,
  kUntil,
  kRelease,
  kSince,
  kTrigger,
  kGate,
  kHeldMax,
  kHeldMin,
  kRespond,
  kOweUntil,
  kOweRelease,
};

// Runs from sample `start` on; what is held and kRespond write their register from the first sample on.
struct Operation {
  Op op;
  std::uint32_t a, b;
  double start;
  double p, q, r;
  std::size_t state;
};

enum class Kind : std::uint8_t {
  kTrue = 1,
  kFalse,
  kAtom,
  kNegated,
  kAnd,
  kOr,
  kAlways,
  kEventually,
  kHistorically,
  kOnce,
  kUntil,
  kRelease,
  kSince,
  kTrigger,
};

// A node of the formula in negation normal form; a and b are nodes before it, or a predicate.
struct Node {
  Kind kind;
  std::uint32_t a, b;
  double from, to;
};

enum class End : std::uint8_t { kVacuous, kPessimistic, kUndefined };

class Program {
 public:
  // Refuses (Error PLAN) anything that could read or write out of bounds.
  static Program decode(std::span<const double> code);

  std::size_t predicates() const { return holds_at_zero_.size(); }
  // Words of an environment's state: the number of samples, what the operations keep, the history.
  std::size_t stateWords() const { return state_words_; }
  std::size_t historyAt() const { return state_words_ - history_ * predicates(); }
  // Words of scratch that stepping and finishing need.
  std::size_t scratchWords() const { return operations_.size() + predicates() + treeWords(); }
  std::size_t treeWords() const;
  // Whether every position kept in a state lies where it may: a state from elsewhere is checked before use.
  bool validState(std::span<const double> state) const;

  std::span<const Operation> operations() const { return operations_; }
  std::span<const Node> nodes() const { return nodes_; }
  bool holdsAtZero(std::size_t predicate) const { return holds_at_zero_[predicate]; }
  int value() const { return value_; }
  int lower() const { return lower_; }
  int upper() const { return upper_; }
  double delay() const { return delay_; }
  std::size_t history() const { return history_; }
  std::size_t settling() const { return settling_; }
  End end() const { return end_; }
  bool closed() const { return closed_; }

 private:
  std::vector<Operation> operations_;
  std::vector<Node> nodes_;
  std::vector<bool> holds_at_zero_;
  std::size_t state_words_ = 1;
  int value_ = -1, lower_ = -1, upper_ = -1;
  double delay_ = 0;
  std::size_t history_ = 0, settling_ = 0;
  End end_ = End::kVacuous;
  bool closed_ = false;
};

}  // namespace vernier::stl
