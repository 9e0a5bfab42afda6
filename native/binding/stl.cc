// JavaScript class StlMonitor: a formula's monitor over a batch of traces.
#include <memory>
#include <string>

#include "binding/register.h"
#include "stl/batch.h"

namespace vernier {
namespace {

template <class T>
std::span<T> typedArray(const Napi::Value& value, napi_typedarray_type wanted, const char* name) {
  napi_typedarray_type type{};
  std::size_t length = 0;
  void* data = nullptr;
  const napi_status status = napi_get_typedarray_info(value.Env(), value, &type, &length, &data, nullptr, nullptr);
  if (status != napi_ok || type != wanted) {
    throw Error("USAGE", std::string(name) + ": expected a typed array of the right kind");
  }
  return {static_cast<T*>(data), length};
}

class StlMonitor : public Napi::ObjectWrap<StlMonitor> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "StlMonitor",
                       {
                           InstanceMethod("bind", &StlMonitor::bind),
                           InstanceMethod<&StlMonitor::feed>("feed"),
                           InstanceMethod("reset", &StlMonitor::reset),
                           InstanceMethod("finish", &StlMonitor::finish),
                           InstanceMethod("close", &StlMonitor::close),
                       });
  }

  // (code: Float64Array, traces, threads)
  explicit StlMonitor(const Napi::CallbackInfo& info) : Napi::ObjectWrap<StlMonitor>(info) {
    guard(info.Env(), [&] {
      if (info.Length() < 3) throw Error("USAGE", "StlMonitor: expected (code, traces, threads)");
      const auto traces = whole(info[1], 1 << 24, "traces");
      const auto threads = whole(info[2], 256, "threads");
      const auto code = typedArray<const double>(info[0], napi_float64_array, "code");
      batch_ = std::make_unique<stl::MonitorBatch>(code, traces, static_cast<int>(threads));
    });
  }

 private:
  static std::size_t whole(const Napi::Value& value, double most, const char* name) {
    const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : 0;
    if (!(number >= 1 && number <= most))
      throw Error("USAGE", std::string(name) + ": expected a whole number from 1 on");
    return static_cast<std::size_t>(number);
  }

  stl::MonitorBatch& ready() {
    if (!batch_) throw Error("STATE", "the monitor is closed");
    return *batch_;
  }

  // (samples [T,B,P], value | null, lower | null, upper | null: Float64Array [T,B], verdict | null: Int8Array [T,B]):
  // what feed() reads and writes from now on. Kept from being collected; that they keep their length is up to the
  // caller.
  Napi::Value bind(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
      stl::MonitorBatch& batch = ready();
      if (info.Length() < 5) throw Error("USAGE", "bind: expected (samples, value, lower, upper, verdict)");
      const auto samples = typedArray<const double>(info[0], napi_float64_array, "samples");
      const std::size_t row = batch.traces() * batch.program().predicates();
      if (row == 0 || samples.size() % row != 0) throw Error("SHAPE", "samples: expected whole samples of every trace");
      const std::size_t readings = samples.size() / row * batch.traces();
      stl::Readings out;
      out.value = output<double>(info[1], napi_float64_array, readings, "value");
      out.lower = output<double>(info[2], napi_float64_array, readings, "lower");
      out.upper = output<double>(info[3], napi_float64_array, readings, "upper");
      out.verdict = output<std::int8_t>(info[4], napi_int8_array, readings, "verdict");
      auto kept = Napi::Array::New(info.Env(), 5);
      for (std::uint32_t i = 0; i < 5; ++i) kept.Set(i, info[i]);
      kept_ = Napi::Persistent(kept.As<Napi::Object>());
      samples_ = samples;
      out_ = out;
      return info.Env().Undefined();
    });
  }

  // ()
  Napi::Value feed(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
      ready().feed(samples_, out_);
      return {};
    });
  }

  template <class T>
  static std::span<T> output(const Napi::Value& value, napi_typedarray_type type, std::size_t size, const char* name) {
    if (value.IsNull() || value.IsUndefined()) return {};
    const auto out = typedArray<T>(value, type, name);
    if (out.size() != size) throw Error("SHAPE", std::string(name) + ": expected one entry per sample and trace");
    return out;
  }

  // (trace)
  Napi::Value reset(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
      stl::MonitorBatch& batch = ready();
      const double trace = info.Length() > 0 && info[0].IsNumber() ? info[0].As<Napi::Number>().DoubleValue() : -1;
      if (!(trace >= 0 && trace < static_cast<double>(batch.traces()))) throw Error("USAGE", "no such trace");
      batch.reset(static_cast<std::size_t>(trace));
      return info.Env().Undefined();
    });
  }

  // (out: Float64Array [B])
  Napi::Value finish(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
      stl::MonitorBatch& batch = ready();
      const auto out = typedArray<double>(info[0], napi_float64_array, "out");
      if (out.size() != batch.traces()) throw Error("SHAPE", "out: expected one entry per trace");
      batch.finish(out);
      return info.Env().Undefined();
    });
  }

  Napi::Value close(const Napi::CallbackInfo& info) {
    batch_.reset();
    kept_.Reset();
    return info.Env().Undefined();
  }

  std::unique_ptr<stl::MonitorBatch> batch_;
  Napi::ObjectReference kept_;
  std::span<const double> samples_;
  stl::Readings out_;
};

}  // namespace

void registerMonitors(Napi::Env env, Napi::Object exports) { exports.Set("StlMonitor", StlMonitor::define(env)); }

}  // namespace vernier
