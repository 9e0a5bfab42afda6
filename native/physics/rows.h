// One environment's part of an array that all have, and one group's part of a program's outputs.
#pragma once
#include <cstddef>
#include <span>
#include <vector>

#include "physics/spec.h"

namespace vernier::physics {

template <class T>
std::span<T> row(std::span<T> all, std::size_t i, std::size_t width) {
  return all.subspan(i * width, width);
}
template <class T>
std::span<T> row(std::vector<T>& all, std::size_t i, std::size_t width) {
  return std::span<T>(all).subspan(i * width, width);
}
inline std::span<const double> slot(const std::vector<double>& outputs, const Slot& where) {
  return std::span<const double>(outputs).subspan(where.offset, where.length);
}

}  // namespace vernier::physics
