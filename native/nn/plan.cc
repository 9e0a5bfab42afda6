#include "nn/plan.h"

#include <cmath>
#include <string>

#include "core/error.h"

namespace vernier::nn {
namespace {

constexpr double kMagic = 1447382094, kVersion = 2;
constexpr std::int64_t kLargest = std::int64_t{1} << 30;

class Decoder {
 public:
  explicit Decoder(std::span<const double> code) : code_(code) {}

  Plan plan() {
    if (number() != kMagic || number() != kVersion) fail("not a plan of version 2");
    plan_.workspace = static_cast<std::size_t>(integer(0, kLargest));
    plan_.local = static_cast<std::size_t>(integer(0, kLargest));
    plan_.buffers = {{false, plan_.workspace}, {false, plan_.local}};
    for (int n = count(4096); n > 0; --n) {
      const bool isInteger = integer(0, 1) == 1;
      plan_.buffers.push_back({isInteger, static_cast<std::size_t>(integer(0, kLargest))});
    }
    for (int n = count(4096); n > 0; --n) plan_.outputs.push_back(floatSlot());
    plan_.failures = count(4096);
    for (int n = count(65536); n > 0; --n) region();
    if (at_ != code_.size()) fail("numbers left over");
    return std::move(plan_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error("PLAN", "malformed plan at " + std::to_string(at_) + ": " + what);
  }

  double number() {
    if (at_ >= code_.size()) fail("it ends too early");
    return code_[at_++];
  }

  std::int64_t integer(std::int64_t low, std::int64_t high) {
    const double value = number();
    if (!(value >= static_cast<double>(low) && value <= static_cast<double>(high)) || value != std::floor(value)) {
      fail("expected an integer in [" + std::to_string(low) + ", " + std::to_string(high) + "]");
    }
    return static_cast<std::int64_t>(value);
  }

  int count(int most) { return static_cast<int>(integer(0, most)); }
  int extent() { return static_cast<int>(integer(1, kLargest)); }
  std::ptrdiff_t stride() { return integer(0, kLargest); }
  float real() { return static_cast<float>(number()); }

  int floatSlot() {
    const int slot = count(static_cast<int>(plan_.buffers.size()) - 1);
    if (plan_.buffers[static_cast<std::size_t>(slot)].integer) fail("an i32 buffer where floats are expected");
    return slot;
  }

  Ref ref() {
    Ref r;
    r.slot = count(static_cast<int>(plan_.buffers.size()) - 1);
    r.offset = stride();
    r.stride = stride();
    r.indexSlot = static_cast<int>(integer(-1, static_cast<std::int64_t>(plan_.buffers.size()) - 1));
    if (r.indexSlot < 0) return r;
    const BufferSpec& indices = plan_.buffers[static_cast<std::size_t>(r.indexSlot)];
    if (r.indexSlot < kFirstBound || !indices.integer) fail("an index buffer that is not i32");
    r.indexOffset = stride();
    r.indexStride = stride();
    r.indexLimit = static_cast<std::int32_t>(integer(1, kLargest));
    if (r.indexOffset + (tasks_ - 1) * r.indexStride >= static_cast<std::ptrdiff_t>(indices.length)) {
      fail("an index outside its buffer");
    }
    plan_.indexChecks.push_back({r.indexSlot, r.indexOffset, r.indexStride, tasks_, r.indexLimit});
    return r;
  }

  // `reach` is the largest offset from the start that any task touches.
  void bound(const Ref& r, std::ptrdiff_t reach, bool integers = false) {
    const BufferSpec& buffer = plan_.buffers[static_cast<std::size_t>(r.slot)];
    if (buffer.integer != integers) fail(integers ? "floats where i32 is expected" : "i32 where floats are expected");
    const std::ptrdiff_t most = r.indexSlot >= 0 ? r.indexLimit - 1 : tasks_ - 1;
    if (r.offset + most * r.stride + reach >= static_cast<std::ptrdiff_t>(buffer.length)) {
      fail("an operand reaches outside slot " + std::to_string(r.slot));
    }
  }

  void region() {
    Region region;
    tasks_ = region.tasks = static_cast<int>(integer(1, 65536));
    for (int n = count(65536); n > 0; --n) region.ops.push_back(operation());
    plan_.regions.push_back(std::move(region));
  }

  PlanOp operation() {
    switch (integer(0, 7)) {
      case 0:
        return gemm();
      case 1:
        return rows();
      case 2:
        return fill();
      case 3:
        return copy();
      case 4:
        return norm();
      case 5:
        return adam();
      case 6:
        return polyak();
      default:
        return step();
    }
  }

  static std::ptrdiff_t reach(int n, std::ptrdiff_t step) { return static_cast<std::ptrdiff_t>(n - 1) * step; }

  GemmOp gemm() {
    GemmOp g;
    g.m = extent();
    g.n = extent();
    g.k = extent();
    g.batch = extent();
    g.a = ref();
    g.rowA = stride();
    g.columnA = stride();
    g.batchA = stride();
    bound(g.a, reach(g.m, g.rowA) + reach(g.k, g.columnA) + reach(g.batch, g.batchA));
    g.b = ref();
    g.rowB = stride();
    g.columnB = stride();
    g.batchB = stride();
    bound(g.b, reach(g.k, g.rowB) + reach(g.n, g.columnB) + reach(g.batch, g.batchB));
    g.c = ref();
    g.rowC = stride();
    g.batchC = stride();
    bound(g.c, reach(g.m, g.rowC) + (g.n - 1) + reach(g.batch, g.batchC));
    return g;
  }

  RowsOp rows() {
    RowsOp op;
    for (int& n : op.extent) n = extent();
    op.registerWidth = static_cast<int>(integer(1, 1 << 24));
    op.vectors = count(256);
    op.scalars = count(4096);
    const std::size_t registers = static_cast<std::size_t>(op.vectors) * static_cast<std::size_t>(op.registerWidth) +
                                  static_cast<std::size_t>(op.scalars);
    if (registers > static_cast<std::size_t>(kLargest)) fail("too many registers");
    plan_.registers = std::max(plan_.registers, registers * kRowBlock);
    for (int n = count(4096); n > 0; --n) op.instructions.push_back(instruction(op));
    return op;
  }

  RowInstruction instruction(const RowsOp& op) {
    RowInstruction i;
    i.op = static_cast<Op>(integer(0, static_cast<int>(Op::kCount) - 1));
    i.width = extent();
    i.epsilon = real();
    const bool cast = i.op == Op::kCast;
    for (std::size_t k = 0; k < 4; ++k) i.operands[k] = rowOperand(op, i.width, cast && k == 1);
    checkForm(i);
    return i;
  }

  RowOperand rowOperand(const RowsOp& op, int width, bool integers) {
    RowOperand o;
    o.kind = static_cast<OperandKind>(integer(0, 5));
    switch (o.kind) {
      case OperandKind::kNone:
        break;
      case OperandKind::kVector:
        o.index = static_cast<int>(integer(0, op.vectors - 1));
        if (width > op.registerWidth) fail("an instruction wider than its registers");
        break;
      case OperandKind::kScalar:
        o.index = static_cast<int>(integer(0, op.scalars - 1));
        break;
      case OperandKind::kConstant:
        o.constant = real();
        break;
      case OperandKind::kMemoryVector:
      case OperandKind::kMemoryScalar: {
        o.ref = ref();
        std::ptrdiff_t most = o.kind == OperandKind::kMemoryVector ? width - 1 : 0;
        for (std::size_t axis = 0; axis < 3; ++axis) {
          o.strides[axis] = stride();
          most += reach(op.extent[axis], o.strides[axis]);
        }
        bound(o.ref, most, integers);
        break;
      }
    }
    return o;
  }

  // Which operands an operation needs, and which of them must be as wide as the row.
  void checkForm(const RowInstruction& i) {
    const auto there = [&](std::size_t k) { return i.operands[k].kind != OperandKind::kNone; };
    const auto scalar = [&](std::size_t k) {
      const OperandKind kind = i.operands[k].kind;
      return kind == OperandKind::kScalar || kind == OperandKind::kConstant || kind == OperandKind::kMemoryScalar;
    };
    const auto require = [&](bool ok) {
      if (!ok) fail("operands do not fit operation " + std::to_string(static_cast<int>(i.op)));
    };
    require(there(0) && there(1) && i.operands[0].kind != OperandKind::kConstant);
    const bool one = i.width == 1;
    if (i.op >= Op::kAdd && i.op <= Op::kReluGradientProduct) require(there(2));
    if (i.op >= Op::kWhere && i.op <= Op::kReluGradientProduct) require(there(3));
    if (i.op == Op::kAccumulateProduct) require(there(2));
    if (i.op >= Op::kRowSum && i.op <= Op::kLogSoftmax) require(!scalar(1) || one);
    if (i.op == Op::kRowDot) require(there(2) && (!scalar(2) || one));
    if (i.op == Op::kNormalize || i.op == Op::kNormalizeGradient || i.op == Op::kSoftmax || i.op == Op::kLogSoftmax) {
      require(!scalar(0) || one);
    }
    if (i.op == Op::kNormalize && there(2)) require(i.operands[2].kind != OperandKind::kConstant);
    if (i.op == Op::kNormalize && there(3)) require(!scalar(3) || one);
    if (i.op == Op::kNormalizeGradient) require(there(2) && (!scalar(2) || one) && there(3));
  }

  FillOp fill() {
    FillOp f;
    f.to = ref();
    f.count = extent();
    f.value = real();
    bound(f.to, f.count - 1);
    return f;
  }

  CopyOp copy() {
    CopyOp c;
    for (int& n : c.extent) n = extent();
    const auto side = [&](Ref& r, std::array<std::ptrdiff_t, 4>& strides) {
      r = ref();
      std::ptrdiff_t most = 0;
      for (std::size_t axis = 0; axis < 4; ++axis) {
        strides[axis] = stride();
        most += reach(c.extent[axis], strides[axis]);
      }
      bound(r, most);
    };
    side(c.to, c.toStrides);
    side(c.from, c.fromStrides);
    return c;
  }

  Stretch stretch() {
    const int n = extent();
    return {n, static_cast<int>(integer(1, n))};
  }

  void boundStretch(const Ref& r, const Stretch& s) {
    if (r.indexSlot >= 0) fail("an index on an update's operand");
    bound(r, s.lastCount - 1);
    if (tasks_ > 1) {
      --tasks_;
      bound(r, s.count - 1);
      ++tasks_;
    }
  }

  NormOp norm() {
    NormOp n;
    n.stretch = stretch();
    n.gradient = ref();
    boundStretch(n.gradient, n.stretch);
    n.out = ref();
    bound(n.out, 0);
    return n;
  }

  AdamOp adam() {
    AdamOp a;
    a.stretch = stretch();
    for (Ref* r : {&a.p, &a.first, &a.second, &a.gradient}) {
      *r = ref();
      boundStretch(*r, a.stretch);
    }
    a.norms = ref();
    a.normCount = extent();
    bound(a.norms, a.normCount - 1);
    for (Ref* r : {&a.rate, &a.step}) {
      *r = ref();
      bound(*r, 0);
    }
    a.failure = static_cast<int>(integer(0, plan_.failures - 1));
    for (float* x : {&a.beta1, &a.beta2, &a.epsilon, &a.decay, &a.clipNorm}) *x = real();
    return a;
  }

  PolyakOp polyak() {
    PolyakOp p;
    p.stretch = stretch();
    for (Ref* r : {&p.target, &p.source}) {
      *r = ref();
      boundStretch(*r, p.stretch);
    }
    p.tau = ref();
    bound(p.tau, 0);
    return p;
  }

  StepOp step() {
    StepOp s;
    s.step = ref();
    bound(s.step, 0);
    s.failure = static_cast<int>(integer(0, plan_.failures - 1));
    return s;
  }

  std::span<const double> code_;
  std::size_t at_ = 0;
  Plan plan_;
  int tasks_ = 1;
};

}  // namespace

Plan decodePlan(std::span<const double> code) { return Decoder(code).plan(); }

}  // namespace vernier::nn
