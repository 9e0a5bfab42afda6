/** A trajectory_msgs/JointTrajectory as it comes, and as the controller follows it. */

export interface JointTrajectoryMessage {
  readonly joint_names: readonly string[];
  readonly points: readonly JointTrajectoryPointMessage[];
}

export interface JointTrajectoryPointMessage {
  readonly positions: ArrayLike<number>;
  readonly velocities: ArrayLike<number>;
  readonly accelerations: ArrayLike<number>;
  readonly effort: ArrayLike<number>;
  readonly time_from_start: { readonly sec: number; readonly nanosec: number };
}

/** In the controller's order of joints. */
export interface TrajectoryPoint {
  /** Seconds from the start. */
  readonly time: number;
  readonly positions: Float64Array;
  /** undefined where the message does not carry them. */
  readonly velocities: Float64Array | undefined;
  readonly accelerations: Float64Array | undefined;
}

/** Results of FollowJointTrajectory. */
export const trajectoryResult = {
  successful: 0,
  invalidGoal: -1,
  invalidJoints: -2,
  oldHeaderTimestamp: -3,
  pathToleranceViolated: -4,
  goalToleranceViolated: -5,
} as const;
export type TrajectoryResult = (typeof trajectoryResult)[keyof typeof trajectoryResult];

export interface Refusal {
  readonly code: TrajectoryResult;
  readonly text: string;
}

export interface ReadOptions {
  readonly joints: readonly string[];
  readonly allowPartialJoints: boolean;
  readonly allowNonzeroFinalVelocity: boolean;
  /** [joints] where joints stay that a partial trajectory leaves out. */
  readonly rest: Float64Array;
}

/** Checks a message and sorts its joints by name.
 * @source joint_trajectory_controller of ros2_controllers (Jazzy), "Trajectory representation" and parameters; differs:
 * a joint named twice and numbers that are not finite are refused, and so are points without positions always */
export function readTrajectory(
  message: JointTrajectoryMessage,
  options: ReadOptions,
): readonly TrajectoryPoint[] | Refusal {
  const names = message.joint_names;
  const order = jointOrder(names, options);
  if (!Array.isArray(order)) return order as Refusal;
  const { points } = message;
  if (points.length === 0) return refuse('invalidGoal', 'the trajectory has no points');
  const read: TrajectoryPoint[] = [];
  let before = Number.NEGATIVE_INFINITY;
  for (const [k, point] of points.entries()) {
    const time = point.time_from_start.sec + 1e-9 * point.time_from_start.nanosec;
    if (time < 0) return refuse('invalidGoal', `point ${k} is at ${time} s, before the start`);
    if (time <= before) {
      return refuse('invalidGoal', `point ${k} is at ${time} s, not after the one before at ${before} s`);
    }
    before = time;
    const fault = pointFault(point, k, names.length);
    if (fault !== undefined) return refuse('invalidGoal', fault);
    read.push(sorted(point, time, order, options));
  }
  const last = read.at(-1)!;
  const moving = options.allowNonzeroFinalVelocity
    ? -1
    : (last.velocities?.findIndex((v) => Math.abs(v) > Number.EPSILON) ?? -1);
  if (moving < 0) return read;
  return refuse('invalidGoal', `joint '${options.joints[moving]}' does not rest at the last point`);
}

function refuse(code: keyof typeof trajectoryResult, text: string): Refusal {
  return { code: trajectoryResult[code], text };
}

/** Where each of the controller's joints stands in the message; -1: left out. */
function jointOrder(
  names: readonly string[],
  { joints, allowPartialJoints }: ReadOptions,
): readonly number[] | Refusal {
  if (names.length === 0) return refuse('invalidJoints', 'the trajectory names no joints');
  if (new Set(names).size < names.length) return refuse('invalidJoints', 'a joint is named twice');
  const unknown = names.find((name) => !joints.includes(name));
  if (unknown !== undefined) {
    return refuse('invalidJoints', `unknown joint '${unknown}'; this controller has ${joints.join(', ')}`);
  }
  const order = joints.map((joint) => names.indexOf(joint));
  const missing = order.indexOf(-1);
  if (missing >= 0 && !allowPartialJoints) {
    return refuse('invalidJoints', `joint '${joints[missing]}' is missing`);
  }
  return order;
}

function pointFault(point: JointTrajectoryPointMessage, k: number, joints: number): string | undefined {
  if (point.effort.length > 0) return `point ${k} carries efforts, which are not followed`;
  for (const field of ['positions', 'velocities', 'accelerations'] as const) {
    const values = point[field];
    if (values.length === 0 && field !== 'positions') continue;
    if (values.length !== joints) {
      return `point ${k} has ${values.length} ${field} for ${joints} joints`;
    }
    for (let i = 0; i < values.length; i++) {
      if (!Number.isFinite(values[i])) return `point ${k} has ${field} that are not finite`;
    }
  }
  return undefined;
}

function sorted(
  point: JointTrajectoryPointMessage,
  time: number,
  order: readonly number[],
  { rest }: ReadOptions,
): TrajectoryPoint {
  const column = (values: ArrayLike<number>, missing: (i: number) => number) =>
    Float64Array.from(order, (at, i) => (at < 0 ? missing(i) : values[at]!));
  const derivative = (values: ArrayLike<number>) =>
    values.length === 0 ? undefined : column(values, () => 0);
  return {
    time,
    positions: column(point.positions, (i) => rest[i]!),
    velocities: derivative(point.velocities),
    accelerations: derivative(point.accelerations),
  };
}
