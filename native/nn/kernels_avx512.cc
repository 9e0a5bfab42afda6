// The kernels for avx512.
#include "nn/kernels.h"

#if defined(__AVX512F__)
#define VERNIER_NAME "avx512"
#define VERNIER_WIDTH 16
#define VERNIER_ROWS 8
#include "nn/kernels.inc"

namespace vernier::nn {

const Kernels* avx512Kernels() { return &kTable; }

}  // namespace vernier::nn
#else

namespace vernier::nn {

const Kernels* avx512Kernels() { return nullptr; }

}  // namespace vernier::nn
#endif
