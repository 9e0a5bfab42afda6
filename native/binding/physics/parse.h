// From a PhysicsSpec of src/native/physicsSpec.ts to the native form, every id and number checked.
#pragma once
#include <napi.h>

#include <string>
#include <vector>

#include "physics/batch.h"
#include "physics/model.h"
#include "physics/spec.h"

namespace vernier::physics {

// The ModelSource `source`, compiled.
ModelPtr parseModel(const Napi::Object& source);
BatchSpec parseSpec(const Napi::Object& spec, const mjModel& model);
Buffers parseBuffers(const Napi::Object& buffers);

}  // namespace vernier::physics
