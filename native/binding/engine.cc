// EngineProgram: a decoded plan with the typed arrays it works on. JavaScript allocates every buffer; they are
// referenced here for the program's life, so nothing is copied in or out.
#include <chrono>
#include <memory>
#include <vector>

#include "binding/register.h"
#include "nn/executor.h"

namespace vernier {
namespace {

class EngineProgram : public Napi::ObjectWrap<EngineProgram> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(
        env, "EngineProgram",
        {InstanceMethod<&EngineProgram::run>("run"), InstanceMethod<&EngineProgram::runAsync>("runAsync"),
         InstanceMethod<&EngineProgram::close>("close"), InstanceAccessor<&EngineProgram::busy>("busy")});
  }

  // (code: Float64Array, buffers: (Float32Array | Int32Array)[], threads: number)
  explicit EngineProgram(const Napi::CallbackInfo& info) : Napi::ObjectWrap<EngineProgram>(info) {
    guard(info.Env(), [&] {
      if (info.Length() < 3 || !info[0].IsTypedArray() || !info[1].IsArray() || !info[2].IsNumber()) {
        throw Error("PLAN", "EngineProgram(code, buffers, threads)");
      }
      if (info[0].As<Napi::TypedArray>().TypedArrayType() != napi_float64_array) {
        throw Error("PLAN", "the plan is not a Float64Array");
      }
      const Napi::Float64Array code = info[0].As<Napi::Float64Array>();
      const Napi::Array list = info[1].As<Napi::Array>();
      std::vector<nn::BoundBuffer> buffers;
      for (std::uint32_t i = 0; i < list.Length(); ++i) buffers.push_back(bind(list[i]));
      const int threads = info[2].As<Napi::Number>().Int32Value();
      if (threads < 1 || threads > 256) throw Error("PLAN", "threads must be between 1 and 256");
      executor_ = std::make_unique<nn::Executor>(std::span(code.Data(), code.ElementLength()), buffers, threads);
    });
  }

 private:
  class Work : public Napi::AsyncWorker {
   public:
    Work(EngineProgram& program, Napi::Env env)
        : Napi::AsyncWorker(env), program_(program), self_(Napi::Persistent(program.Value())), deferred_(env) {}
    Napi::Promise promise() const { return deferred_.Promise(); }

   protected:
    void Execute() override {
      try {
        status_ = program_.executor_->run();
      } catch (const Error& error) {
        code_ = error.code();
        SetError(error.what());
      }
    }
    void OnOK() override {
      settle([&] { deferred_.Resolve(Napi::Number::New(Env(), status_)); });
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
      program_.busy_ = false;
      try {
        body();
      } catch (const Napi::Error&) {
        return;
      }
    }

    EngineProgram& program_;
    Napi::ObjectReference self_;
    Napi::Promise::Deferred deferred_;
    std::string code_ = "NATIVE";
    int status_ = -1;
  };

  nn::BoundBuffer bind(const Napi::Value& value) {
    if (!value.IsTypedArray()) throw Error("PLAN", "a buffer is not a typed array");
    const Napi::TypedArray array = value.As<Napi::TypedArray>();
    const bool integer = array.TypedArrayType() == napi_int32_array;
    if (!integer && array.TypedArrayType() != napi_float32_array) {
      throw Error("PLAN", "a buffer is neither Float32Array nor Int32Array");
    }
    kept_.push_back(Napi::Persistent(array.As<Napi::Object>()));
    void* data = static_cast<char*>(array.ArrayBuffer().Data()) + array.ByteOffset();
    return {data, array.ElementLength(), integer};
  }

  void requireIdle() const {
    if (!executor_) throw Error("STATE", "the program is closed");
    if (busy_) throw Error("STATE", "the program is busy with runAsync");
  }

  Napi::Value run(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
      requireIdle();
      return Napi::Number::New(info.Env(), executor_->run());
    });
  }

  Napi::Value runAsync(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
      requireIdle();
      busy_ = true;
      Work* work = new Work(*this, info.Env());
      const Napi::Promise promise = work->promise();
      work->Queue();
      return promise;
    });
  }

  Napi::Value close(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
      if (busy_) throw Error("STATE", "the program is busy with runAsync");
      executor_.reset();
      kept_.clear();
      return info.Env().Undefined();
    });
  }

  Napi::Value busy(const Napi::CallbackInfo& info) { return Napi::Boolean::New(info.Env(), busy_); }

  std::vector<Napi::ObjectReference> kept_;
  std::unique_ptr<nn::Executor> executor_;
  bool busy_ = false;
};

// Multiply-adds per second of one core, best of the bursts that fit in `milliseconds`.
Napi::Value engineFmaPeak(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    using Clock = std::chrono::steady_clock;
    const double milliseconds = info[0].ToNumber().DoubleValue();
    const Clock::time_point begin = Clock::now();
    double best = 0;
    do {
      const Clock::time_point start = Clock::now();
      const double operations = nn::kernels().peak(100000);
      best = std::max(best, operations / std::chrono::duration<double>(Clock::now() - start).count());
    } while (std::chrono::duration<double, std::milli>(Clock::now() - begin).count() < milliseconds);
    return Napi::Number::New(info.Env(), best);
  });
}

}  // namespace

void registerEngine(Napi::Env env, Napi::Object exports) {
  exports["EngineProgram"] = EngineProgram::define(env);
  exports["engineInstructionSet"] = Napi::String::New(env, nn::kernels().name);
  exports["engineFmaPeak"] = Napi::Function::New(env, engineFmaPeak, "engineFmaPeak");
}

}  // namespace vernier
