#include "binding/physics/names.h"

#include <string>
#include <utility>

namespace vernier::physics {
namespace {

constexpr std::pair<int, const char*> kSensorTypes[] = {
    {mjSENS_TOUCH, "touch"},
    {mjSENS_ACCELEROMETER, "accelerometer"},
    {mjSENS_VELOCIMETER, "velocimeter"},
    {mjSENS_GYRO, "gyro"},
    {mjSENS_FORCE, "force"},
    {mjSENS_TORQUE, "torque"},
    {mjSENS_MAGNETOMETER, "magnetometer"},
    {mjSENS_RANGEFINDER, "rangefinder"},
    {mjSENS_CAMPROJECTION, "camprojection"},
    {mjSENS_JOINTPOS, "jointpos"},
    {mjSENS_JOINTVEL, "jointvel"},
    {mjSENS_TENDONPOS, "tendonpos"},
    {mjSENS_TENDONVEL, "tendonvel"},
    {mjSENS_ACTUATORPOS, "actuatorpos"},
    {mjSENS_ACTUATORVEL, "actuatorvel"},
    {mjSENS_ACTUATORFRC, "actuatorfrc"},
    {mjSENS_JOINTACTFRC, "jointactfrc"},
    {mjSENS_TENDONACTFRC, "tendonactfrc"},
    {mjSENS_BALLQUAT, "ballquat"},
    {mjSENS_BALLANGVEL, "ballangvel"},
    {mjSENS_JOINTLIMITPOS, "jointlimitpos"},
    {mjSENS_JOINTLIMITVEL, "jointlimitvel"},
    {mjSENS_JOINTLIMITFRC, "jointlimitfrc"},
    {mjSENS_TENDONLIMITPOS, "tendonlimitpos"},
    {mjSENS_TENDONLIMITVEL, "tendonlimitvel"},
    {mjSENS_TENDONLIMITFRC, "tendonlimitfrc"},
    {mjSENS_FRAMEPOS, "framepos"},
    {mjSENS_FRAMEQUAT, "framequat"},
    {mjSENS_FRAMEXAXIS, "framexaxis"},
    {mjSENS_FRAMEYAXIS, "frameyaxis"},
    {mjSENS_FRAMEZAXIS, "framezaxis"},
    {mjSENS_FRAMELINVEL, "framelinvel"},
    {mjSENS_FRAMEANGVEL, "frameangvel"},
    {mjSENS_FRAMELINACC, "framelinacc"},
    {mjSENS_FRAMEANGACC, "frameangacc"},
    {mjSENS_SUBTREECOM, "subtreecom"},
    {mjSENS_SUBTREELINVEL, "subtreelinvel"},
    {mjSENS_SUBTREEANGMOM, "subtreeangmom"},
    {mjSENS_INSIDESITE, "insidesite"},
    {mjSENS_GEOMDIST, "geomdist"},
    {mjSENS_GEOMNORMAL, "geomnormal"},
    {mjSENS_GEOMFROMTO, "geomfromto"},
    {mjSENS_CONTACT, "contact"},
    {mjSENS_E_POTENTIAL, "e_potential"},
    {mjSENS_E_KINETIC, "e_kinetic"},
    {mjSENS_CLOCK, "clock"},
    {mjSENS_TACTILE, "tactile"},
    {mjSENS_PLUGIN, "plugin"},
    {mjSENS_USER, "user"},
};

const char* sensorType(int type) {
  for (const auto& [value, name] : kSensorTypes) {
    if (value == type) return name;
  }
  return "unknown";
}

class Writer {
 public:
  explicit Writer(Napi::Env env) : env_(env), out_(Napi::Object::New(env)) {}

