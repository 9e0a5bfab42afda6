// SceneRenderer: pictures of a model, drawn offscreen.
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "binding/physics/parse.h"
#include "binding/register.h"
#include "render/scene_renderer.h"

namespace vernier {

namespace {

bool isTyped(const Napi::Value& value, napi_typedarray_type type) {
  return value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == type;
}

std::span<const double> numbers(const Napi::Object& pose, const char* name) {
  const auto value = pose.Get(name);
  if (value.IsUndefined()) return {};
  if (!isTyped(value, napi_float64_array)) throw Error("SHAPE", std::string(name) + " is not a Float64Array");
  const auto array = value.As<Napi::Float64Array>();
  return {array.Data(), array.ElementLength()};
}

class SceneRendererObject : public Napi::ObjectWrap<SceneRendererObject> {
 public:
  explicit SceneRendererObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<SceneRendererObject>(info) {
    guard(info.Env(), [&] {
      if (!info[0].IsObject() || !info[1].IsObject()) throw Error("USAGE", "SceneRenderer: expected (source, options)");
      const auto options = info[1].As<Napi::Object>();
      const render::Settings settings{
          .width = options.Get("width").ToNumber().Int32Value(),
          .height = options.Get("height").ToNumber().Int32Value(),
          .shadows = options.Get("shadows").ToBoolean().Value(),
          .samples = options.Get("samples").ToNumber().Int32Value(),
          .coarse = options.Get("coarse").ToBoolean().Value(),
      };
      renderer_ = std::make_unique<render::SceneRenderer>(physics::parseModel(info[0].As<Napi::Object>()), settings);
    });
  }

  static void define(Napi::Env env, Napi::Object exports) {
    exports["SceneRenderer"] = DefineClass(env, "SceneRenderer",
                                           {
                                               InstanceMethod<&SceneRendererObject::cameras>("cameras"),
                                               InstanceMethod<&SceneRendererObject::useFixedCamera>("useFixedCamera"),
                                               InstanceMethod<&SceneRendererObject::useFreeCamera>("useFreeCamera"),
                                               InstanceMethod<&SceneRendererObject::place>("place"),
                                               InstanceMethod<&SceneRendererObject::draw>("draw"),
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

  // -> names of the model's cameras
  Napi::Value cameras(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
      const auto names = renderer().cameras();
      auto out = Napi::Array::New(info.Env(), names.size());
      for (std::uint32_t i = 0; i < names.size(); ++i) out.Set(i, Napi::String::New(info.Env(), names[i]));
      return out;
    });
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

  void place(const Napi::CallbackInfo& info) {
    guard(info.Env(), [&] {
      if (!info[0].IsObject()) throw Error("USAGE", "place: expected a pose");
      const auto pose = info[0].As<Napi::Object>();
      renderer().place({.qpos = numbers(pose, "qpos"),
                        .mocapPos = numbers(pose, "mocapPos"),
                        .mocapQuat = numbers(pose, "mocapQuat"),
                        .bodyPos = numbers(pose, "bodyPos"),
                        .bodyQuat = numbers(pose, "bodyQuat")});
    });
  }

  // (width, height, outRgb)
  void draw(const Napi::CallbackInfo& info) {
    guard(info.Env(), [&] {
      if (!isTyped(info[2], napi_uint8_array)) throw Error("USAGE", "draw: expected (width, height, Uint8Array)");
      auto out = info[2].As<Napi::Uint8Array>();
      renderer().draw(info[0].ToNumber().Int32Value(), info[1].ToNumber().Int32Value(),
                      std::span<std::uint8_t>(out.Data(), out.ElementLength()));
    });
  }

  void close(const Napi::CallbackInfo&) { renderer_.reset(); }

  std::unique_ptr<render::SceneRenderer> renderer_;
};

}  // namespace

void registerRender(Napi::Env env, Napi::Object exports) { SceneRendererObject::define(env, exports); }

}  // namespace vernier
