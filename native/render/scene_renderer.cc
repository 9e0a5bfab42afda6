#include "render/scene_renderer.h"

#include <algorithm>
#include <utility>

#include "core/error.h"

namespace vernier::render {

namespace {

constexpr int kMaxGeoms = 10000;
constexpr int kMaxSide = 8192;
// Around and along a round body; MuJoCo's own defaults are 28 and 16.
constexpr int kCoarseSlices = 16;
constexpr int kCoarseStacks = 8;
// Texels of a shadow map per pixel of a picture's longer side; a software driver draws all of them for every frame.
constexpr int kShadowTexels = 2;

physics::ModelPtr withSettings(physics::ModelPtr model, const Settings& settings) {
  if (settings.width < 1 || settings.height < 1 || std::max(settings.width, settings.height) > kMaxSide) {
    throw Error("SHAPE", "a picture has 1 to " + std::to_string(kMaxSide) + " pixels a side, not " +
                             std::to_string(settings.width) + " x " + std::to_string(settings.height));
  }
  if (settings.samples < 0 || settings.samples > 16) {
    throw Error("SHAPE", "0 to 16 samples per pixel, not " + std::to_string(settings.samples));
  }
  model->vis.global.offwidth = settings.width;
  model->vis.global.offheight = settings.height;
  model->vis.quality.offsamples = settings.samples;
  int& shadows = model->vis.quality.shadowsize;
  if (settings.shadows) {
    while (shadows >= 2 * kShadowTexels * std::max(settings.width, settings.height)) shadows /= 2;
  } else {
    shadows = 0;
  }
  if (settings.coarse) {
    model->vis.quality.numslices = std::min(model->vis.quality.numslices, kCoarseSlices);
    model->vis.quality.numstacks = std::min(model->vis.quality.numstacks, kCoarseStacks);
  }
  return model;
}

void copy(std::span<const double> from, mjtNum* to, std::int64_t size, const char* name) {
  if (from.empty()) return;
  if (static_cast<std::int64_t>(from.size()) != size) {
    throw Error("SHAPE", std::string(name) + " has " + std::to_string(from.size()) + " numbers, the model needs " +
                             std::to_string(size));
  }
  std::copy(from.begin(), from.end(), to);
}

}  // namespace

SceneRenderer::SceneRenderer(physics::ModelPtr model, const Settings& settings)
    : settings_(settings), model_(withSettings(std::move(model), settings)), data_(physics::makeData(*model_)) {
  mjv_defaultScene(&scene_);
  mjv_defaultOption(&option_);
  mjv_defaultCamera(&camera_);
  mjv_defaultFreeCamera(model_.get(), &camera_);
  mjr_defaultContext(&drawing_);
  const OffscreenContext::Scope current(context_);
  const char* failure = physics::trapped([&] {
    mjr_makeContext(model_.get(), &drawing_, mjFONTSCALE_100);
    mjr_setBuffer(mjFB_OFFSCREEN, &drawing_);
  });
  if (failure == nullptr && drawing_.currentBuffer != mjFB_OFFSCREEN) failure = "the driver has no framebuffer objects";
  if (failure != nullptr) throw Error("BACKEND", std::string("cannot render offscreen: ") + failure);
  mjv_makeScene(model_.get(), &scene_, kMaxGeoms);
  scene_.flags[mjRND_SHADOW] = settings_.shadows;
  scene_.flags[mjRND_REFLECTION] = settings_.shadows;
}

SceneRenderer::~SceneRenderer() {
  mjv_freeScene(&scene_);
  try {
    const OffscreenContext::Scope current(context_);
    mjr_freeContext(&drawing_);
  } catch (const Error&) {
    return;  // a driver that lost the context has freed what was in it
  }
}

std::vector<std::string> SceneRenderer::cameras() const {
  std::vector<std::string> names;
  for (int id = 0; id < static_cast<int>(model_->ncam); ++id) {
    const char* name = mj_id2name(model_.get(), mjOBJ_CAMERA, id);
    if (name != nullptr) names.emplace_back(name);
  }
  return names;
}

void SceneRenderer::useFixedCamera(const std::string& name) {
  const int id = mj_name2id(model_.get(), mjOBJ_CAMERA, name.c_str());
  if (id < 0) throw Error("SPEC", "the model has no camera '" + name + "'");
  camera_.type = mjCAMERA_FIXED;
  camera_.fixedcamid = id;
}

void SceneRenderer::useFreeCamera(const FreeCamera& camera) {
  camera_.type = mjCAMERA_FREE;
  camera_.fixedcamid = -1;
  std::copy(camera.lookat.begin(), camera.lookat.end(), camera_.lookat);
  camera_.distance = camera.distance;
  camera_.azimuth = camera.azimuth;
  camera_.elevation = camera.elevation;
}

void SceneRenderer::place(const ScenePose& pose) {
  copy(pose.qpos, data_->qpos, model_->nq, "qpos");
  copy(pose.mocapPos, data_->mocap_pos, 3 * model_->nmocap, "mocap positions");
  copy(pose.mocapQuat, data_->mocap_quat, 4 * model_->nmocap, "mocap quaternions");
  copy(pose.bodyPos, model_->body_pos, 3 * model_->nbody, "body positions");
  copy(pose.bodyQuat, model_->body_quat, 4 * model_->nbody, "body quaternions");
  const mjModel* model = model_.get();
  mjData* data = data_.get();
  // What of mj_fwdPosition is seen.
  const char* failure = physics::trapped([&] {
    mj_kinematics(model, data);
    mj_comPos(model, data);
    mj_camlight(model, data);
    mj_flex(model, data);
    mj_tendon(model, data);
  });
  if (failure != nullptr) throw Error("PHYSICS", failure);
}

void SceneRenderer::draw(int width, int height, std::span<std::uint8_t> outRgb) {
  if (width < 1 || height < 1 || width > settings_.width || height > settings_.height) {
    throw Error("SHAPE", "a picture of " + std::to_string(width) + " x " + std::to_string(height) +
                             " pixels, the renderer was made for " + std::to_string(settings_.width) + " x " +
                             std::to_string(settings_.height));
  }
  const std::size_t row = std::size_t{3} * static_cast<std::size_t>(width);
  const auto rows = static_cast<std::size_t>(height);
  if (outRgb.size() != row * rows) {
    throw Error("SHAPE", "the picture needs " + std::to_string(row * rows) + " bytes, the buffer has " +
                             std::to_string(outRgb.size()));
  }
  const mjrRect viewport{0, 0, width, height};
  const OffscreenContext::Scope current(context_);
  const char* failure = physics::trapped([&] {
    mjv_updateScene(model_.get(), data_.get(), &option_, nullptr, &camera_, mjCAT_ALL, &scene_);
    mjr_render(viewport, &scene_, &drawing_);
    mjr_readPixels(outRgb.data(), nullptr, viewport, &drawing_);
  });
  if (failure != nullptr) throw Error("BACKEND", std::string("cannot render: ") + failure);
  // OpenGL's first row is the bottom one.
  for (std::size_t top = 0, bottom = rows - 1; top < bottom; ++top, --bottom) {
    std::swap_ranges(outRgb.data() + top * row, outRgb.data() + (top + 1) * row, outRgb.data() + bottom * row);
  }
}

}  // namespace vernier::render
