import { conjugate, multiplyQuat, rotate } from '#native/wasm/quaternion';
import type { Message } from '#transport/messageValue';

/** Poses as seven numbers: position, quaternion w first. `X_AB` takes points of B to A. */
export type Pose = Float64Array;

/** Quaternions further from unit length than this are a mistake, not rounding. */
const TOLERANCE = 0.01;

export function identityPose(): Pose {
  return Float64Array.of(0, 0, 0, 1, 0, 0, 0);
}

/** X_AC = X_AB X_BC. */
export function composed(ab: Pose, bc: Pose): Pose {
  const out = new Float64Array(7);
  const shift = bc.slice(0, 3);
  rotate(shift, ab.subarray(3));
  for (let k = 0; k < 3; k++) out[k] = ab[k]! + shift[k]!;
  multiplyQuat(out.subarray(3), ab.subarray(3), bc.subarray(3));
  return out;
}

/** X_BA. */
export function inverted(ab: Pose): Pose {
  const out = new Float64Array(7);
  conjugate(out.subarray(3), ab.subarray(3));
  const back = Float64Array.of(-ab[0]!, -ab[1]!, -ab[2]!);
  rotate(back, out.subarray(3));
  out.set(back);
  return out;
}

/** Of geometry_msgs: x, y, z of a point or vector and x, y, z, w of a quaternion.
 * @returns undefined where a number is not finite or the quaternion is none */
export function poseOf(position: Message, rotation: Message): Pose | undefined {
  const out = Float64Array.of(
    position['x'] as number,
    position['y'] as number,
    position['z'] as number,
    rotation['w'] as number,
    rotation['x'] as number,
    rotation['y'] as number,
    rotation['z'] as number,
  );
  const length = Math.hypot(out[3]!, out[4]!, out[5]!, out[6]!);
  if (!out.every(Number.isFinite) || Math.abs(length - 1) > TOLERANCE) return undefined;
  for (let k = 3; k < 7; k++) out[k]! /= length;
  return out;
}
