// The kernels for any machine (four floats at a time: SSE2, NEON).
#define VERNIER_NAME "baseline"
#define VERNIER_WIDTH 4
#define VERNIER_ROWS 6
#include "nn/kernels.inc"

namespace vernier::nn {

const Kernels& baselineKernels() { return kTable; }

}  // namespace vernier::nn
