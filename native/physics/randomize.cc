#include "physics/randomize.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "core/error.h"
#include "physics/model.h"

namespace vernier::physics {
namespace {

constexpr int kPoseTries = 64;

double between(const Range& range, PhiloxStream& stream) { return range.lo + (range.hi - range.lo) * stream.uniform(); }

void scaleBy(double* values, std::size_t count, double factor) {
  for (std::size_t i = 0; i < count; ++i) values[i] *= factor;
}

void scaleGains(mjModel& model, int actuator, double factor) {
  model.actuator_gainprm[actuator * mjNGAIN] *= factor;
  scaleBy(model.actuator_biasprm + actuator * mjNBIAS + 1, 2, factor);
}

// Where a body stands: a free or mocap body in the world, any other one in its parent.
struct Placement {
  double* position;
  double* rotation;
};

Placement placementOf(int body, mjModel& model, mjData& data) {
  if (model.body_mocapid[body] >= 0) {
    return {data.mocap_pos + 3 * model.body_mocapid[body], data.mocap_quat + 4 * model.body_mocapid[body]};
  }
  const int joint = model.body_jntadr[body];
  if (joint >= 0 && model.jnt_type[joint] == mjJNT_FREE) {
    double* q = data.qpos + model.jnt_qposadr[joint];
    return {q, q + 3};
  }
  return {model.body_pos + 3 * body, model.body_quat + 4 * body};
}

bool movesWithModel(int body, const mjModel& model) {
  const int joint = model.body_jntadr[body];
  return model.body_mocapid[body] < 0 && !(joint >= 0 && model.jnt_type[joint] == mjJNT_FREE);
}

// Roll, pitch, yaw about fixed axes: Rz Ry Rx.
void fromAngles(const double* angles, double* out) {
  double axis[3] = {0, 0, 0}, turn[4], scratch[4];
  mju_unit4(out);
  for (int k = 0; k < 3; ++k) {
    mju_zero3(axis);
    axis[k] = 1;
    mju_axisAngle2Quat(turn, axis, angles[k]);
    mju_mulQuat(scratch, turn, out);
    mju_copy4(out, scratch);
  }
}

// Words of a model's buffer; what they mean does not matter for copying them.
std::span<double> words(const mjModel& model) {
  return {static_cast<double*>(model.buffer), static_cast<std::size_t>(model.nbuffer) / sizeof(double)};
}

bool sameBits(double a, double b) { return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b); }

void scaleMass(mjModel& model, int body, double factor) {
  model.body_mass[body] *= factor;
  scaleBy(model.body_inertia + 3 * body, 3, factor);
}

}  // namespace

Randomizer::Randomizer(const std::vector<Randomization>& entries, mjModel& model, mjData& data) : entries_(entries) {
  for (const Randomization& entry : entries_) {
    mass_ |= entry.kind == Randomization::Kind::kMass;
    for (int id : entry.ids) addEntry(entry.kind, id, model);
  }
  if (mass_) addDerived(model, data);
  std::sort(runs_.begin(), runs_.end(), [](const Run& a, const Run& b) { return a.first < b.first; });
  for (const Run& run : runs_) {
    const auto values = words(model).subspan(run.first, run.count);
    nominal_.insert(nominal_.end(), values.begin(), values.end());
  }
  if (mass_) nominal_.push_back(model.stat.meaninertia);
}

void Randomizer::addEntry(Randomization::Kind kind, int id, const mjModel& model) {
  switch (kind) {
    case Randomization::Kind::kPose:
      if (movesWithModel(id, model)) {
        add(model, model.body_pos + 3 * id, 3);
        add(model, model.body_quat + 4 * id, 4);
      }
      break;
    case Randomization::Kind::kMass:
      add(model, model.body_mass + id, 1);
      add(model, model.body_inertia + 3 * id, 3);
      break;
    case Randomization::Kind::kFriction:
      add(model, model.geom_friction + 3 * id, 1);
      break;
    case Randomization::Kind::kGain:
      add(model, model.actuator_gainprm + id * mjNGAIN, 1);
      add(model, model.actuator_biasprm + id * mjNBIAS + 1, 2);
      break;
    case Randomization::Kind::kDamping:
      add(model, model.dof_damping + model.jnt_dofadr[id], 1);
      break;
    case Randomization::Kind::kJoints:
      break;
  }
}

void Randomizer::add(const mjModel& model, const double* first, std::size_t count) {
  const auto begin = static_cast<std::size_t>(first - words(model).data());
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t word = begin + i;
    const bool known = std::any_of(runs_.begin(), runs_.end(), [word](const Run& run) {
      return word >= run.first && word < run.first + run.count;
    });
    if (known) continue;
    if (!runs_.empty() && runs_.back().first + runs_.back().count == word) {
      ++runs_.back().count;
    } else {
      runs_.push_back({word, 1});
    }
  }
}

