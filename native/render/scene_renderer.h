// Pictures of a MuJoCo scene: given positions in, RGB rows out.
#pragma once
#include <mujoco/mujoco.h>

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "render/offscreen_context.h"

namespace vernier::render {

struct ModelDeleter {
  void operator()(mjModel* model) const { mj_deleteModel(model); }
};
using OwnedModel = std::unique_ptr<mjModel, ModelDeleter>;

struct Settings {
  int width = 0;
  int height = 0;
  bool shadows = false;
  int samples = 0;  // of multisampling; a software driver is fastest without
};

// Where the free camera looks from: a distance and two angles in degrees around a point.
struct FreeCamera {
  std::array<double, 3> lookat;
  double distance, azimuth, elevation;
};

// What moves. An empty span leaves that part as the model has it.
struct ScenePose {
  std::span<const double> qpos;       // [nq]
  std::span<const double> mocapPos;   // [nmocap, 3]
  std::span<const double> mocapQuat;  // [nmocap, 4]
  std::span<const double> bodyPos;    // [nbody, 3]: the bodies' places in their parents, as randomised
  std::span<const double> bodyQuat;   // [nbody, 4]
};

// One OpenGL context and one model; used by one thread at a time.
class SceneRenderer {
 public:
  SceneRenderer(OwnedModel model, const Settings& settings);
  ~SceneRenderer();
  SceneRenderer(const SceneRenderer&) = delete;
  SceneRenderer& operator=(const SceneRenderer&) = delete;

  void useFixedCamera(const std::string& name);
  void useFreeCamera(const FreeCamera& camera);
  // Draws into `outRgb` [height, width, 3], top row first.
  void render(const ScenePose& pose, std::span<std::uint8_t> outRgb);

  const mjModel& model() const { return *model_; }

 private:
  void place(const ScenePose& pose);

  struct DataDeleter {
    void operator()(mjData* data) const { mj_deleteData(data); }
  };
  Settings settings_;
  OwnedModel model_;
  std::unique_ptr<mjData, DataDeleter> data_;
  OffscreenContext context_;
  mjvScene scene_;
  mjvCamera camera_;
  mjvOption option_;
  mjrContext drawing_;
};

}  // namespace vernier::render
