#include "nn/kernels.h"

#include <cstdlib>
#include <string_view>

namespace vernier::nn {
namespace {

bool runsHere(std::string_view name) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (name == "avx2") return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (name == "avx512") {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("fma");
  }
#endif
  return name == "baseline";
}

const Kernels& choose() {
  const char* asked = std::getenv("VERNIER_ISA");
  const Kernels* const candidates[] = {avx512Kernels(), avx2Kernels(), &baselineKernels()};
  for (const Kernels* candidate : candidates) {
    if (candidate && runsHere(candidate->name) && (!asked || std::string_view(asked) == candidate->name)) {
      return *candidate;
    }
  }
  return baselineKernels();
}

}  // namespace

const Kernels& kernels() {
  static const Kernels& chosen = choose();
  return chosen;
}

}  // namespace vernier::nn
