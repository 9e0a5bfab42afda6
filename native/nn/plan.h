// A compiled program as the executor runs it: regions of tasks, each task the same list of operations on its own
// part of the data. Decoded from one array of numbers and validated whole: a plan that decodes can not read or write
// outside its buffers. The writer is src/nn/lowering/encode.ts.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>
#include <vector>

#include "nn/kernels.h"

namespace vernier::nn {

// Buffers by slot: the workspace all tasks share, each worker's own scratch, then what the caller bound.
constexpr int kWorkspace = 0;
constexpr int kLocal = 1;
constexpr int kFirstBound = 2;

// Where an operand starts for a task: offset + i * stride, with i the task or a number read from an i32 buffer.
struct Ref {
  int slot = 0;
  std::ptrdiff_t offset = 0, stride = 0;
  int indexSlot = -1;
  std::ptrdiff_t indexOffset = 0, indexStride = 0;
  std::int32_t indexLimit = 0;
};

struct GemmOp {
  Ref a, b, c;
  std::ptrdiff_t rowA, columnA, batchA, rowB, columnB, batchB, rowC, batchC;
  int m, n, k, batch;
};

enum class OperandKind : std::uint8_t { kNone, kVector, kScalar, kConstant, kMemoryVector, kMemoryScalar };

struct RowOperand {
  OperandKind kind = OperandKind::kNone;
  int index = 0;
  float constant = 0;
  Ref ref;
  std::array<std::ptrdiff_t, 3> strides{};
};

struct RowInstruction {
  Op op;
  int width;
  float epsilon;
  std::array<RowOperand, 4> operands;  // destination, a, b, c
};

// Instructions done for every row of a space of up to three axes; registers hold a few rows at a time.
struct RowsOp {
  std::array<int, 3> extent;
  int registerWidth, vectors, scalars;
  std::vector<RowInstruction> instructions;
};

struct FillOp {
  Ref to;
  int count;
  float value;
};

struct CopyOp {
  std::array<int, 4> extent;
  Ref to, from;
  std::array<std::ptrdiff_t, 4> toStrides, fromStrides;
};

// The stretch of a flat buffer a task works on; the last task's may be shorter.
struct Stretch {
  int count, lastCount;
};

struct NormOp {
  Ref gradient, out;  // out takes the sum of squares
  Stretch stretch;
};

struct AdamOp {
  Ref p, first, second, gradient, norms, rate, step;
  Stretch stretch;
  int normCount, failure;
  float beta1, beta2, epsilon, decay, clipNorm;
};

struct PolyakOp {
  Ref target, source, tau;
  Stretch stretch;
};

struct StepOp {
  Ref step;
  int failure;
};

using PlanOp = std::variant<GemmOp, RowsOp, FillOp, CopyOp, NormOp, AdamOp, PolyakOp, StepOp>;

struct Region {
  int tasks;
  std::vector<PlanOp> ops;
};

struct BufferSpec {
  bool integer;
  std::size_t length;
};

struct IndexCheck {
  int slot;
  std::ptrdiff_t offset, stride;
  int count;
  std::int32_t limit;
};

struct Plan {
  std::size_t workspace = 0, local = 0, registers = 0;
  std::vector<BufferSpec> buffers;  // by slot, the first two included
  std::vector<int> outputs;         // slots whose every element must be finite
  std::vector<IndexCheck> indexChecks;
  std::vector<Region> regions;
  int failures = 0;
};

// Throws a PLAN error that says what is wrong and where.
Plan decodePlan(std::span<const double> code);

// Rows a register holds at a time.
constexpr int kRowBlock = 4;

}  // namespace vernier::nn
