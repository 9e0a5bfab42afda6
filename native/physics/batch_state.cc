// A batch's state as bytes: what a bit-exact continuation needs.
#include <cstring>

#include "core/error.h"
#include "physics/batch.h"

namespace vernier::physics {
namespace {

constexpr std::uint64_t kStateMagic = 0x3230485059524556;        // "VERYPH02"
constexpr std::uint64_t kEnvironmentMagic = 0x3130564E45524556;  // "VERENV01"

}  // namespace

// Every byte of the state, in order.
template <class Visit>
void Batch::visitState(const Visit& visit) {
  visit(&spec_.seed, sizeof(spec_.seed));
  visit(&spec_.first_environment, sizeof(spec_.first_environment));
  auto bytes = [&](auto& values) { visit(values.data(), values.size() * sizeof(values[0])); };
  bytes(episodes_);
  bytes(buffers_.episode);
  visitArrays(visit);
}

// The part of it that does not key randomness: every environment has an equal share of each array, one after the other.
template <class Visit>
void Batch::visitArrays(const Visit& visit) {
  auto bytes = [&](auto& values) { visit(values.data(), values.size() * sizeof(values[0])); };
  bytes(states_);
  bytes(parameters_);
  bytes(commands_);
  bytes(queue_);
  bytes(latency_);
  bytes(steps_);
  bytes(held_);
  bytes(finished_);
  bytes(buffers_.observation);
  bytes(buffers_.final_observation);
  bytes(buffers_.reward);
  bytes(buffers_.terminated);
  bytes(buffers_.truncated);
  bytes(buffers_.success);
  bytes(buffers_.steps);
  bytes(buffers_.signals);
  bytes(buffers_.final_signals);
  bytes(buffers_.expert);
  if (!monitor_) return;
  bytes(monitor_->words());
  bytes(buffers_.robustness);
  bytes(buffers_.final_robustness);
  bytes(buffers_.predicates);
  bytes(buffers_.final_predicates);
  bytes(buffers_.violated);
}

std::array<std::uint64_t, 6> Batch::stateHeader() const {
  return {kStateMagic, model_->signature, B_, state_size_, parameters_.size(), stateSize()};
}

std::size_t Batch::stateSize() const {
  std::size_t size = sizeof(std::array<std::uint64_t, 6>);
  const_cast<Batch*>(this)->visitState([&](void*, std::size_t bytes) { size += bytes; });
  return size;
}

void Batch::getState(std::span<std::uint8_t> out) const {
  if (out.size() != stateSize()) {
    throw Error("SHAPE",
                "the state takes " + std::to_string(stateSize()) + " bytes, got " + std::to_string(out.size()));
  }
  const auto header = stateHeader();
  std::uint8_t* target = out.data();
  std::memcpy(target, header.data(), sizeof(header));
  target += sizeof(header);
  const_cast<Batch*>(this)->visitState([&](const void* source, std::size_t bytes) {
    if (bytes > 0) std::memcpy(target, source, bytes);
    target += bytes;
  });
}

void Batch::setState(std::span<const std::uint8_t> in) {
  const auto expected = stateHeader();
  if (in.size() != stateSize() || std::memcmp(in.data(), expected.data(), sizeof(expected)) != 0) {
    throw Error("CHECKPOINT", "this environment state is of another model, task or number of environments");
  }
  const std::uint8_t* source = in.data() + sizeof(expected);
  visitState([&](void* target, std::size_t bytes) {
    if (bytes > 0) std::memcpy(target, source, bytes);
    source += bytes;
  });
  faults_.clear();
  if (monitor_ && !monitor_->isValid()) {
    monitor_->clear();
    throw Error("CHECKPOINT", "the monitors' part of this environment state is damaged; reset() before going on");
  }
}

std::array<std::uint64_t, 3> Batch::environmentHeader() const {
  return {kEnvironmentMagic, model_->signature, environmentSize()};
}

std::size_t Batch::environmentSize() const {
  std::size_t size = sizeof(std::array<std::uint64_t, 3>);
  const_cast<Batch*>(this)->visitArrays([&](void*, std::size_t bytes) { size += bytes / B_; });
  return size;
}

void Batch::getEnvironment(std::size_t environment, std::span<std::uint8_t> out) const {
  const auto header = environmentHeader();
  std::uint8_t* target = out.data();
  std::memcpy(target, header.data(), sizeof(header));
  target += sizeof(header);
  const_cast<Batch*>(this)->visitArrays([&](void* source, std::size_t bytes) {
    const std::size_t share = bytes / B_;
    if (share > 0) std::memcpy(target, static_cast<const std::uint8_t*>(source) + environment * share, share);
    target += share;
  });
}

void Batch::setEnvironment(std::size_t environment, std::span<const std::uint8_t> in) {
  const auto expected = environmentHeader();
  if (in.size() != environmentSize() || std::memcmp(in.data(), expected.data(), sizeof(expected)) != 0) {
    throw Error("CHECKPOINT", "this state is of an environment of another model or task");
  }
  const std::uint8_t* source = in.data() + sizeof(expected);
  visitArrays([&](void* target, std::size_t bytes) {
    const std::size_t share = bytes / B_;
    if (share > 0) std::memcpy(static_cast<std::uint8_t*>(target) + environment * share, source, share);
    source += share;
  });
  if (monitor_ && !monitor_->isValid(environment)) {
    monitor_->clear();
    throw Error("CHECKPOINT", "the monitors' part of this environment's state is damaged; reset() before going on");
  }
}

void Batch::readEnvironment(std::size_t environment, mjModel& model, mjData& data) const {
  const std::size_t parameters = randomizer_->parameters();
  if (parameters > 0) {
    randomizer_->load(std::span<const double>(parameters_).subspan(environment * parameters, parameters), model);
  }
  mj_setState(&model, &data, states_.data() + environment * state_size_, static_cast<int>(state_spec_));
  if (dynamics_) data.time = steps_[environment] * period_;
}

}  // namespace vernier::physics
