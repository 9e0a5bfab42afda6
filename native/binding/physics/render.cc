// SceneRenderer: pictures of a model, drawn offscreen.
#include <mujoco/mujoco.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "binding/register.h"
#include "render/scene_renderer.h"

namespace vernier {

namespace {

struct Files {
  Files() { mj_defaultVFS(&vfs); }
  ~Files() { mj_deleteVFS(&vfs); }
  Files(const Files&) = delete;
  Files& operator=(const Files&) = delete;
  mjVFS vfs;
};

// `source`: {xml: string, files: {name: Uint8Array}}.
render::OwnedModel loadModel(const Napi::Object& source) {
  Files files;
  const auto add = [&files](const std::string& name, const void* data, std::size_t size) {
    if (mj_addBufferVFS(&files.vfs, name.c_str(), data, static_cast<int>(size)) != 0) {
      throw Error("PHYSICS", "the model names the file " + name + " twice");
    }
  };
  const auto assets = source.Get("files").As<Napi::Object>();
  for (const auto& entry : assets.GetPropertyNames()) {
    const auto name = static_cast<Napi::Value>(entry.second).As<Napi::String>();
    const auto bytes = assets.Get(name).As<Napi::Uint8Array>();
    add(name.Utf8Value(), bytes.Data(), bytes.ByteLength());
  }
  const auto xml = source.Get("xml").As<Napi::String>().Utf8Value();
  add("vernier_model.xml", xml.data(), xml.size());
  char message[1024] = "";
  render::OwnedModel model(mj_loadXML("vernier_model.xml", &files.vfs, message, sizeof message));
  if (model == nullptr) throw Error("PHYSICS", message);
  return model;
}

std::span<const double> numbers(const Napi::Object& pose, const char* name) {
  const auto value = pose.Get(name);
  if (value.IsUndefined()) return {};
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_float64_array) {
    throw Error("SHAPE", std::string(name) + " is not a Float64Array");
  }
  const auto array = value.As<Napi::Float64Array>();
  return {array.Data(), array.ElementLength()};
}

class SceneRendererObject : public Napi::ObjectWrap<SceneRendererObject> {
 public:
  explicit SceneRendererObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<SceneRendererObject>(info) {
    guard(info.Env(), [&] {
      const auto options = info[1].As<Napi::Object>();
      const render::Settings settings{
          .width = options.Get("width").ToNumber().Int32Value(),
          .height = options.Get("height").ToNumber().Int32Value(),
          .shadows = options.Get("shadows").ToBoolean().Value(),
          .samples = options.Get("samples").ToNumber().Int32Value(),
      };
      renderer_ = std::make_unique<render::SceneRenderer>(loadModel(info[0].As<Napi::Object>()), settings);
    });
  }

  static void define(Napi::Env env, Napi::Object exports) {
    exports["SceneRenderer"] = DefineClass(env, "SceneRenderer",
                                           {
                                               InstanceMethod<&SceneRendererObject::useFixedCamera>("useFixedCamera"),
                                               InstanceMethod<&SceneRendererObject::useFreeCamera>("useFreeCamera"),
                                               InstanceMethod<&SceneRendererObject::render>("render"),
                                               InstanceMethod<&SceneRendererObject::close>("close"),
                                           });
  }

 private:
  render::SceneRenderer& renderer() {
    if (renderer_ == nullptr) throw Error("STATE", "the renderer is closed");
    return *renderer_;
  }

  void useFixedCamera(const Napi::CallbackInfo& info) {
    guard(info.Env(), [&] { renderer().useFixedCamera(info[0].ToString().Utf8Value()); });
  }

  // (lookatX, lookatY, lookatZ, distance, azimuth, elevation)
  void useFreeCamera(const Napi::CallbackInfo& info) {
    guard(info.Env(), [&] {
      const auto number = [&info](std::size_t i) { return info[i].ToNumber().DoubleValue(); };
      renderer().useFreeCamera({.lookat = {number(0), number(1), number(2)},
                                .distance = number(3),
                                .azimuth = number(4),
                                .elevation = number(5)});
    });
  }

  void render(const Napi::CallbackInfo& info) {
    guard(info.Env(), [&] {
      const auto pose = info[0].As<Napi::Object>();
      auto out = info[1].As<Napi::Uint8Array>();
      renderer().render({.qpos = numbers(pose, "qpos"),
                         .mocapPos = numbers(pose, "mocapPos"),
                         .mocapQuat = numbers(pose, "mocapQuat"),
                         .bodyPos = numbers(pose, "bodyPos"),
                         .bodyQuat = numbers(pose, "bodyQuat")},
                        std::span<std::uint8_t>(out.Data(), out.ElementLength()));
    });
  }

  void close(const Napi::CallbackInfo&) { renderer_.reset(); }

  std::unique_ptr<render::SceneRenderer> renderer_;
};

}  // namespace

void registerRender(Napi::Env env, Napi::Object exports) { SceneRendererObject::define(env, exports); }

}  // namespace vernier
