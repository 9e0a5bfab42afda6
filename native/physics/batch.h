// A batch of environments of one task: one step() is one control step of each, everything included.
#pragma once
#include <mujoco/mujoco.h>

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/pool.h"
#include "expr/vm.h"
#include "physics/control.h"
#include "physics/dynamics.h"
#include "physics/model.h"
#include "physics/randomize.h"
#include "physics/spec.h"
#include "physics/task_monitor.h"

namespace vernier::physics {

// Buffers that the caller owns; they stay where they are for the life of the batch. B environments.
struct Buffers {
  std::span<const float> action;         // [B, A]
  std::span<float> observation;          // [B, O]
  std::span<float> final_observation;    // [B, O]
  std::span<float> reward;               // [B]
  std::span<std::uint8_t> terminated;    // [B]
  std::span<std::uint8_t> truncated;     // [B]
  std::span<std::uint8_t> success;       // [B]
  std::span<const std::uint8_t> active;  // [B]
  std::span<std::uint32_t> episode;      // [B]
  std::span<std::uint32_t> steps;        // [B]
  std::span<double> signals;             // [B, signals]
  std::span<double> final_signals;       // [B, signals]
  std::span<double> expert;              // [B, expert]
  std::span<double> robustness;          // [B, 2]; empty without a specification, as the next one
  std::span<double> final_robustness;    // [B]
  std::span<double> predicates;          // [B, P] of the specification; empty without one, as the next one
  std::span<double> final_predicates;    // [B, P]
  std::span<std::uint8_t> violated;      // [B, guards]
};

// Where everything is by a robot's sensors, in MuJoCo's arrays. Bodies whose place is no state (fixed ones) count where
// the task randomises it.
struct SensedScene {
  std::span<const double> qpos, qvel, mocap_pos, mocap_quat, body_pos, body_quat;
};

// What a driven batch tells after its last physics step; poses are those of the bodies in the world.
struct DrivenScene {
  std::span<double> qpos, qvel, force, position, rotation;
};

struct Fault {
  std::size_t environment;
  std::uint32_t episode, step;
  std::string cause;
};

class Batch {
 public:
  Batch(const BatchSpec& spec, ModelPtr model, const Buffers& buffers);

  // A new episode in every environment. Error PHYSICS if one cannot start.
  void reset(std::uint32_t seed, std::uint32_t episode, std::uint32_t first_environment);
  // One control step of every active environment; afterwards faults() holds what went wrong.
  void step();
  const std::vector<Fault>& faults() const { return faults_; }

  std::uint32_t seed() const { return spec_.seed; }
  std::uint32_t firstEnvironment() const { return spec_.first_environment; }
  std::size_t environments() const { return B_; }
  int threads() const { return pool_.threads(); }
  const mjModel& model() const { return *model_; }

  // Everything a bit-exact continuation needs. setState: Error CHECKPOINT when the bytes are not of this batch.
  std::size_t stateSize() const;
  void getState(std::span<std::uint8_t> out) const;
  void setState(std::span<const std::uint8_t> in);
  // The same of one environment, which another one of the batch, or of a batch of the same task, can take over. The
  // keys of its randomness stay those of its own place and episode.
  std::size_t environmentSize() const;
  void getEnvironment(std::size_t environment, std::span<std::uint8_t> out) const;
  void setEnvironment(std::size_t environment, std::span<const std::uint8_t> in);

  // A batch of one as a robot's twin: command() and then sense() are a step() whose physics is the robot's. All that
  // the program reads is brought up to date but contacts, contact and actuator forces and the sensors of accelerations.
  // `begins`: an episode starts here; an ended one takes no more. Error NUMERIC where something is not finite.
  void sense(const SensedScene& scene, bool begins);
  // From the action to what it asks of the arm's joints at the end of the control step, and of the gripper's control.
  void command(std::span<double> out);
  // Position and quaternion of a body (0), site (1) or geom (2) with the joints at `qpos`.
  void frameAt(std::span<const double> qpos, int kind, int id, std::span<double, 7> out);
  // A batch of one as the robot itself: one physics step per row of `references` (the arm's joints, then the gripper's
  // control) and of `velocities` (the arm's joints), with servos as in step(). Where judged, every `substeps` of them
  // are a control step of the episode, until it ends; the physics goes on. Error PHYSICS where it diverged.
  void drive(std::span<const double> references, std::span<const double> velocities, bool judged,
             const DrivenScene& out);
  std::size_t commandLength() const { return controller_.commandLength(); }

