import type { CommandState, JointCommand } from '#deploy/safety/commandState';
import type { MotionLimits } from '#deploy/safety/limits';
import { createStopPath, stopBend, stopPath } from '#deploy/safety/stopping';
import type { LimitReason } from '#deploy/safety/verdict';

/** One tick of one joint: the bend that brings the command nearest to the proposal, among those from which a stop
 * within all limits is possible. In the units of `stopping.ts`. */

/** Limits of one joint, in ticks. */
export interface JointTick {
  lower: number;
  upper: number;
  mostSpeed: number;
  mostBend: number;
  mostTwist: number;
}

const joint: JointTick = { lower: 0, upper: 0, mostSpeed: 0, mostBend: 0, mostTwist: 0 };

/** Limits of joint i at a share of its velocity; valid until the next call. */
export function jointLimits(
  limits: MotionLimits,
  state: CommandState,
  i: number,
  share: number,
): Readonly<JointTick> {
  const h = limits.period;
  joint.lower = state.lower[i]!;
  joint.upper = state.upper[i]!;
  joint.mostSpeed = limits.velocity[i]! * h * share;
  joint.mostBend = limits.acceleration[i]! * h * h;
  joint.mostTwist = limits.jerk[i]! * h * h * h;
  return joint;
}

/** undefined: the proposal itself. */
export type JointVerdict = LimitReason | undefined;

/** Halvings of the interval of bends: it shrinks to 1e-12 of itself. */
const HALVINGS = 40;
/** Share by which the changes from tick to tick stay below their limits: more than what rounding of positions adds. */
const ROUNDING = 1e-9;

const path = createStopPath();

/** Whether stopping after this step keeps to range and speed. */
export function canStop(limit: Readonly<JointTick>, position: number, speed: number, bend: number): boolean {
  stopPath(speed, bend, limit.mostBend, limit.mostTwist, path);
  return (
    position + path.highest <= limit.upper &&
    position + path.lowest >= limit.lower &&
    path.fastest <= limit.mostSpeed &&
    path.slowest >= -limit.mostSpeed
  );
}

/** The step with this bend. Differences of the positions are what counts as speed and bend. */
export function takeBend(position: number, speed: number, bend: number, out: JointCommand): void {
  const next = speed + bend;
  const at = next === 0 ? position : position + next;
  out.position = at;
  out.speed = at - position;
  out.bend = out.speed - speed;
}

/** @param proposal where the joint should be at the end of the tick
 * @param pace by how much the proposal moves per tick
 * @param following whether the last command was the last proposal */
export function stepJoint(
  limit: Readonly<JointTick>,
  position: number,
  speed: number,
  bend: number,
  proposal: number,
  pace: number,
  following: boolean,
  out: JointCommand,
): JointVerdict {
  const reason = whyNot(limit, position, speed, bend, proposal);
  if (reason === undefined) {
    const step = proposal - position;
    if (following || joins(limit, step, step - speed, pace)) {
      out.position = proposal;
      out.speed = step;
      out.bend = step - speed;
      return undefined;
    }
  }
  approach(limit, position, speed, bend, proposal, pace, out);
  return reason ?? 'catching_up';
}

/** Which limit keeps the joint from being at the proposal at the end of the tick. */
function whyNot(
  limit: Readonly<JointTick>,
  position: number,
  speed: number,
  bend: number,
  proposal: number,
): JointVerdict {
  const step = proposal - position;
  const change = step - speed;
  if (proposal < limit.lower || proposal > limit.upper) return 'position';
  if (Math.abs(step) > limit.mostSpeed) return 'velocity';
  if (Math.abs(change) > limit.mostBend) return 'acceleration';
  if (Math.abs(change - bend) > limit.mostTwist) return 'jerk';
  return canStop(limit, proposal, step, change) ? undefined : 'stopping_distance';
}

/** Whether a proposal that goes on at its pace can be followed from here on. */
function joins(limit: Readonly<JointTick>, speed: number, bend: number, pace: number): boolean {
  const change = pace - speed;
  return (
    Math.abs(change) <= Math.min(limit.mostBend, limit.mostTwist) &&
    Math.abs(change - bend) <= limit.mostTwist
  );
}

/** Approaches the proposal so that the command could come to rest beside it, at its pace: fast as long as it is far,
 * and without overshoot. */
function approach(
  limit: Readonly<JointTick>,
  position: number,
  speed: number,
  bend: number,
  proposal: number,
  pace: number,
  out: JointCommand,
): void {
  const { lower, upper, mostSpeed, mostBend, mostTwist } = limit;
  const goal = clamp(proposal, lower, upper);
  const along = goal === proposal ? clamp(pace, -mostSpeed, mostSpeed) : 0;
  const stop = stopBend(speed, bend, mostBend, mostTwist);
  const forwards = goal > beside(limit, position, speed, stop, along);
  const twist = mostTwist * (1 - ROUNDING);
  const most = mostBend * (1 - ROUNDING);
  let inside = stop;
  let outside = forwards
    ? Math.max(stop, Math.min(bend + twist, most))
    : Math.min(stop, Math.max(bend - twist, -most));
  for (let k = 0, trial = outside; k < HALVINGS && inside !== outside; k++) {
    const reached = canStop(limit, position + (speed + trial), speed + trial, trial)
      ? beside(limit, position, speed, trial, along)
      : Number.NaN;
    if (forwards ? reached <= goal : reached >= goal) inside = trial;
    else outside = trial;
    trial = 0.5 * (inside + outside);
  }
  takeBend(position, speed, inside, out);
}

/** Where, seen from the proposal, the command comes to rest after a tick with this bend. */
function beside(
  { mostBend, mostTwist }: Readonly<JointTick>,
  position: number,
  speed: number,
  bend: number,
  pace: number,
): number {
  stopPath(speed + bend - pace, bend, mostBend, mostTwist, path);
  return position + (speed + bend) + path.rest;
}

function clamp(value: number, lo: number, hi: number): number {
  return value < lo ? lo : value > hi ? hi : value;
}
