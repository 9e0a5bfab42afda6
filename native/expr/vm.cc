#include "expr/vm.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace vernier::expr {
namespace {

template <class F>
inline void unary(const Instruction& in, double* r, F f) {
  for (std::int32_t i = 0; i < in.n; ++i) r[in.destination + i] = f(r[in.a + i * in.stride_a]);
}

template <class F>
inline void binary(const Instruction& in, double* r, F f) {
  for (std::int32_t i = 0; i < in.n; ++i) {
    r[in.destination + i] = f(r[in.a + i * in.stride_a], r[in.b + i * in.stride_b]);
  }
}

template <class F>
inline void ternary(const Instruction& in, double* r, F f) {
  for (std::int32_t i = 0; i < in.n; ++i) {
    r[in.destination + i] = f(r[in.a + i * in.stride_a], r[in.b + i * in.stride_b], r[in.c + i * in.stride_c]);
  }
}

void cross(const double* a, const double* b, double* out) {
  out[0] = a[1] * b[2] - a[2] * b[1];
  out[1] = a[2] * b[0] - a[0] * b[2];
  out[2] = a[0] * b[1] - a[1] * b[0];
}

void rotate(const double* q, const double* v, double* out) {
  // v + 2 w (u x v) + 2 u x (u x v), with q = (w, u)
  double t[3], s[3];
  cross(q + 1, v, t);
  cross(q + 1, t, s);
  for (int i = 0; i < 3; ++i) out[i] = v[i] + 2 * (q[0] * t[i] + s[i]);
}

void quaternionMultiply(const double* a, const double* b, double* out) {
  out[0] = a[0] * b[0] - a[1] * b[1] - a[2] * b[2] - a[3] * b[3];
  out[1] = a[0] * b[1] + a[1] * b[0] + a[2] * b[3] - a[3] * b[2];
  out[2] = a[0] * b[2] - a[1] * b[3] + a[2] * b[0] + a[3] * b[1];
  out[3] = a[0] * b[3] + a[1] * b[2] - a[2] * b[1] + a[3] * b[0];
}

double norm3(const double* v) { return std::sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]); }

double quaternionAngle(const double* a, const double* b) {
  const double conjugate[4] = {a[0], -a[1], -a[2], -a[3]};
  double q[4];
  quaternionMultiply(conjugate, b, q);
  return 2 * std::atan2(norm3(q + 1), std::abs(q[0]));
}

double vectorAngle(const double* a, const double* b) {
  double c[3];
  cross(a, b, c);
  return std::atan2(norm3(c), a[0] * b[0] + a[1] * b[1] + a[2] * b[2]);
}

enum FrameKind { kBody = 0, kSite = 1, kGeom = 2 };

int frameBody(const mjModel& m, std::int32_t kind, std::int32_t id) {
  if (kind == kBody) return id;
  return kind == kSite ? m.site_bodyid[id] : m.geom_bodyid[id];
}

const double* framePosition(const mjData& d, std::int32_t kind, std::int32_t id) {
  if (kind == kBody) return d.xpos + 3 * id;
  return (kind == kSite ? d.site_xpos : d.geom_xpos) + 3 * id;
}

// By way of the body's quaternion and not the frame's matrix: its sign is continuous in time.
void frameQuaternion(const mjModel& m, const mjData& d, std::int32_t kind, std::int32_t id, double* out) {
  const double* body = d.xquat + 4 * frameBody(m, kind, id);
  if (kind == kBody) {
    std::copy_n(body, 4, out);
  } else {
    quaternionMultiply(body, (kind == kSite ? m.site_quat : m.geom_quat) + 4 * id, out);
  }
}

// cvel is (angular, linear) about the centre of mass of the body's tree: move it to the frame's origin.
void frameVelocity(const mjModel& m, const mjData& d, std::int32_t kind, std::int32_t id, double* out) {
  const int body = frameBody(m, kind, id);
  const double* com = d.subtree_com + 3 * m.body_rootid[body];
  const double* p = framePosition(d, kind, id);
  const double* velocity = d.cvel + 6 * body;
  const double arm[3] = {p[0] - com[0], p[1] - com[1], p[2] - com[2]};
  cross(velocity, arm, out);
  for (int i = 0; i < 3; ++i) out[i] += velocity[3 + i];
}