  // The full MuJoCo state of one environment into `data`, and its parameters into `model`, a copy of model().
  void readEnvironment(std::size_t environment, mjModel& model, mjData& data) const;

 private:
  struct Worker {
    ModelPtr own_model;  // only where parameters differ between environments
    DataPtr data;
    mjModel* model = nullptr;
    ControlPlan plan;
    std::vector<double> registers, outputs, monitor_scratch;
    MonitorSample sample;
    std::vector<Fault> faults;
    std::string failure;
  };
  void buildWorkers();
  template <class Body>
  void forEach(const Body& body);
  void stepOne(std::size_t i, Worker& worker);
  const char* advance(std::size_t i, Worker& worker);
  const char* simulate(std::size_t i, Worker& worker, std::span<const float> action);
  const char* integrate(std::size_t i, Worker& worker, std::span<const float> action);
  const char* placeAtStart(const EpisodeKey& key, std::size_t i, Worker& worker);
  void finish(std::size_t i, Worker& worker);
  double judge(std::size_t i, Worker& worker, bool& success, bool& failure);
  void fault(std::size_t i, Worker& worker, std::uint32_t step, const char* cause);
  void report(Worker& worker, Fault fault);
  void resetOne(std::size_t i, Worker& worker, std::uint32_t episode);
  const char* startEpisode(std::size_t i, Worker& worker, std::uint32_t episode);
  const char* observe(std::size_t i, Worker& worker, std::span<const float> action);
  void refresh(const mjModel& model, mjData& data) const;
  void derive(const mjModel& model, mjData& data) const;
  void writeObservation(std::size_t i, std::span<const double> values);
  void idle(std::size_t i);
  void keepLast(std::size_t i);
  std::span<const float> delayed(std::size_t i, std::span<const float> action);
  EpisodeKey keyOf(std::size_t i, std::uint32_t episode) const;
  void requireTwin() const;
  void beginTwin(Worker& worker);
  void loadTwin();
  const char* judgeDriven(Worker& worker);

  std::array<std::uint64_t, 6> stateHeader() const;
  std::array<std::uint64_t, 3> environmentHeader() const;
  template <class Visit>
  void visitState(const Visit& visit);
  template <class Visit>
  void visitArrays(const Visit& visit);

  BatchSpec spec_;
  ModelPtr model_;
  Buffers buffers_;
  Controller controller_;
  std::optional<const Dynamics> dynamics_;
  std::unique_ptr<const Randomizer> randomizer_;
  expr::Program program_;
  std::optional<TaskMonitor> monitor_;
  Pool pool_;
  double period_;
  std::size_t B_, O_, A_, state_size_;
  bool frames_rest_ = false;  // what the program reads of frames is the same all along
  unsigned state_spec_;
  std::vector<Worker> workers_;
  std::vector<Fault> faults_;
  std::vector<double> home_;  // [state_size]; what an episode of an analytic model starts from

  // Per environment.
  std::vector<double> states_;      // [B, state_size]
  std::vector<double> parameters_;  // [B, parameters]
  std::vector<double> commands_;    // [B, command]
  std::vector<float> queue_;        // [B, latency_hi + 1, A]: a ring indexed by control step
  std::vector<std::int32_t> latency_;
  std::vector<std::uint32_t> episodes_, steps_, held_;
  std::vector<std::uint8_t> finished_;
  int driven_ = 0;                // physics steps of a driven batch since its last control step
  std::vector<float> effective_;  // [A] of a twin: the action in effect
};

}  // namespace vernier::physics
