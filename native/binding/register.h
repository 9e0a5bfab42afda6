// What each binding file offers to the addon's entry, and the guard every entry point runs in.
#pragma once
#include <napi.h>

#include <exception>
#include <stdexcept>
#include <string>
#include <utility>

#include "core/error.h"

namespace vernier {

void registerEngine(Napi::Env env, Napi::Object exports);
void registerMonitors(Napi::Env env, Napi::Object exports);
void registerPhysics(Napi::Env env, Napi::Object exports);
void registerExpressions(Napi::Env env, Napi::Object exports);
void registerRender(Napi::Env env, Napi::Object exports);

// Runs `body`; a coded Error becomes a JavaScript error with `code`, anything else code NATIVE.
template <class Body>
auto guard(Napi::Env env, Body&& body) -> decltype(body()) {
  std::string message, code;
  try {
    return body();
  } catch (const Napi::Error&) {
    throw;
  } catch (const Error& error) {
    message = error.what();
    code = error.code();
  } catch (const std::exception& error) {
    message = error.what();
    code = "NATIVE";
  }
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("code", Napi::String::New(env, code));
  throw error;
}

}  // namespace vernier
