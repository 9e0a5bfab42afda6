import { type CommandState, isAtRest, type JointCommand } from '#deploy/safety/commandState';
import { type JointVerdict, jointLimits, stepJoint } from '#deploy/safety/jointStep';
import type { MotionLimits } from '#deploy/safety/limits';
import { createStopPath, stopPath } from '#deploy/safety/stopping';
import {
  deactivated,
  held,
  type InvalidReason,
  limited,
  passed,
  type StopReason,
  stopped,
  type Verdict,
} from '#deploy/safety/verdict';
import { clearance, stayInside, stepStop, stopsInside, type Workspace } from '#deploy/safety/workspace';

/** What stands between a policy and an arm: from a proposal and the last command to the next command. It supplements
 * the robot's own safety and never replaces it.
 *
 * Whatever comes in, a command keeps to the ranges, and its differences to the limits of velocity, acceleration and
 * jerk; and after each command a stop is possible that keeps to all of them. The order: validity, age, then position,
 * velocity, acceleration and jerk against the last command, the workspace and the operator's speed; an emergency stop
 * is latched; without valid fresh proposals the arm stops, holds and is deactivated. */
export interface SafetyRules {
  readonly limits: MotionLimits;
  /** Seconds after which an observation is stale. */
  readonly maxAge: number;
  /** Seconds after which an arm that stopped, and rests, is deactivated; an emergency stop only holds. */
  readonly deactivateAfter: number;
  readonly workspace?: Workspace | undefined;
}

/** One object, rewritten for each tick. */
export interface FilterInput {
  /** [joints] where they should be at the end of this tick; undefined: none. */
  proposal: Float64Array | undefined;
  /** [joints] rad/s with which the proposal moves; lets it be joined without overshoot. undefined: it rests there. */
  velocity: Float64Array | undefined;
  /** The joints of the proposal, in its order; undefined: those of the limits. */
  names: readonly string[] | undefined;
  /** Seconds since the observation behind it arrived, on the monotonic clock. */
  age: number;
  /** What the caller found wrong with the observation or the policy. */
  invalid: InvalidReason | undefined;
  /** True once is enough. */
  emergencyStop: boolean;
  /** Share of the speed, 0 to 1, that the operator allows. */
  speed: number;
}

export interface FilterOutput {
  /** [joints] the command; velocity and acceleration are its differences over the period. */
  readonly position: Float64Array;
  readonly velocity: Float64Array;
  readonly acceleration: Float64Array;
  verdict: Verdict;
  /** The first joint that is limited, or -1. */
  joint: number;
  /** The arm stands, unless it was moved by others. */
  atRest: boolean;
}

export function createFilterOutput(limits: MotionLimits): FilterOutput {
  const n = limits.names.length;
  return {
    position: new Float64Array(n),
    velocity: new Float64Array(n),
    acceleration: new Float64Array(n),
    verdict: passed,
    joint: -1,
    atRest: true,
  };
}

export type StartVerdict =
  | { readonly kind: 'started' }
  | { readonly kind: 'refused'; readonly reason: 'not_finite' | 'wrong_size' | 'workspace' }
  | { readonly kind: 'refused'; readonly reason: 'position'; readonly joint: number };

/** Starts at rest where the arm is. A joint within its margin may leave it, never go deeper.
 * @param measured [joints]
 * @returns refused beyond the range of a joint and outside the workspace: an operator must move the arm first */
export function startCommand(rules: SafetyRules, state: CommandState, measured: Float64Array): StartVerdict {
  const { limits, workspace } = rules;
  if (measured.length !== limits.names.length) return { kind: 'refused', reason: 'wrong_size' };
  for (let i = 0; i < measured.length; i++) {
    const at = measured[i]!;
    if (!Number.isFinite(at)) return { kind: 'refused', reason: 'not_finite' };
    if (at < limits.hardLower[i]! || at > limits.hardUpper[i]!) {
      return { kind: 'refused', reason: 'position', joint: i };
    }
  }
  if (workspace && clearance(workspace, measured, state.step.point) < 0) {
    return { kind: 'refused', reason: 'workspace' };
  }
  state.position.set(measured);
  state.speed.fill(0);
  state.bend.fill(0);
  state.following.fill(1);
  for (let i = 0; i < measured.length; i++) {
    state.lower[i] = Math.min(limits.lower[i]!, measured[i]!);
    state.upper[i] = Math.max(limits.upper[i]!, measured[i]!);
  }
  state.active = true;
  state.stoppedTicks = 0;
  return { kind: 'started' };
}

/** What only an operator does. @returns false while the arm still moves: then the stop stays latched */
export function resetEmergencyStop(state: CommandState): boolean {
  if (!isAtRest(state)) return false;
  state.emergencyStop = false;
  return true;
}

