// Randomisation at reset. Model parameters that differ between environments live in one row per environment, copied
// into the worker's model before it steps that environment.
#pragma once
#include <mujoco/mujoco.h>

#include <cstdint>
#include <span>
#include <vector>

#include "core/philox.h"
#include "physics/spec.h"

namespace vernier::physics {

// Streams of Philox keys (seed, stream); positions are (environment, episode). The twin is
// src/native/wasm/randomize.ts.
constexpr std::uint32_t kResetStream = 0x10000;  // plus the index of the randomisation
constexpr std::uint32_t kLatencyStream = 0x20000;
constexpr std::uint32_t kNoiseStream = 0x30000;

struct EpisodeKey {
  std::uint32_t seed, environment, episode;
};

class Randomizer {
 public:
  // Finds which values of `model` the randomisations reach. `data` is scratch;.
  Randomizer(const std::vector<Randomization>& entries, mjModel& model, mjData& data);

  // Doubles of an environment's row; 0 when no model parameter differs.
  std::size_t parameters() const { return nominal_.size(); }
  std::span<const double> nominal() const { return nominal_; }

  void load(std::span<const double> row, mjModel& model) const;
  void store(const mjModel& model, std::span<double> row) const;

  // Draws the parameters of an episode into `model`, which holds the nominal ones; `data` is scratch afterwards.
  void drawParameters(const EpisodeKey& key, mjModel& model, mjData& data) const;
  // Draws positions into `data`, which is at home.
  void drawPositions(const EpisodeKey& key, mjModel& model, mjData& data) const;

 private:
  // A run of 8-byte words in the model's buffer.
  struct Run {
    std::size_t first, count;
  };
  void addEntry(Randomization::Kind kind, int id, const mjModel& model);
  void add(const mjModel& model, const double* first, std::size_t count);
  void addDerived(mjModel& model, mjData& data);
  void drawPose(const Randomization& entry, PhiloxStream& stream, mjModel& model, mjData& data) const;
  PhiloxStream streamOf(std::size_t entry, const EpisodeKey& key) const;

  std::vector<Randomization> entries_;
  std::vector<Run> runs_;
  std::vector<double> nominal_;  // the runs' words, then stat.meaninertia where masses differ
  bool mass_ = false;
};

}  // namespace vernier::physics
