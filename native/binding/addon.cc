// The addon's entry: registers each JavaScript class, one file per class.
#include "binding/register.h"

namespace {

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  exports["abi"] = Napi::Number::New(env, 1);
  vernier::registerEngine(env, exports);
  vernier::registerMonitors(env, exports);
#ifdef VERNIER_PHYSICS
  vernier::registerPhysics(env, exports);
  vernier::registerExpressions(env, exports);
  vernier::registerRender(env, exports);
#endif
  return exports;
}

}  // namespace

NODE_API_MODULE(vernier, initialize)
