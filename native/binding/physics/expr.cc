// JavaScript class ExpressionProbe: evaluates expression programs on one model at a given state. It is how tests
// compare the virtual machine with its TypeScript twin, and how tools look at a task's signals without stepping.
#include <mujoco/mujoco.h>
#include <napi.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "binding/physics/parse.h"
#include "binding/register.h"
#include "expr/vm.h"
#include "physics/model.h"

namespace vernier {
namespace {

template <class T>
std::span<T> typedArray(const Napi::Value& value, napi_typedarray_type type, const std::string& name) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != type) {
    throw Error("USAGE", name + ": expected a typed array of the right kind");
  }
  const auto array = value.As<Napi::TypedArray>();
  auto* bytes = static_cast<std::uint8_t*>(array.ArrayBuffer().Data()) + array.ByteOffset();
  return {reinterpret_cast<T*>(bytes), array.ElementLength()};
}

class ExpressionProbe : public Napi::ObjectWrap<ExpressionProbe> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "ExpressionProbe",
                       {
                           InstanceMethod("evaluate", &ExpressionProbe::evaluate),
                           InstanceMethod("arrays", &ExpressionProbe::arrays),
                       });
  }

  // (source)
  explicit ExpressionProbe(const Napi::CallbackInfo& info) : Napi::ObjectWrap<ExpressionProbe>(info) {
    guard(info.Env(), [&] {
      if (info.Length() < 1 || !info[0].IsObject()) throw Error("USAGE", "expected a model source");
      model_ = physics::parseModel(info[0].As<Napi::Object>());
      data_ = physics::makeData(*model_);
    });
  }

 private:
  // (code, {qpos, qvel, ctrl, action, command, time, step}, repeat) -> Float64Array
  Napi::Value evaluate(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
      if (info.Length() < 3 || !info[1].IsObject() || !info[2].IsNumber()) {
        throw Error("USAGE", "evaluate: expected (code, state, repeat)");
      }
      const auto state = info[1].As<Napi::Object>();
      const auto program = expr::Program::decode(typedArray<double>(info[0], napi_float64_array, "code"), *model_);
      place(state);
      const expr::Frame frame{model_.get(),
                              data_.get(),
                              state.Get("time").ToNumber().DoubleValue(),
                              state.Get("step").ToNumber().DoubleValue(),
                              typedArray<float>(state.Get("action"), napi_float32_array, "action"),
                              typedArray<double>(state.Get("command"), napi_float64_array, "command")};
      std::vector<double> registers(program.registers());
      auto out = Napi::Float64Array::New(info.Env(), program.outputs());
      const std::int64_t repeat = info[2].As<Napi::Number>().Int64Value();
      for (std::int64_t i = 0; i < repeat; ++i)
        expr::evaluate(program, frame, registers, {out.Data(), program.outputs()});
      return out;
    });
  }

  // Copies the state in and runs the forward pass.
  void place(const Napi::Object& state) {
    const mjModel& m = *model_;
    mjData& d = *data_;
    mj_resetData(&m, &d);
    copy(state, "qpos", {d.qpos, static_cast<std::size_t>(m.nq)});
    copy(state, "qvel", {d.qvel, static_cast<std::size_t>(m.nv)});
    copy(state, "ctrl", {d.ctrl, static_cast<std::size_t>(m.nu)});
    if (const char* message = physics::trapped([&] { mj_forward(&m, &d); })) throw Error("PHYSICS", message);
  }

  static void copy(const Napi::Object& state, const char* name, std::span<double> out) {
    const auto values = typedArray<double>(state.Get(name), napi_float64_array, name);
    if (values.size() != out.size()) throw Error("SHAPE", std::string(name) + ": wrong length");
    std::copy(values.begin(), values.end(), out.begin());
  }

  // () -> what ModelView of src/expr/evaluate.ts asks for, as the last evaluate() left it
  Napi::Value arrays(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
      const Napi::Env env = info.Env();
      const mjModel& m = *model_;
      const mjData& d = *data_;
      auto out = Napi::Object::New(env);
      const auto put = [&](const char* name, const auto* values, mjtSize count) {
        auto array = Napi::Float64Array::New(env, static_cast<std::size_t>(count));
        std::copy_n(values, count, array.Data());
        out.Set(name, array);
      };
      put("body_rootid", m.body_rootid, m.nbody);
      put("site_bodyid", m.site_bodyid, m.nsite);
      put("site_quat", m.site_quat, 4 * m.nsite);
      put("geom_bodyid", m.geom_bodyid, m.ngeom);
      put("geom_quat", m.geom_quat, 4 * m.ngeom);
      put("actuator_ctrladr", m.actuator_ctrladr, m.nactuator);
      put("actuator_outadr", m.actuator_outadr, m.nactuator);
      put("xpos", d.xpos, 3 * m.nbody);
      put("xquat", d.xquat, 4 * m.nbody);
      put("site_xpos", d.site_xpos, 3 * m.nsite);
      put("site_xmat", d.site_xmat, 9 * m.nsite);
      put("geom_xpos", d.geom_xpos, 3 * m.ngeom);
      put("cvel", d.cvel, 6 * m.nbody);
      put("subtree_com", d.subtree_com, 3 * m.nbody);
      put("qpos", d.qpos, m.nq);
      put("qvel", d.qvel, m.nv);
      put("ctrl", d.ctrl, m.nu);
      put("actuator_force", d.actuator_force, m.nout);
      put("sensordata", d.sensordata, m.nsensordata);
      out.Set("contacts", contacts(env));
      return out;
    });
  }

  Napi::Object contacts(Napi::Env env) const {
    std::vector<double> geom1, geom2, force;
    for (int i = 0; i < data_->ncon; ++i) {
      const mjContact& contact = data_->contact[i];
      if (contact.exclude != 0) continue;
      mjtNum wrench[6];
      mj_contactForce(model_.get(), data_.get(), i, wrench);
      geom1.push_back(contact.geom[0]);
      geom2.push_back(contact.geom[1]);
      force.push_back(wrench[0]);
    }
    auto out = Napi::Object::New(env);
    out.Set("count", Napi::Number::New(env, static_cast<double>(force.size())));
    const auto put = [&](const char* name, const std::vector<double>& values) {
      auto array = Napi::Float64Array::New(env, values.size());
      std::copy(values.begin(), values.end(), array.Data());
      out.Set(name, array);
    };
    put("geom1", geom1);
    put("geom2", geom2);
    put("normalForce", force);
    return out;
  }

  physics::ModelPtr model_;
  physics::DataPtr data_;
};

}  // namespace

void registerExpressions(Napi::Env env, Napi::Object exports) {
  exports.Set("ExpressionProbe", ExpressionProbe::define(env));
}

}  // namespace vernier
