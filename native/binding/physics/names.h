// A compiled model as the ModelNames of src/core/model.ts.
#pragma once
#include <mujoco/mujoco.h>
#include <napi.h>

namespace vernier::physics {

Napi::Object describeModel(Napi::Env env, const mjModel& model);

}  // namespace vernier::physics