/** One tick: `state` becomes the next command, `out` tells it with the verdict. Allocates nothing, throws nothing. */
export function filterTick(
  rules: SafetyRules,
  state: CommandState,
  input: FilterInput,
  out: FilterOutput,
): void {
  if (input.emergencyStop) state.emergencyStop = true;
  const reason = state.active ? stopReason(rules, state, input) : 'not_started';
  if (reason === undefined) {
    state.stoppedTicks = 0;
    out.verdict = follow(rules, state, input, out);
  } else {
    out.verdict = stop(rules, state, reason);
    out.joint = -1;
  }
  narrowRange(rules.limits, state);
  writeOutput(rules.limits, state, out);
}

function stopReason(rules: SafetyRules, state: CommandState, input: FilterInput): StopReason | undefined {
  const { limits } = rules;
  const { proposal, names, velocity } = input;
  if (state.emergencyStop) return 'emergency_stop';
  if (input.invalid !== undefined) return input.invalid;
  if (proposal === undefined) return 'no_proposal';
  const n = limits.names.length;
  if (proposal.length !== n || (velocity !== undefined && velocity.length !== n)) return 'wrong_size';
  if (names !== undefined && !sameNames(names, limits.names)) return 'wrong_names';
  for (let i = 0; i < n; i++) {
    if (!Number.isFinite(proposal[i])) return 'not_finite';
    if (velocity !== undefined && !Number.isFinite(velocity[i])) return 'not_finite';
  }
  if (Number.isNaN(input.speed)) return 'not_finite';
  // A clock that jumped gives negative ages or NaN: neither is fresh.
  return input.age >= 0 && input.age <= rules.maxAge ? undefined : 'stale';
}

function sameNames(a: readonly string[], b: readonly string[]): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

const next: JointCommand = { position: 0, speed: 0, bend: 0 };
const path = createStopPath();

function follow(rules: SafetyRules, state: CommandState, input: FilterInput, out: FilterOutput): Verdict {
  const { limits, workspace } = rules;
  const { position, speed, bend, following, step } = state;
  const proposal = input.proposal!;
  const share = input.speed >= 1 ? 1 : Math.max(0, input.speed);
  let reason: JointVerdict = share < 1 ? 'speed' : undefined;
  out.joint = -1;
  for (let i = 0; i < proposal.length; i++) {
    const limit = jointLimits(limits, state, i, share);
    const at = position[i]!;
    const goal = share === 1 ? proposal[i]! : at + share * (proposal[i]! - at);
    const pace = (input.velocity?.[i] ?? 0) * limits.period * share;
    const why = stepJoint(limit, at, speed[i]!, bend[i]!, goal, pace, following[i] === 1, next);
    step.position[i] = next.position;
    step.speed[i] = next.speed;
    step.bend[i] = next.bend;
    following[i] = why === undefined ? 1 : 0;
    if (why !== undefined && out.joint < 0) {
      out.joint = i;
      reason = why;
    }
  }
  if (workspace && !stopsInside(limits, workspace, state)) {
    stayInside(limits, workspace, state, share);
    following.fill(0);
    out.joint = -1;
    reason = 'workspace';
  }
  takeStep(state);
  return reason === undefined ? passed : limited[reason];
}

function stop(rules: SafetyRules, state: CommandState, reason: StopReason): Verdict {
  const { limits } = rules;
  if (!state.active) return deactivated[state.stopReason];
  stepStop(limits, state);
  takeStep(state);
  state.following.fill(0);
  state.stopReason = reason;
  state.stoppedTicks++;
  if (!isAtRest(state)) return stopped[reason];
  if (reason === 'emergency_stop' || state.stoppedTicks * limits.period < rules.deactivateAfter) {
    return held[reason];
  }
  state.active = false;
  return deactivated[reason];
}

function takeStep({ position, speed, bend, step }: CommandState): void {
  position.set(step.position);
  speed.set(step.speed);
  bend.set(step.bend);
}

/** A joint that started within its margin may not go back into it. */
function narrowRange(limits: MotionLimits, state: CommandState): void {
  const h = limits.period;
  for (let i = 0; i < limits.names.length; i++) {
    const lower = limits.lower[i]!;
    const upper = limits.upper[i]!;
    if (state.lower[i] === lower && state.upper[i] === upper) continue;
    const mostBend = limits.acceleration[i]! * h * h;
    stopPath(state.speed[i]!, state.bend[i]!, mostBend, limits.jerk[i]! * h * h * h, path);
    const lowest = state.position[i]! + path.lowest;
    const highest = state.position[i]! + path.highest;
    state.lower[i] = Math.min(lower, Math.max(state.lower[i]!, lowest));
    state.upper[i] = Math.max(upper, Math.min(state.upper[i]!, highest));
  }
}

function writeOutput(limits: MotionLimits, state: CommandState, out: FilterOutput): void {
  const h = limits.period;
  for (let i = 0; i < limits.names.length; i++) {
    out.position[i] = state.position[i]!;
    out.velocity[i] = state.speed[i]! / h;
    out.acceleration[i] = state.bend[i]! / (h * h);
  }
  out.atRest = isAtRest(state);
}
