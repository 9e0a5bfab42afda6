// The kernels for avx2.
#include "nn/kernels.h"

#if defined(__AVX2__) && defined(__FMA__)
#define VERNIER_NAME "avx2"
#define VERNIER_WIDTH 8
#define VERNIER_ROWS 6
#include "nn/kernels.inc"

namespace vernier::nn {

const Kernels* avx2Kernels() { return &kTable; }

}  // namespace vernier::nn
#else

namespace vernier::nn {

const Kernels* avx2Kernels() { return nullptr; }

}  // namespace vernier::nn
#endif
