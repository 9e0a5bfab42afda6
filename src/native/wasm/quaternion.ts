/** Quaternions (w first) as MuJoCo computes them; outputs may not alias inputs. */

type Numbers = ArrayLike<number>;

export function multiplyQuat(out: Float64Array, a: Numbers, b: Numbers): void {
  out[0] = a[0]! * b[0]! - a[1]! * b[1]! - a[2]! * b[2]! - a[3]! * b[3]!;
  out[1] = a[0]! * b[1]! + a[1]! * b[0]! + a[2]! * b[3]! - a[3]! * b[2]!;
  out[2] = a[0]! * b[2]! - a[1]! * b[3]! + a[2]! * b[0]! + a[3]! * b[1]!;
  out[3] = a[0]! * b[3]! + a[1]! * b[2]! - a[2]! * b[1]! + a[3]! * b[0]!;
}

export function conjugate(out: Float64Array, q: Numbers): void {
  out[0] = q[0]!;
  for (let i = 1; i < 4; i++) out[i] = -q[i]!;
}

/** Rotates v in place. */
export function rotate(v: Float64Array, q: Numbers): void {
  const [w, x, y, z] = [q[0]!, q[1]!, q[2]!, q[3]!];
  const [a, b, c] = [v[0]!, v[1]!, v[2]!];
  const tx = w * a + y * c - z * b;
  const ty = w * b + z * a - x * c;
  const tz = w * c + x * b - y * a;
  v[0] = a + 2 * (y * tz - z * ty);
  v[1] = b + 2 * (z * tx - x * tz);
  v[2] = c + 2 * (x * ty - y * tx);
}

/** Quaternion of the row-major rotation matrix m[at..at+9]. */
export function matrixToQuat(out: Float64Array, m: Numbers, at: number): void {
  const e = (row: number, column: number): number => m[at + 3 * row + column]!;
  const trace = e(0, 0) + e(1, 1) + e(2, 2);
  if (trace > 0) {
    out[0] = 0.5 * Math.sqrt(1 + trace);
    out[1] = (0.25 * (e(2, 1) - e(1, 2))) / out[0];
    out[2] = (0.25 * (e(0, 2) - e(2, 0))) / out[0];
    out[3] = (0.25 * (e(1, 0) - e(0, 1))) / out[0];
  } else {
    const i = e(0, 0) > e(1, 1) && e(0, 0) > e(2, 2) ? 0 : e(1, 1) > e(2, 2) ? 1 : 2;
    const [j, k] = [(i + 1) % 3, (i + 2) % 3];
    const large = 0.5 * Math.sqrt(1 + e(i, i) - e(j, j) - e(k, k));
    out[0] = (0.25 * (e(k, j) - e(j, k))) / large;
    out[1 + i] = large;
    out[1 + j] = (0.25 * (e(i, j) + e(j, i))) / large;
    out[1 + k] = (0.25 * (e(i, k) + e(k, i))) / large;
  }
  const norm = Math.hypot(out[0]!, out[1]!, out[2]!, out[3]!);
  for (let i = 0; i < 4; i++) out[i]! /= norm;
}

/** exp of a rotation vector. */
export function fromRotationVector(out: Float64Array, v: Numbers): void {
  const angle = Math.sqrt(v[0]! * v[0]! + v[1]! * v[1]! + v[2]! * v[2]!);
  const scale = angle < 1e-12 ? 0.5 : Math.sin(angle / 2) / angle;
  out[0] = Math.cos(angle / 2);
  for (let i = 0; i < 3; i++) out[1 + i] = scale * v[i]!;
}

/** log of a unit quaternion, the short way round, to out[at..at+3]. */
export function toRotationVector(out: Float64Array, at: number, q: Numbers): void {
  const sine = Math.sqrt(q[1]! * q[1]! + q[2]! * q[2]! + q[3]! * q[3]!);
  const sign = q[0]! < 0 ? -1 : 1;
  const scale = sine < 1e-12 ? 2 : (2 * Math.atan2(sine, sign * q[0]!)) / sine;
  for (let i = 0; i < 3; i++) out[at + i] = sign * scale * q[1 + i]!;
}

/** Roll, pitch, yaw about fixed axes: Rz Ry Rx. */
export function fromAngles(out: Float64Array, angles: Numbers): void {
  const turn = new Float64Array(4);
  const before = new Float64Array(4);
  out.set([1, 0, 0, 0]);
  for (let k = 0; k < 3; k++) {
    turn.fill(0);
    turn[0] = Math.cos(angles[k]! / 2);
    turn[1 + k] = Math.sin(angles[k]! / 2);
    before.set(out);
    multiplyQuat(out, turn, before);
  }
}