bool matches(const mjModel& m, int geom, std::int32_t kind, std::int32_t id) {
  return geom >= 0 && (kind == kGeom ? geom == id : m.geom_bodyid[geom] == id);
}

bool matches(const mjModel& m, const mjContact& contact, const Instruction& in) {
  if (contact.exclude != 0) return false;
  for (int side = 0; side < 2; ++side) {
    if (matches(m, contact.geom[side], in.a, in.b) && (in.c < 0 || matches(m, contact.geom[1 - side], in.c, in.d))) {
      return true;
    }
  }
  return false;
}

double touching(const mjModel& m, const mjData& d, const Instruction& in) {
  for (int i = 0; i < d.ncon; ++i) {
    if (matches(m, d.contact[i], in)) return 1;
  }
  return 0;
}

double normalForce(const mjModel& m, const mjData& d, const Instruction& in) {
  double sum = 0;
  for (int i = 0; i < d.ncon; ++i) {
    if (!matches(m, d.contact[i], in)) continue;
    mjtNum wrench[6];
    mj_contactForce(&m, &d, i, wrench);
    sum += wrench[0];
  }
  return sum;
}

void readModel(const Instruction& in, const Frame& frame, double* r) {
  const mjModel& m = *frame.model;
  const mjData& d = *frame.data;
  double* out = r + in.destination;
  switch (in.op) {
    case Op::kFramePosition:
      std::copy_n(framePosition(d, in.a, in.b), 3, out);
      break;
    case Op::kFrameQuaternion:
      frameQuaternion(m, d, in.a, in.b, out);
      break;
    case Op::kFrameVelocity:
      frameVelocity(m, d, in.a, in.b, out);
      break;
    case Op::kFrameAngularVelocity:
      std::copy_n(d.cvel + 6 * frameBody(m, in.a, in.b), 3, out);
      break;
    case Op::kQpos:
      std::copy_n(d.qpos + in.a, in.n, out);
      break;
    case Op::kQvel:
      std::copy_n(d.qvel + in.a, in.n, out);
      break;
    case Op::kActuatorForce:
      *out = d.actuator_force[m.actuator_outadr[in.a]];
      break;
    case Op::kControl:
      *out = d.ctrl[m.actuator_ctrladr[in.a]];
      break;
    case Op::kSensor:
      std::copy_n(d.sensordata + in.a, in.n, out);
      break;
    case Op::kCommand:
      std::copy_n(frame.command.data() + in.a, in.n, out);
      break;
    case Op::kAction:
      std::copy_n(frame.action.data() + in.a, in.n, out);
      break;
    case Op::kTime:
      *out = frame.time;
      break;
    case Op::kStep:
      *out = frame.step;
      break;
    case Op::kContact:
      *out = touching(m, d, in);
      break;
    case Op::kContactForce:
      *out = normalForce(m, d, in);
      break;
    default:
      break;  // decode() let nothing else through
  }
}

void dot(const Instruction& in, double* r) {
  double sum = 0;
  for (std::int32_t i = 0; i < in.n; ++i) sum += r[in.a + i * in.stride_a] * r[in.b + i * in.stride_b];
  r[in.destination] = sum;
}

void norm(const Instruction& in, double* r) {
  double sum = 0;
  for (std::int32_t i = 0; i < in.n; ++i) sum += r[in.a + i * in.stride_a] * r[in.a + i * in.stride_a];
  r[in.destination] = std::sqrt(sum);
}

