// The addon vernier_dds: JavaScript class Participant, a node's endpoints in DDS.
#include <dds/version.h>
#include <napi.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "binding/register.h"
#include "transport/participant.h"

namespace vernier {
namespace {

using transport::Message;
using transport::Quality;

// A whole number in [least, most].
std::int64_t whole(const Napi::Value& value, double least, double most, const char* name) {
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : least - 1;
  if (!(number >= least && number <= most && std::floor(number) == number)) {
    throw Error("USAGE", std::string(name) + ": expected a whole number from " +
                             std::to_string(static_cast<std::int64_t>(least)) + " to " +
                             std::to_string(static_cast<std::int64_t>(most)));
  }
  return static_cast<std::int64_t>(number);
}

std::string text(const Napi::Value& value, const char* name) {
  if (!value.IsString()) throw Error("USAGE", std::string(name) + ": expected a string");
  return value.As<Napi::String>().Utf8Value();
}

std::span<const std::uint8_t> bytes(const Napi::Value& value, const char* name) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
    throw Error("USAGE", std::string(name) + ": expected a Uint8Array");
  }
  const auto array = value.As<Napi::Uint8Array>();
  return {array.Data(), array.ElementLength()};
}

// {reliable, transientLocal, depth, deadline: nanoseconds, userData}
Quality quality(const Napi::Value& value) {
  if (!value.IsObject()) throw Error("USAGE", "quality: expected an object");
  const auto object = value.As<Napi::Object>();
  return {.reliable = object.Get("reliable").ToBoolean(),
          .transientLocal = object.Get("transientLocal").ToBoolean(),
          .depth = static_cast<std::int32_t>(whole(object.Get("depth"), 1, 1 << 20, "depth")),
          .deadline = whole(object.Get("deadline"), 0, 9e15, "deadline"),
          .userData = text(object.Get("userData"), "userData")};
}

