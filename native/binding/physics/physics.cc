// JavaScript class PhysicsBatch and the function modelNames.
#include <mujoco/mujoco.h>
#include <napi.h>

#include <memory>
#include <span>
#include <string>

#include "binding/physics/names.h"
#include "binding/physics/parse.h"
#include "binding/register.h"
#include "physics/batch.h"

namespace vernier {
namespace {

using physics::Batch;

class PhysicsBatch : public Napi::ObjectWrap<PhysicsBatch> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "PhysicsBatch",
                       {
                           InstanceMethod("reset", &PhysicsBatch::reset),
                           InstanceMethod("step", &PhysicsBatch::step),
                           InstanceMethod("stepAsync", &PhysicsBatch::stepAsync),
                           InstanceMethod("getState", &PhysicsBatch::getState),
                           InstanceMethod("setState", &PhysicsBatch::setState),
                           InstanceMethod("getEnvironment", &PhysicsBatch::getEnvironment),
                           InstanceMethod("setEnvironment", &PhysicsBatch::setEnvironment),
                           InstanceMethod("read", &PhysicsBatch::read),
                           InstanceMethod("sense", &PhysicsBatch::sense),
                           InstanceMethod("command", &PhysicsBatch::command),
                           InstanceMethod("frameAt", &PhysicsBatch::frameAt),
                           InstanceMethod("drive", &PhysicsBatch::drive),
                           InstanceMethod("close", &PhysicsBatch::close),
                           InstanceAccessor("commandLength", &PhysicsBatch::commandLength, nullptr),
                           InstanceAccessor("threads", &PhysicsBatch::threads, nullptr),
                           InstanceAccessor("seed", &PhysicsBatch::seed, nullptr),
                           InstanceAccessor("firstEnvironment", &PhysicsBatch::firstEnvironment, nullptr),
                       });
  }

  // (source, spec, buffers)
  explicit PhysicsBatch(const Napi::CallbackInfo& info) : Napi::ObjectWrap<PhysicsBatch>(info) {
    guard(info.Env(), [&] {
      const auto source = object(info, 0), spec = object(info, 1), buffers = object(info, 2);
      auto model = physics::parseModel(source);
      const auto parsed = physics::parseSpec(spec, *model);
      batch_ = std::make_unique<Batch>(parsed, std::move(model), physics::parseBuffers(buffers));
      keep(info.Env(), buffers);
    });
  }

 private:
  // Runs one step beside the JavaScript thread.
  class StepWorker : public Napi::AsyncWorker {
   public:
    StepWorker(Napi::Env env, PhysicsBatch& owner)
        : Napi::AsyncWorker(env), owner_(owner), self_(Napi::Persistent(owner.Value())), deferred_(env) {}
    Napi::Promise promise() const { return deferred_.Promise(); }

    void Execute() override {
      try {
        owner_.batch_->step();
      } catch (const Error& error) {
        code_ = error.code();
        SetError(error.what());
      }
    }
    void OnOK() override {
      settle([&] { deferred_.Resolve(owner_.faults(Env())); });
    }
    void OnError(const Napi::Error& error) override {
      settle([&] {
        error.Value().Set("code", Napi::String::New(Env(), code_));
        deferred_.Reject(error.Value());
      });
    }

   private:
    // Where the JavaScript environment is being torn down nobody waits any more, and N-API calls fail.
    template <class Body>
    void settle(const Body& body) {
      owner_.busy_ = false;
      try {
        body();
      } catch (const Napi::Error&) {
        return;
      }
    }

    PhysicsBatch& owner_;
    Napi::ObjectReference self_;
    Napi::Promise::Deferred deferred_;
    std::string code_ = "NATIVE";
  };

  static Napi::Object object(const Napi::CallbackInfo& info, std::size_t index) {
    if (index >= info.Length() || !info[index].IsObject()) {
      throw Error("USAGE", "PhysicsBatch: expected (source, spec, buffers)");
    }
    return info[index].As<Napi::Object>();
  }

  // The arrays must outlive the batch, whatever happens to the object that named them.
  void keep(Napi::Env env, const Napi::Object& buffers) {
    auto kept = Napi::Array::New(env);
    const auto names = buffers.GetPropertyNames();
    for (std::uint32_t i = 0; i < names.Length(); ++i) kept.Set(i, buffers.Get(names.Get(i)));
    buffers_ = Napi::Persistent(kept.As<Napi::Object>());
  }

  Batch& ready() {
    if (!batch_) throw Error("STATE", "the environment is closed");
    if (busy_) throw Error("STATE", "the environment is busy: await stepAsync() first");
    return *batch_;
  }

  // The faults of the last call, or null.
  Napi::Value faults(Napi::Env env) const {
    const auto& faults = batch_->faults();
    if (faults.empty()) return env.Null();
    auto out = Napi::Array::New(env, faults.size());
    for (std::size_t i = 0; i < faults.size(); ++i) {
      auto fault = Napi::Object::New(env);
      fault.Set("environment", Napi::Number::New(env, static_cast<double>(faults[i].environment)));
      fault.Set("episode", Napi::Number::New(env, faults[i].episode));
      fault.Set("step", Napi::Number::New(env, faults[i].step));
      fault.Set("cause", Napi::String::New(env, faults[i].cause));
      out.Set(static_cast<std::uint32_t>(i), fault);
    }
    return out;
  }

  // (seed, episode, firstEnvironment)
  Napi::Value reset(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&] {
      std::uint32_t words[3];
      for (std::size_t i = 0; i < 3; ++i) {
        if (i >= info.Length() || !info[i].IsNumber()) throw Error("USAGE", "reset: expected three whole numbers");
        words[i] = info[i].As<Napi::Number>().Uint32Value();
      }
      ready().reset(words[0], words[1], words[2]);
      return faults(info.Env());
    });
  }

  Napi::Value step(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&] {
      ready().step();
      return faults(info.Env());
    });
  }

  Napi::Value stepAsync(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
      ready();
      auto* worker = new StepWorker(info.Env(), *this);
      const auto promise = worker->promise();
      busy_ = true;
      worker->Queue();
      return promise;
    });
  }

  Napi::Value getState(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
      Batch& batch = ready();
      auto out = Napi::Uint8Array::New(info.Env(), batch.stateSize());
      batch.getState({out.Data(), out.ElementLength()});
      return out;
    });
  }

  Napi::Value setState(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
      Batch& batch = ready();
      batch.setState(bytesOf(info, 0, "setState"));
      return info.Env().Undefined();
    });
  }

  // (environment) -> bytes
  Napi::Value getEnvironment(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
      const Batch& batch = ready();
      const std::size_t environment = environmentOf(info, batch);
      auto out = Napi::Uint8Array::New(info.Env(), batch.environmentSize());
      batch.getEnvironment(environment, {out.Data(), out.ElementLength()});
      return out;
    });
  }

  // (environment, bytes)
  Napi::Value setEnvironment(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
      Batch& batch = ready();
      batch.setEnvironment(environmentOf(info, batch), bytesOf(info, 1, "setEnvironment"));
      return info.Env().Undefined();
    });
  }

  static std::size_t environmentOf(const Napi::CallbackInfo& info, const Batch& batch) {
    const double environment = info.Length() > 0 && info[0].IsNumber() ? info[0].As<Napi::Number>().DoubleValue() : -1;
    if (!(environment >= 0 && environment < static_cast<double>(batch.environments()))) {
      throw Error("USAGE", "no such environment");
    }
    return static_cast<std::size_t>(environment);
  }

  static std::span<const std::uint8_t> bytesOf(const Napi::CallbackInfo& info, std::size_t at, const char* method) {
    if (info.Length() <= at || !info[at].IsTypedArray()) {
      throw Error("USAGE", std::string(method) + ": expected a Uint8Array");
    }
    const auto in = info[at].As<Napi::TypedArray>();
    return {static_cast<const std::uint8_t*>(in.ArrayBuffer().Data()) + in.ByteOffset(), in.ByteLength()};
  }

  // (environment) -> {qpos, qvel, time, and the poses that qpos does not hold}
  Napi::Value read(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
      Batch& batch = ready();
      const std::size_t environment = environmentOf(info, batch);
      const auto model = physics::copyModel(batch.model());
      const auto data = physics::makeData(batch.model());
      batch.readEnvironment(environment, *model, *data);
      auto out = Napi::Object::New(info.Env());
      out.Set("qpos", numbers(info.Env(), data->qpos, model->nq));
      out.Set("qvel", numbers(info.Env(), data->qvel, model->nv));
      out.Set("time", Napi::Number::New(info.Env(), data->time));
      out.Set("mocapPos", numbers(info.Env(), data->mocap_pos, 3 * model->nmocap));
      out.Set("mocapQuat", numbers(info.Env(), data->mocap_quat, 4 * model->nmocap));
      out.Set("bodyPos", numbers(info.Env(), model->body_pos, 3 * model->nbody));
      out.Set("bodyQuat", numbers(info.Env(), model->body_quat, 4 * model->nbody));
      return out;
    });
  }

  static Napi::Value numbers(Napi::Env env, const double* values, mjtSize count) {
    auto out = Napi::Float64Array::New(env, static_cast<std::size_t>(count));
    std::copy_n(values, count, out.Data());
    return out;
  }

  static std::span<double> doubles(const Napi::Value& value, const char* name) {
    if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_float64_array) {
      throw Error("USAGE", std::string(name) + ": expected a Float64Array");
    }
    auto array = value.As<Napi::Float64Array>();
    return {array.Data(), array.ElementLength()};
  }

  // ({qpos, qvel, mocapPos, mocapQuat, bodyPos, bodyQuat}, begins)
  Napi::Value sense(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&] {
      Batch& batch = ready();
      if (info.Length() < 2 || !info[0].IsObject() || !info[1].IsBoolean()) {
        throw Error("USAGE", "sense: expected (scene, begins)");
      }
      const auto scene = info[0].As<Napi::Object>();
      const auto field = [&](const char* name) { return doubles(scene.Get(name), name); };
      batch.sense(
          {field("qpos"), field("qvel"), field("mocapPos"), field("mocapQuat"), field("bodyPos"), field("bodyQuat")},
          info[1].As<Napi::Boolean>());
      return info.Env().Undefined();
    });
  }

  // (out)
  Napi::Value command(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&] {
      Batch& batch = ready();
      if (info.Length() < 1) throw Error("USAGE", "command: expected (out)");
      batch.command(doubles(info[0], "out"));
      return info.Env().Undefined();
    });
  }

  // (qpos, kind, id, out)
  Napi::Value frameAt(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&] {
      Batch& batch = ready();
      if (info.Length() < 4 || !info[1].IsNumber() || !info[2].IsNumber()) {
        throw Error("USAGE", "frameAt: expected (qpos, kind, id, out)");
      }
      const auto out = doubles(info[3], "out");
      if (out.size() != 7) throw Error("SHAPE", "out: expected 7 numbers");
      batch.frameAt(doubles(info[0], "qpos"), info[1].As<Napi::Number>().Int32Value(),
                    info[2].As<Napi::Number>().Int32Value(), out.first<7>());
      return info.Env().Undefined();
    });
  }

  // (references, velocities, judged, {qpos, qvel, force, position, rotation})
  Napi::Value drive(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&] {
      Batch& batch = ready();
      if (info.Length() < 4 || !info[2].IsBoolean() || !info[3].IsObject()) {
        throw Error("USAGE", "drive: expected (references, velocities, judged, out)");
      }
      const auto out = info[3].As<Napi::Object>();
      const auto field = [&](const char* name) { return doubles(out.Get(name), name); };
      batch.drive(doubles(info[0], "references"), doubles(info[1], "velocities"), info[2].As<Napi::Boolean>(),
                  {field("qpos"), field("qvel"), field("force"), field("position"), field("rotation")});
      return info.Env().Undefined();
    });
  }

  Napi::Value commandLength(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
      return Napi::Number::New(info.Env(), static_cast<double>(ready().commandLength()));
    });
  }

  Napi::Value close(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&] {
      if (busy_) throw Error("STATE", "the environment is busy: await stepAsync() before close()");
      batch_.reset();
      buffers_.Reset();
      return info.Env().Undefined();
    });
  }

  Napi::Value threads(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value { return Napi::Number::New(info.Env(), ready().threads()); });
  }
  Napi::Value seed(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value { return Napi::Number::New(info.Env(), ready().seed()); });
  }
  Napi::Value firstEnvironment(const Napi::CallbackInfo& info) {
    return guard(info.Env(),
                 [&]() -> Napi::Value { return Napi::Number::New(info.Env(), ready().firstEnvironment()); });
  }

  std::unique_ptr<Batch> batch_;
  Napi::ObjectReference buffers_;
  bool busy_ = false;
};

// (source) -> ModelNames
Napi::Value modelNames(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    if (info.Length() < 1 || !info[0].IsObject()) throw Error("USAGE", "modelNames: expected a model source");
    const auto model = physics::parseModel(info[0].As<Napi::Object>());
    return physics::describeModel(info.Env(), *model);
  });
}

}  // namespace

void registerPhysics(Napi::Env env, Napi::Object exports) {
  guard(env, [] { physics::installMujoco(); });
  exports.Set("PhysicsBatch", PhysicsBatch::define(env));
  exports.Set("modelNames", Napi::Function::New(env, modelNames, "modelNames"));
  exports.Set("mujocoVersion", Napi::String::New(env, mj_versionString()));
}

}  // namespace vernier