void run(const Instruction& in, const Frame& frame, double* r) {
  switch (in.op) {
    case Op::kMove:
      return unary(in, r, [](double a) { return a; });
    case Op::kNegate:
      return unary(in, r, [](double a) { return -a; });
    case Op::kAbs:
      return unary(in, r, [](double a) { return std::abs(a); });
    case Op::kSqrt:
      return unary(in, r, [](double a) { return std::sqrt(a); });
    case Op::kSin:
      return unary(in, r, [](double a) { return std::sin(a); });
    case Op::kCos:
      return unary(in, r, [](double a) { return std::cos(a); });
    case Op::kExp:
      return unary(in, r, [](double a) { return std::exp(a); });
    case Op::kLog:
      return unary(in, r, [](double a) { return std::log(a); });
    case Op::kTanh:
      return unary(in, r, [](double a) { return std::tanh(a); });
    case Op::kNot:
      return unary(in, r, [](double a) { return a == 0 ? 1.0 : 0.0; });
    case Op::kAdd:
      return binary(in, r, [](double a, double b) { return a + b; });
    case Op::kSubtract:
      return binary(in, r, [](double a, double b) { return a - b; });
    case Op::kMultiply:
      return binary(in, r, [](double a, double b) { return a * b; });
    case Op::kDivide:
      return binary(in, r, [](double a, double b) { return a / b; });
    case Op::kMin:
      return binary(in, r, [](double a, double b) { return a < b || a != a ? a : b; });
    case Op::kMax:
      return binary(in, r, [](double a, double b) { return a > b || a != a ? a : b; });
    case Op::kAtan2:
      return binary(in, r, [](double a, double b) { return std::atan2(a, b); });
    case Op::kPower:
      return binary(in, r, [](double a, double b) { return std::pow(a, b); });
    case Op::kLess:
      return binary(in, r, [](double a, double b) { return a < b ? 1.0 : 0.0; });
    case Op::kLessEqual:
      return binary(in, r, [](double a, double b) { return a <= b ? 1.0 : 0.0; });
    case Op::kEqual:
      return binary(in, r, [](double a, double b) { return a == b ? 1.0 : 0.0; });
    case Op::kNotEqual:
      return binary(in, r, [](double a, double b) { return a != b ? 1.0 : 0.0; });
    case Op::kAnd:
      return binary(in, r, [](double a, double b) { return a != 0 && b != 0 ? 1.0 : 0.0; });
    case Op::kOr:
      return binary(in, r, [](double a, double b) { return a != 0 || b != 0 ? 1.0 : 0.0; });
    case Op::kClamp:
      return ternary(in, r, [](double a, double lo, double hi) { return a < lo ? lo : a > hi ? hi : a; });
    case Op::kSelect:
      return ternary(in, r, [](double a, double b, double c) { return a != 0 ? b : c; });
    case Op::kDot:
      return dot(in, r);
    case Op::kNorm:
      return norm(in, r);
    case Op::kCross:
      return cross(r + in.a, r + in.b, r + in.destination);
    case Op::kRotate:
      return rotate(r + in.a, r + in.b, r + in.destination);
    case Op::kQuaternionMultiply:
      return quaternionMultiply(r + in.a, r + in.b, r + in.destination);
    case Op::kQuaternionConjugate:
      for (int i = 0; i < 4; ++i) r[in.destination + i] = i == 0 ? r[in.a] : -r[in.a + i];
      return;
    case Op::kQuaternionYaw: {
      const double* q = r + in.a;
      r[in.destination] = std::atan2(2 * (q[0] * q[3] + q[1] * q[2]), 1 - 2 * (q[2] * q[2] + q[3] * q[3]));
      return;
    }
    case Op::kQuaternionAngle:
      r[in.destination] = quaternionAngle(r + in.a, r + in.b);
      return;
    case Op::kVectorAngle:
      r[in.destination] = vectorAngle(r + in.a, r + in.b);
      return;
    default:
      return readModel(in, frame, r);
  }
}

}  // namespace

int frameBody(const Instruction& in, const mjModel& model) {
  const bool reads = in.op == Op::kFramePosition || in.op == Op::kFrameQuaternion || in.op == Op::kFrameVelocity ||
                     in.op == Op::kFrameAngularVelocity;
  return reads ? frameBody(model, in.a, in.b) : -1;
}

void evaluate(const Program& program, const Frame& frame, std::span<double> registers, std::span<double> out) {
  if (registers.size() < program.registers() || out.size() != program.outputs() ||
      frame.action.size() < program.actionLength() || frame.command.size() < program.commandLength()) {
    throw Error("SHAPE", "a buffer is too short for the expression program");
  }
  double* r = registers.data();
  std::copy(program.constants().begin(), program.constants().end(), r);
  for (const Instruction& in : program.instructions()) run(in, frame, r);
  const auto outputs = program.outputRegisters();
  for (std::size_t i = 0; i < outputs.size(); ++i) out[i] = r[outputs[i]];
}

}  // namespace vernier::expr
