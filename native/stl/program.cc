#include "stl/program.h"

#include <cmath>
#include <string>

#include "core/error.h"

namespace vernier::stl {
namespace {

constexpr double kMagic = 0x53544c4d;
constexpr double kVersion = 1;
constexpr std::size_t kHeaderWords = 16;
constexpr std::size_t kOperationWords = 8;
constexpr std::size_t kNodeWords = 5;
constexpr double kMostItems = 1 << 20;
constexpr double kMostWords = 1 << 22;  // 32 MiB per environment

[[noreturn]] void refuse(const std::string& why) { throw Error("PLAN", "malformed monitor program: " + why); }

double whole(double word, double lo, double hi, const char* what) {
  if (!(word >= lo && word <= hi) || word != std::floor(word)) {
    refuse(std::string(what) + " is not a whole number in its range");
  }
  return word;
}

std::size_t count(double word, double most, const char* what) {
  return static_cast<std::size_t>(whole(word, 0, most, what));
}

// A sample number, from 0 on; infinity where `may_be_infinite`.
void requireTime(double word, bool may_be_infinite, const char* what) {
  if (may_be_infinite && std::isinf(word) && word > 0) return;
  whole(word, 0, kMostWords, what);
}

bool isBinary(Op op) {
  return op == Op::kMin || op == Op::kMax || op >= Op::kRespond || (op >= Op::kUntil && op <= Op::kTrigger);
}

void checkParameters(const Operation& in, std::size_t predicates) {
  switch (in.op) {
    case Op::kPredicate:
      if (!(in.p < static_cast<double>(predicates))) refuse("there is no such predicate");
      whole(in.p, 0, kMostItems, "a predicate");
      return;
    case Op::kConstant:
      if (std::isnan(in.p)) refuse("a constant is not a number");
      return;
    case Op::kNegate:
    case Op::kMin:
    case Op::kMax:
      return;
    case Op::kDelay:
    case Op::kUntil:
    case Op::kRelease:
      whole(in.p, 1, kMostWords, "a width");
      return;
    case Op::kWindowMin:
    case Op::kWindowMax:
    case Op::kSince:
    case Op::kTrigger:
      whole(in.p, 0, kMostWords, "a width");
      requireTime(in.r, false, "a lead");
      return;
    case Op::kGate:
      if (std::isnan(in.r)) refuse("a constant is not a number");
      [[fallthrough]];
    case Op::kHeldMax:
    case Op::kHeldMin:
      requireTime(in.p, false, "a first sample");
      requireTime(in.q, true, "a last sample");
      return;
    case Op::kRespond:
    case Op::kOweUntil:
    case Op::kOweRelease:
      requireTime(in.p, false, "a first sample");
      requireTime(in.q, true, "a last sample");
      whole(in.r, 0, kMostWords, in.op == Op::kRespond ? "a span" : "an operand");
      return;
  }
  refuse("an unknown operation");
}

Operation decodeOperation(std::span<const double> words, std::size_t index, std::size_t predicates) {
  Operation out{.op = static_cast<Op>(count(words[0], 255, "an opcode"))};
  out.start = words[3];
  requireTime(out.start, false, "a start");
  out.p = words[4];
  out.q = words[5];
  out.r = words[6];
  out.state = count(words[7], kMostWords, "a place in the state");
  checkParameters(out, predicates);
  const double before = static_cast<double>(index) - 1;
  if (out.op > Op::kConstant) out.a = static_cast<std::uint32_t>(whole(words[1], 0, before, "an operand"));
  if (out.op >= Op::kOweUntil) whole(out.r, 0, before, "an operand");
  if (isBinary(out.op)) out.b = static_cast<std::uint32_t>(whole(words[2], 0, before, "an operand"));
  return out;
}

Node decodeNode(std::span<const double> words, std::size_t index, std::size_t predicates) {
  Node out{.kind = static_cast<Kind>(count(words[0], 255, "a kind of node"))};
  if (out.kind < Kind::kTrue || out.kind > Kind::kTrigger) refuse("an unknown kind of node");
  const double before = static_cast<double>(index) - 1;
  if (out.kind == Kind::kAtom || out.kind == Kind::kNegated) {
    out.a = static_cast<std::uint32_t>(whole(words[1], 0, static_cast<double>(predicates) - 1, "a predicate"));
  } else if (out.kind > Kind::kFalse) {
    out.a = static_cast<std::uint32_t>(whole(words[1], 0, before, "an operand"));
    const bool binary = out.kind == Kind::kAnd || out.kind == Kind::kOr || out.kind >= Kind::kUntil;
    if (binary) out.b = static_cast<std::uint32_t>(whole(words[2], 0, before, "an operand"));
  }
  out.from = words[3];
  out.to = words[4];
  requireTime(out.from, false, "a bound");
  requireTime(out.to, true, "a bound");
  if (out.from > out.to) refuse("an interval is empty");
  return out;
}

int outputRegister(double word, std::size_t operations) {
  return static_cast<int>(whole(word, -1, static_cast<double>(operations) - 1, "an output"));
}

// Words that an operation keeps in the state.
std::size_t wordsOf(const Operation& in) {
  const auto p = static_cast<std::size_t>(in.p);
  switch (in.op) {
    case Op::kDelay:
      return 1 + p;
    case Op::kWindowMin:
    case Op::kWindowMax:
      return 3 + p;
    case Op::kUntil:
    case Op::kRelease:
    case Op::kSince:
    case Op::kTrigger:
      return 4 + 2 * p;
    case Op::kGate:
      return 1;
    case Op::kHeldMax:
    case Op::kHeldMin:
      return 2;
    case Op::kOweUntil:
    case Op::kOweRelease:
      return 3;
    case Op::kRespond:
      return 4 + 5 * (static_cast<std::size_t>(in.r) + 1);
    default:
      return 0;
  }
}

}  // namespace

Program Program::decode(std::span<const double> code) {
  if (code.size() < kHeaderWords || code[0] != kMagic) refuse("the header is missing");
  if (code[1] != kVersion) refuse("it is of another version");
  const std::size_t predicates = count(code[2], kMostItems, "the number of predicates");
  const std::size_t operations = count(code[3], kMostItems, "the number of operations");
  const std::size_t nodes = count(code[4], kMostItems, "the number of nodes");
  if (code.size() != kHeaderWords + predicates + operations * kOperationWords + nodes * kNodeWords) {
    refuse("its length is not what its header says");
  }
  if (nodes == 0) refuse("there is no formula");
  Program out;
  out.state_words_ = count(code[5], kMostWords, "the size of the state");
  out.value_ = outputRegister(code[6], operations);
  out.delay_ = whole(code[7], 0, kMostWords, "the delay");
  out.lower_ = outputRegister(code[8], operations);
  out.upper_ = outputRegister(code[9], operations);
  out.history_ = count(code[10], kMostWords, "the history");
  out.settling_ = count(code[11], kMostWords, "the settling time");
  out.end_ = static_cast<End>(count(code[12], 2, "the ending"));
  out.closed_ = whole(code[13], 0, 1, "the convention of until") != 0;

  code = code.subspan(kHeaderWords);
  for (const double word : code.first(predicates)) out.holds_at_zero_.push_back(word != 0);
  code = code.subspan(predicates);
  std::size_t words = 1;
  for (std::size_t i = 0; i < operations; ++i, code = code.subspan(kOperationWords)) {
    const Operation operation = decodeOperation(code.first(kOperationWords), i, predicates);
    const std::size_t kept = wordsOf(operation);
    if (kept > 0 && operation.state != words) refuse("the places in the state do not follow each other");
    words += kept;
    if (words > static_cast<std::size_t>(kMostWords)) refuse("the state is too large");
    out.operations_.push_back(operation);
  }
  for (std::size_t i = 0; i < nodes; ++i, code = code.subspan(kNodeWords)) {
    out.nodes_.push_back(decodeNode(code.first(kNodeWords), i, predicates));
  }
  if (out.state_words_ != words + out.history_ * predicates) refuse("the state has another size");
  if (out.treeWords() > static_cast<std::size_t>(kMostWords)) refuse("the formula reaches too far");
  return out;
}

std::size_t Program::treeWords() const {
  if (history_ == 0) return 0;
  const std::size_t samples = history_ + settling_ + 1;
  return nodes_.size() * samples + 4 + 2 * samples;
}

bool Program::validState(std::span<const double> state) const {
  if (state.size() != state_words_) return false;
  const auto isCount = [](double word, double end) { return word >= 0 && word < end && word == std::floor(word); };
  constexpr double kMostSamples = 1e15;
  if (!isCount(state[0], kMostSamples)) return false;
  for (const double word : state) {
    if (std::isnan(word)) return false;
  }
  for (const Operation& in : operations_) {
    if (wordsOf(in) == 0) continue;
    const double* kept = state.data() + in.state;
    switch (in.op) {
      case Op::kDelay:
        if (!isCount(kept[0], in.p)) return false;
        break;
      case Op::kRespond: {
        const double capacity = in.r + 1;
        if (!isCount(kept[1], capacity) || !isCount(kept[2], capacity + 1)) return false;
        [[fallthrough]];
      }
      case Op::kGate:
      case Op::kHeldMax:
      case Op::kHeldMin:
      case Op::kOweUntil:
      case Op::kOweRelease:
        if (!isCount(kept[0], kMostSamples)) return false;
        break;
      default:
        if (!isCount(kept[0], kMostSamples) || !isCount(kept[1], in.p == 0 ? 1 : in.p)) return false;
    }
  }
  return true;
}

}  // namespace vernier::stl
