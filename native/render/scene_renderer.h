// Pictures of a MuJoCo scene: given positions in, RGB rows out.
#pragma once
#include <mujoco/mujoco.h>

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "physics/model.h"
#include "render/offscreen_context.h"

namespace vernier::render {

struct Settings {
  int width = 0;  // of the largest picture
  int height = 0;
  bool shadows = false;
  int samples = 0;  // of multisampling; a software driver is fastest without
  // Round bodies of fewer faces, enough for small pictures: what a software driver spends most of its time on is
  // corners.
  bool coarse = false;
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
  SceneRenderer(physics::ModelPtr model, const Settings& settings);
  ~SceneRenderer();
  SceneRenderer(const SceneRenderer&) = delete;
  SceneRenderer& operator=(const SceneRenderer&) = delete;

  // Names of the model's cameras.
  std::vector<std::string> cameras() const;
  void useFixedCamera(const std::string& name);
  void useFreeCamera(const FreeCamera& camera);
  // Moves the scene; what is drawn from then on shows it so.
  void place(const ScenePose& pose);
  // Draws what the camera sees into `outRgb` [height, width, 3], top row first; neither side above the settings'.
  void draw(int width, int height, std::span<std::uint8_t> outRgb);

 private:
  Settings settings_;
  physics::ModelPtr model_;
  physics::DataPtr data_;
  OffscreenContext context_;
  mjvScene scene_;
  mjvCamera camera_;
  mjvOption option_;
  mjrContext drawing_;
};

}  // namespace vernier::render
