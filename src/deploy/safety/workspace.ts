import type { CommandState, JointCommand } from '#deploy/safety/commandState';
import { canStop, jointLimits, takeBend } from '#deploy/safety/jointStep';
import type { MotionLimits } from '#deploy/safety/limits';
import { stopBend } from '#deploy/safety/stopping';

/** A box that a point of the robot must not leave, usually the tool centre point in the frame of the base. */
export interface Workspace {
  /** Metres. */
  readonly lower: readonly [number, number, number];
  readonly upper: readonly [number, number, number];
  /** Forward kinematics.
   * @param positions [joints] rad or m; not to be kept @param out [3] m */
  point(positions: Float64Array, out: Float64Array): void;
  /** No joint moves the point farther than this many metres per radian (slides: per metre): the arm's length, and at
   * least 1 where there are slides. */
  readonly reach: number;
}

/** Metres from the point to the nearest face, negative outside; NaN counts as outside. */
export function clearance(workspace: Workspace, positions: Float64Array, scratch: Float64Array): number {
  workspace.point(positions, scratch);
  let least = Number.POSITIVE_INFINITY;
  for (let k = 0; k < 3; k++) {
    const at = scratch[k]!;
    const room = Math.min(at - workspace.lower[k]!, workspace.upper[k]! - at);
    if (!(room >= least)) least = room;
  }
  return Number.isNaN(least) ? Number.NEGATIVE_INFINITY : least;
}

/** Whether every command from `state.step` to the end of a stop leaves the point in the box. Looks again only after the
 * point may have come as far as the nearest face. */
export function stopsInside(limits: MotionLimits, workspace: Workspace, { step }: CommandState): boolean {
  const { aheadPosition, aheadSpeed, aheadBend, point } = step;
  aheadPosition.set(step.position);
  aheadSpeed.set(step.speed);
  aheadBend.set(step.bend);
  let room = clearance(workspace, aheadPosition, point);
  while (room >= 0) {
    const way = walk(limits, aheadPosition, aheadSpeed, aheadBend);
    if (way < 0) return true;
    room -= way * workspace.reach;
    if (room < 0) room = clearance(workspace, aheadPosition, point);
  }
  return false;
}

/** One tick of the stop of all joints. @returns the sum of their steps' sizes, -1 at rest */
function walk(limits: MotionLimits, position: Float64Array, speed: Float64Array, bend: Float64Array): number {
  const h = limits.period;
  let way = 0;
  let rests = true;
  for (let i = 0; i < position.length; i++) {
    if (speed[i] === 0 && bend[i] === 0) continue;
    rests = false;
    bend[i] = stopBend(speed[i]!, bend[i]!, limits.acceleration[i]! * h * h, limits.jerk[i]! * h * h * h);
    speed[i]! += bend[i]!;
    position[i]! += speed[i]!;
    way += Math.abs(speed[i]!);
  }
  return rests ? -1 : way;
}

/** Halvings between the step of the stop and the one that would leave the box. */
const HALVINGS = 8;

/** Replaces `state.step` by the nearest one towards the stop's from which the whole arm stops inside; by the stop's own
 * in the end, which was possible after the last command. */
export function stayInside(
  limits: MotionLimits,
  workspace: Workspace,
  state: CommandState,
  share: number,
): void {
  const { step } = state;
  step.wantedBend.set(step.bend);
  stepStop(limits, state);
  step.stopBend.set(step.bend);
  let inside = 0;
  let outside = 1;
  for (let k = 0; k < HALVINGS; k++) {
    const trial = 0.5 * (inside + outside);
    if (blend(limits, state, share, trial) && stopsInside(limits, workspace, state)) inside = trial;
    else outside = trial;
  }
  if (inside > 0) blend(limits, state, share, inside);
  else stepStop(limits, state);
}

/** Makes `state.step` the next step of the stop. */
export function stepStop(limits: MotionLimits, state: CommandState): void {
  const h = limits.period;
  for (let i = 0; i < limits.names.length; i++) {
    const mostBend = limits.acceleration[i]! * h * h;
    const mostTwist = limits.jerk[i]! * h * h * h;
    takeJoint(state, i, stopBend(state.speed[i]!, state.bend[i]!, mostBend, mostTwist));
  }
}

/** Makes `state.step` the one at `way` from the stop's step to the wanted one. @returns whether each joint can stop
 * within its limits from there */
function blend(limits: MotionLimits, state: CommandState, share: number, way: number): boolean {
  const { stopBend: from, wantedBend: to } = state.step;
  for (let i = 0; i < from.length; i++) {
    takeJoint(state, i, from[i]! + way * (to[i]! - from[i]!));
    if (!canStop(jointLimits(limits, state, i, share), next.position, next.speed, next.bend)) return false;
  }
  return true;
}

const next: JointCommand = { position: 0, speed: 0, bend: 0 };

function takeJoint(state: CommandState, i: number, bend: number): void {
  takeBend(state.position[i]!, state.speed[i]!, bend, next);
  state.step.position[i] = next.position;
  state.step.speed[i] = next.speed;
  state.step.bend[i] = next.bend;
}