// mj_setConst derives inverse weights and the like from the masses. Which values those are is found by trying: scale
// the masses in a copy and see what it changes.
void Randomizer::addDerived(mjModel& model, mjData& data) {
  auto derive = [&](mjModel* target) {
    const char* fatal = trapped([&] { mj_setConst(target, &data); });
    if (fatal != nullptr) throw Error("PHYSICS", fatal);
  };
  ModelPtr once = copyModel(model);
  derive(once.get());
  ModelPtr again = copyModel(*once), scaled = copyModel(*once);
  derive(again.get());
  for (const Randomization& entry : entries_) {
    if (entry.kind == Randomization::Kind::kMass) scaleMass(*scaled, entry.ids[0], 1.25);
  }
  derive(scaled.get());
  mj_copyModel(&model, once.get());
  const auto reference = words(*once), repeated = words(*again), changed = words(*scaled);
  for (std::size_t i = 0; i < reference.size(); ++i) {
    if (!sameBits(reference[i], changed[i]) || !sameBits(reference[i], repeated[i])) {
      add(model, words(model).data() + i, 1);
    }
  }
}

void Randomizer::load(std::span<const double> row, mjModel& model) const {
  const double* source = row.data();
  double* base = words(model).data();
  for (const Run& run : runs_) {
    std::memcpy(base + run.first, source, run.count * sizeof(double));
    source += run.count;
  }
  if (mass_) model.stat.meaninertia = *source;
}

void Randomizer::store(const mjModel& model, std::span<double> row) const {
  double* target = row.data();
  const double* base = words(model).data();
  for (const Run& run : runs_) {
    std::memcpy(target, base + run.first, run.count * sizeof(double));
    target += run.count;
  }
  if (mass_) *target = model.stat.meaninertia;
}

// Masses first: mj_setConst must see the nominal poses, or it would derive more than the rows hold.
void Randomizer::drawParameters(const EpisodeKey& key, mjModel& model, mjData& data) const {
  for (std::size_t i = 0; mass_ && i < entries_.size(); ++i) {
    if (entries_[i].kind != Randomization::Kind::kMass) continue;
    PhiloxStream stream = streamOf(i, key);
    scaleMass(model, entries_[i].ids[0], between(entries_[i].scale, stream));
  }
  if (mass_) mj_setConst(&model, &data);
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const Randomization& entry = entries_[i];
    PhiloxStream stream = streamOf(i, key);
    if (entry.kind == Randomization::Kind::kFriction) {
      const double factor = between(entry.scale, stream);
      for (int geom : entry.ids) model.geom_friction[3 * geom] *= factor;
    } else if (entry.kind == Randomization::Kind::kGain) {
      const double factor = between(entry.scale, stream);
      for (int actuator : entry.ids) scaleGains(model, actuator, factor);
    } else if (entry.kind == Randomization::Kind::kDamping) {
      const double factor = between(entry.scale, stream);
      for (int joint : entry.ids) model.dof_damping[model.jnt_dofadr[joint]] *= factor;
    }
  }
}

void Randomizer::drawPositions(const EpisodeKey& key, mjModel& model, mjData& data) const {
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const Randomization& entry = entries_[i];
    PhiloxStream stream = streamOf(i, key);
    if (entry.kind == Randomization::Kind::kPose) {
      drawPose(entry, stream, model, data);
    } else if (entry.kind == Randomization::Kind::kJoints) {
      for (int joint : entry.ids) {
        double& q = data.qpos[model.jnt_qposadr[joint]];
        q += between(entry.scale, stream);
        if (model.jnt_limited[joint]) q = std::clamp(q, model.jnt_range[2 * joint], model.jnt_range[2 * joint + 1]);
      }
    }
  }
}

// Draws again, a bounded number of times, while the body is too near to one it must stay apart from.
void Randomizer::drawPose(const Randomization& entry, PhiloxStream& stream, mjModel& model, mjData& data) const {
  const Placement place = placementOf(entry.ids[0], model, data);
  double position[3], rotation[4], turn[4];
  mju_copy3(position, place.position);
  mju_copy4(rotation, place.rotation);
  for (int attempt = 0; attempt < kPoseTries; ++attempt) {
    double offset[6];
    for (int k = 0; k < 6; ++k) offset[k] = between(entry.offset[k], stream);
    mju_add3(place.position, position, offset);
    fromAngles(offset + 3, turn);
    mju_mulQuat(place.rotation, turn, rotation);
    const bool clear = std::all_of(entry.apart_from.begin(), entry.apart_from.end(), [&](int other) {
      const double* there = placementOf(other, model, data).position;
      return std::hypot(place.position[0] - there[0], place.position[1] - there[1]) >= entry.distance;
    });
    if (clear) break;
  }
}

PhiloxStream Randomizer::streamOf(std::size_t entry, const EpisodeKey& key) const {
  return PhiloxStream(key.seed, kResetStream + static_cast<std::uint32_t>(entry), key.environment, key.episode);
}

}  // namespace vernier::physics