  Napi::Object object() const { return out_; }
  void set(const char* key, double value) { out_.Set(key, Napi::Number::New(env_, value)); }
  void set(const char* key, const Napi::Value& value) { out_.Set(key, value); }
  // One entry per i in [0, count).
  template <class Entry>
  void list(const char* key, mjtSize count, const Entry& entry) {
    auto array = Napi::Array::New(env_, static_cast<std::size_t>(count));
    for (mjtSize i = 0; i < count; ++i) array.Set(static_cast<std::uint32_t>(i), entry(static_cast<int>(i)));
    out_.Set(key, array);
  }
  void names(const char* key, const mjModel& model, mjtObj type, mjtSize count) {
    list(key, count, [&](int i) {
      const char* name = mj_id2name(&model, type, i);
      return Napi::String::New(env_, name == nullptr ? "" : name);
    });
  }
  template <class T>
  void numbers(const char* key, const T* values, mjtSize count) {
    list(key, count, [&](int i) { return Napi::Number::New(env_, static_cast<double>(values[i])); });
  }
  template <class T>
  void ranges(const char* key, const mjtNum* values, const T* limited, mjtSize count) {
    list(key, count, [&](int i) -> Napi::Value {
      if (!limited[i]) return env_.Undefined();
      auto pair = Napi::Array::New(env_, 2);
      pair.Set(0u, values[2 * i]);
      pair.Set(1u, values[2 * i + 1]);
      return pair;
    });
  }

 private:
  Napi::Env env_;
  Napi::Object out_;
};

}  // namespace

// Pairs of bodies that active welds hold together.
Napi::Array weldBodies(Napi::Env env, const mjModel& m) {
  auto out = Napi::Array::New(env);
  for (mjtSize i = 0; i < m.neq; ++i) {
    if (m.eq_type[i] != mjEQ_WELD || !m.eq_active0[i]) continue;
    const bool sites = m.eq_objtype[i] == mjOBJ_SITE;
    auto pair = Napi::Array::New(env, 2);
    pair.Set(0u, sites ? m.site_bodyid[m.eq_obj1id[i]] : m.eq_obj1id[i]);
    pair.Set(1u, sites ? m.site_bodyid[m.eq_obj2id[i]] : m.eq_obj2id[i]);
    out.Set(out.Length(), pair);
  }
  return out;
}

Napi::Object describeModel(Napi::Env env, const mjModel& m) {
  Writer out(env);
  out.names("body", m, mjOBJ_BODY, m.nbody);
  out.names("site", m, mjOBJ_SITE, m.nsite);
  out.names("geom", m, mjOBJ_GEOM, m.ngeom);
  out.names("joint", m, mjOBJ_JOINT, m.njnt);
  out.names("actuator", m, mjOBJ_ACTUATOR, m.nactuator);
  out.names("sensor", m, mjOBJ_SENSOR, m.nsensor);
  out.names("camera", m, mjOBJ_CAMERA, m.ncam);
  out.names("keyframe", m, mjOBJ_KEY, m.nkey);
  out.set("nq", static_cast<double>(m.nq));
  out.set("nv", static_cast<double>(m.nv));
  out.set("nu", static_cast<double>(m.nu));
  out.set("nsensordata", static_cast<double>(m.nsensordata));
  out.set("timestep", m.opt.timestep);
  out.numbers("bodyParent", m.body_parentid, m.nbody);
  out.numbers("bodyMocap", m.body_mocapid, m.nbody);
  out.set("weldBodies", weldBodies(env, m));
  out.numbers("siteBody", m.site_bodyid, m.nsite);
  out.numbers("geomBody", m.geom_bodyid, m.ngeom);
  out.numbers("jointBody", m.jnt_bodyid, m.njnt);
  out.numbers("jointType", m.jnt_type, m.njnt);
  out.numbers("jointQposAddress", m.jnt_qposadr, m.njnt);
  out.numbers("jointDofAddress", m.jnt_dofadr, m.njnt);
  out.ranges("jointRange", m.jnt_range, m.jnt_limited, m.njnt);
  out.numbers("actuatorTransmission", m.actuator_trntype, m.nactuator);
  out.list("actuatorTarget", m.nactuator, [&](int i) { return Napi::Number::New(env, m.actuator_trnid[2 * i]); });
  out.ranges("actuatorControlRange", m.actuator_ctrlrange, m.actuator_ctrllimited, m.nu);
  out.list("sensorType", m.nsensor, [&](int i) { return Napi::String::New(env, sensorType(m.sensor_type[i])); });
  out.numbers("sensorAddress", m.sensor_adr, m.nsensor);
  out.numbers("sensorDimension", m.sensor_dim, m.nsensor);
  return out.object();
}

}  // namespace vernier::physics
