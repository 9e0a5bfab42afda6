// The arithmetic, once per instruction set: kernels.inc is compiled several times with different flags and the
// best table the machine can run is picked once.
#pragma once
#include <cstddef>
#include <cstdint>

namespace vernier::nn {

// C (+)= A B with arbitrary row and column strides of A and B; C's columns are contiguous.
struct Gemm {
  const float* a;
  std::ptrdiff_t rowA, columnA;
  const float* b;
  std::ptrdiff_t rowB, columnB;
  float* c;
  std::ptrdiff_t rowC;
  int m, n, k;
  bool accumulate;
};

// The row machine's operations. The order is the plan format's; src/nn/lowering/encode.ts is the twin.
enum class Op : std::uint8_t {
  kCopy,
  kNeg,
  kAbs,
  kSquare,
  kSqrt,
  kRsqrt,
  kExp,
  kLog,
  kSoftplus,
  kTanh,
  kRelu,
  kSigmoid,
  kErf,
  kSin,
  kCos,
  kSign,
  kCast,
  kAdd,
  kSub,
  kMul,
  kDiv,
  kMinimum,
  kMaximum,
  kLess,
  kLessEqual,
  kEqual,
  kReluGradient,
  kAddRelu,
  kWhere,
  kMulAdd,
  kClamp,
  kMulAddRelu,
  kReluGradientProduct,
  kRowSum,
  kRowMax,
  kRowMin,
  kRowDot,
  kNormalize,
  kInverseDeviation,
  kNormalizeGradient,
  kSoftmax,
  kLogSoftmax,
  kAccumulateSum,
  kAccumulateMax,
  kAccumulateMin,
  kAccumulateProduct,
  kCount
};

// One operand of an instruction, resolved for the rows at hand: row r starts at p + r * stride.
struct Lane {
  float* p;
  std::ptrdiff_t stride;
  bool scalar;  // one number per row instead of `width`
};

struct RowCall {
  Op op;
  int rows, width;
  float epsilon;
  Lane d, a, b, c;
};

struct Adam {
  float *p, *first, *second;
  const float* gradient;
  float scale, beta1, beta2, epsilon, stepSize, secondScale, decay;
};

struct Kernels {
  const char* name;
  void (*gemm)(const Gemm&, float* scratch);
  // to[q * columns + j] = from[j * stride + q] for q < rows, j < columns.
  void (*transpose)(const float* from, std::ptrdiff_t stride, float* to, int rows, int columns);
  void (*rows)(const RowCall&);
  void (*adam)(const Adam&, std::size_t n);
  void (*polyak)(float* target, const float* source, float tau, std::size_t n);
  double (*sumOfSquares)(const float* x, std::size_t n);
  // Multiply-adds as fast as they go, for the peak a benchmark divides by; returns the operations done.
  double (*peak)(int repeats);
};

// Floats of scratch a gemm call may use.
constexpr std::size_t kGemmScratch = 256 * 256;

const Kernels& baselineKernels();
const Kernels* avx2Kernels();    // null where not compiled in
const Kernels* avx512Kernels();  // likewise

// The best table for this machine; VERNIER_ISA=baseline|avx2|avx512 asks for a lesser one.
const Kernels& kernels();

}  // namespace vernier::nn
