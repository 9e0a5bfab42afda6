// Counter-based random numbers; the twin of src/core/philox.ts.
// Source: Salmon et al. 2011, Philox4x32-10; differs: none.
#pragma once
#include <array>
#include <cmath>
#include <cstdint>

namespace vernier {

using PhiloxBlock = std::array<std::uint32_t, 4>;

inline PhiloxBlock philox4x32(PhiloxBlock counter, std::uint32_t key0, std::uint32_t key1) {
  constexpr std::uint64_t multiplier0 = 0xD2511F53, multiplier1 = 0xCD9E8D57;
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = multiplier0 * counter[0];
    const std::uint64_t product1 = multiplier1 * counter[2];
    counter = {static_cast<std::uint32_t>(product1 >> 32) ^ counter[1] ^ key0, static_cast<std::uint32_t>(product1),
               static_cast<std::uint32_t>(product0 >> 32) ^ counter[3] ^ key1, static_cast<std::uint32_t>(product0)};
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
  return counter;
}

// One stream keyed (seed, stream) at position (a, b); draws match PhiloxStream in TypeScript bit for bit.
class PhiloxStream {
 public:
  PhiloxStream(std::uint32_t seed, std::uint32_t stream, std::uint32_t a, std::uint32_t b)
      : seed_(seed), stream_(stream), a_(a), b_(b) {}

  std::uint32_t word() {
    if (used_ == 4) {
      words_ = philox4x32({static_cast<std::uint32_t>(block_), static_cast<std::uint32_t>(block_ >> 32), a_, b_}, seed_,
                          stream_);
      ++block_;
      used_ = 0;
    }
    return words_[used_++];
  }

  // Continues at the first word of a block of four.
  void seekBlock(std::uint64_t block) {
    block_ = block;
    used_ = 4;
  }

  double uniform() { return word() * 2.3283064365386963e-10; }

  double normal() {
    const double u = (word() + 1.0) * 2.3283064365386963e-10;
    const double v = uniform();
    return std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * 3.14159265358979323846 * v);
  }

 private:
  std::uint32_t seed_, stream_, a_, b_;
  std::uint64_t block_ = 0;
  std::size_t used_ = 4;
  PhiloxBlock words_{};
};

}  // namespace vernier