// Keeps its thread running until it is closed. The middleware's threads only ever reach `wake_`, which is let go
// after DDS has stopped them.
class Participant : public Napi::ObjectWrap<Participant> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Participant",
                       {
                           InstanceMethod("addWriter", &Participant::addWriter),
                           InstanceMethod("addReader", &Participant::addReader),
                           InstanceMethod("remove", &Participant::remove),
                           InstanceMethod("write", &Participant::write),
                           InstanceMethod("matched", &Participant::matched),
                           InstanceMethod("deadlineMisses", &Participant::deadlineMisses),
                           InstanceMethod("misfit", &Participant::misfit),
                           InstanceMethod("guid", &Participant::guid),
                           InstanceMethod("reaches", &Participant::reaches),
                           InstanceMethod("close", &Participant::close),
                       });
  }

  // (domain, userData, onMessage(reader, bytes, sent: bigint, age: nanoseconds, writer: bigint))
  explicit Participant(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Participant>(info) {
    guard(info.Env(), [&] {
      const auto domain = static_cast<std::uint32_t>(whole(info[0], 0, 232, "domain"));
      const std::string userData = text(info[1], "userData");
      if (!info[2].IsFunction()) throw Error("USAGE", "onMessage: expected a function");
      wake_ = Wake::New(info.Env(), info[2].As<Napi::Function>(), "vernier_dds", 0, 1, this);
      try {
        participant_ = std::make_unique<transport::Participant>(domain, userData, [this] { wake_.NonBlockingCall(); });
      } catch (...) {
        wake_.Abort();
        throw;
      }
      // Runs before the hook of `wake_`, as hooks run in reverse order: no thread is left that could call it.
      napi_add_env_cleanup_hook(info.Env(), &Participant::leave, this);
      Ref();
    });
  }

 private:
  static void leave(void* self) { static_cast<Participant*>(self)->participant_.reset(); }

  static void deliver(Napi::Env env, Napi::Function onMessage, Participant* self, std::nullptr_t*) {
    if (env != nullptr && self->participant_ != nullptr) self->deliverTo(env, onMessage);
  }
  using Wake = Napi::TypedThreadSafeFunction<Participant, std::nullptr_t, &Participant::deliver>;

  void deliverTo(Napi::Env env, const Napi::Function& onMessage) {
    participant_->deliver([&](const Message& message) {
      const bool goesOn = call(env, onMessage, message);
      return goesOn && participant_ != nullptr;
    });
  }

  // Plain calls of Node-API: in a thread that is being ended they fail, and that must not throw.
  static bool call(napi_env env, napi_value onMessage, const Message& message) {
    napi_handle_scope scope = nullptr;
    if (napi_open_handle_scope(env, &scope) != napi_ok) return false;
    const bool goesOn = callInScope(env, onMessage, message);
    return napi_close_handle_scope(env, scope) == napi_ok && goesOn;
  }

  static bool callInScope(napi_env env, napi_value onMessage, const Message& message) {
    std::array<napi_value, 5> arguments{};
    void* data = nullptr;
    napi_value buffer = nullptr;
    napi_value receiver = nullptr;
    const std::size_t size = message.bytes.size();
    const auto age = static_cast<double>(dds_time() - message.arrived);
    const bool made = napi_create_int32(env, message.reader, &arguments[0]) == napi_ok &&
                      napi_create_arraybuffer(env, size, &data, &buffer) == napi_ok &&
                      napi_create_typedarray(env, napi_uint8_array, size, buffer, 0, &arguments[1]) == napi_ok &&
                      napi_create_bigint_int64(env, message.sent, &arguments[2]) == napi_ok &&
                      napi_create_double(env, age, &arguments[3]) == napi_ok &&
                      napi_create_bigint_uint64(env, message.writer, &arguments[4]) == napi_ok &&
                      napi_get_undefined(env, &receiver) == napi_ok;
    if (!made) return false;
    std::copy(message.bytes.begin(), message.bytes.end(), static_cast<std::uint8_t*>(data));
    const napi_status status =
        napi_call_function(env, receiver, onMessage, arguments.size(), arguments.data(), nullptr);
    if (status == napi_ok) return true;
    napi_value thrown = nullptr;
    return status == napi_pending_exception && napi_get_and_clear_last_exception(env, &thrown) == napi_ok &&
           napi_fatal_exception(env, thrown) == napi_ok;
  }

  transport::Participant& open() {
    if (!participant_) throw Error("STATE", "the transport is closed");
    return *participant_;
  }

  static int id(const Napi::Value& value) { return static_cast<int>(whole(value, 0, 2147483647, "endpoint")); }

  // (topic, type, quality): the endpoint
  Napi::Value addWriter(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
      const int added = open().addWriter(text(info[0], "topic"), text(info[1], "type"), quality(info[2]));
      return Napi::Number::New(info.Env(), added);
    });
  }

  // (topic, type, quality): the endpoint
  Napi::Value addReader(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
      const int added = open().addReader(text(info[0], "topic"), text(info[1], "type"), quality(info[2]));
      return Napi::Number::New(info.Env(), added);
    });
  }

  // (endpoint); also when it or the participant is closed
  Napi::Value remove(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
      const int endpoint = id(info[0]);
      if (participant_) participant_->remove(endpoint);
      return info.Env().Undefined();
    });
  }

  // (writer, message)
  Napi::Value write(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
      open().write(id(info[0]), bytes(info[1], "message"));
      return info.Env().Undefined();
    });
  }

  // (endpoint): those that match now
  Napi::Value matched(const Napi::CallbackInfo& info) {
    return guard(info.Env(),
                 [&]() -> Napi::Value { return Napi::Number::New(info.Env(), open().matched(id(info[0]))); });
  }

  // (reader): so far
  Napi::Value deadlineMisses(const Napi::CallbackInfo& info) {
    return guard(info.Env(),
                 [&]() -> Napi::Value { return Napi::Number::New(info.Env(), open().deadlineMisses(id(info[0]))); });
  }

  // (endpoint): the policy by which the last one did not fit, or ""
  Napi::Value misfit(const Napi::CallbackInfo& info) {
    return guard(info.Env(),
                 [&]() -> Napi::Value { return Napi::String::New(info.Env(), open().misfit(id(info[0]))); });
  }

  // (endpoint, or nothing for the participant): Uint8Array [16]
  Napi::Value guid(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
      const auto guid = open().guid(info.Length() > 0 ? id(info[0]) : -1);
      auto out = Napi::Uint8Array::New(info.Env(), guid.size());
      std::copy(guid.begin(), guid.end(), out.Data());
      return out;
    });
  }

  // (reader, requester: bigint, writer): whether what the writer sends reaches who sent that request
  Napi::Value reaches(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
      if (!info[1].IsBigInt()) throw Error("USAGE", "requester: expected a bigint");
      bool lossless = false;
      const std::uint64_t requester = info[1].As<Napi::BigInt>().Uint64Value(&lossless);
      return Napi::Boolean::New(info.Env(), open().reaches(id(info[0]), requester, id(info[2])));
    });
  }

  // (); idempotent
  Napi::Value close(const Napi::CallbackInfo& info) {
    return guard(info.Env(), [&]() -> Napi::Value {
      if (!participant_) return info.Env().Undefined();
      napi_remove_env_cleanup_hook(info.Env(), &Participant::leave, this);
      // deliver() may be on the stack: it looks before it goes on.
      participant_.reset();
      wake_.Abort();
      Unref();
      return info.Env().Undefined();
    });
  }

  Wake wake_;
  // Torn down before `wake_`.
  std::unique_ptr<transport::Participant> participant_;
};

class DdsAddon : public Napi::Addon<DdsAddon> {
 public:
  DdsAddon(Napi::Env env, Napi::Object exports) {
    DefineAddon(exports, {InstanceValue("abi", Napi::Number::New(env, 2)),
                          InstanceValue("version", Napi::String::New(env, DDS_VERSION)),
                          InstanceValue("Participant", Participant::define(env))});
  }
};

Napi::Object initialize(Napi::Env env, Napi::Object exports) { return DdsAddon::Init(env, exports); }

}  // namespace
}  // namespace vernier

using vernier::initialize;
NODE_API_MODULE(vernier_dds, initialize)
