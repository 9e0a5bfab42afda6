import { VernierError } from '#core/errors';
import type { MotionLimits } from '#deploy/safety/limits';
import type { StopReason } from '#deploy/safety/verdict';

/** The last command and what else the filter carries from tick to tick. Written by the filter only. */
export interface CommandState {
  /** [joints] of the last command, rad or m. */
  readonly position: Float64Array;
  /** [joints] its last step, velocity * period. */
  readonly speed: Float64Array;
  /** [joints] the change of the last two steps, acceleration * period^2. */
  readonly bend: Float64Array;
  /** [joints] the range of positions now: that of the limits, wider while a joint comes back from within the margin. */
  readonly lower: Float64Array;
  readonly upper: Float64Array;
  /** [joints] 1 where the last command was the proposal. */
  readonly following: Uint8Array;
  /** False before the first start and after a deactivation. */
  active: boolean;
  /** Set by the first emergency stop, cleared by an operator. */
  emergencyStop: boolean;
  /** Ticks since commands began to stop; 0 while proposals are followed. */
  stoppedTicks: number;
  /** Why they stop; keeps its value while they do. */
  stopReason: StopReason;
  /** The step being made, and memory for it; without meaning between ticks. */
  readonly step: CommandStep;
}

/** One command after the last. */
export interface CommandStep {
  /** [joints] */
  readonly position: Float64Array;
  readonly speed: Float64Array;
  readonly bend: Float64Array;
  /** [joints] bends of the step that was asked for, and of the stop. */
  readonly wantedBend: Float64Array;
  readonly stopBend: Float64Array;
  /** [joints] walks ahead along a stop. */
  readonly aheadPosition: Float64Array;
  readonly aheadSpeed: Float64Array;
  readonly aheadBend: Float64Array;
  /** [3] m */
  readonly point: Float64Array;
}

/** The same of one joint. */
export interface JointCommand {
  position: number;
  speed: number;
  bend: number;
}

/** A state that is not started: every tick of it is a deactivation. */
export function createCommandState(limits: MotionLimits): CommandState {
  const n = limits.names.length;
  const joints = () => new Float64Array(n);
  return {
    position: joints(),
    speed: joints(),
    bend: joints(),
    lower: limits.lower.slice(),
    upper: limits.upper.slice(),
    following: new Uint8Array(n),
    active: false,
    emergencyStop: false,
    stoppedTicks: 0,
    stopReason: 'not_started',
    step: {
      position: joints(),
      speed: joints(),
      bend: joints(),
      wantedBend: joints(),
      stopBend: joints(),
      aheadPosition: joints(),
      aheadSpeed: joints(),
      aheadBend: joints(),
      point: new Float64Array(3),
    },
  };
}

/** @throws SHAPE where the two are of different arms */
export function copyCommandState(from: CommandState, out: CommandState): void {
  if (from.position.length !== out.position.length) {
    throw new VernierError(
      'SHAPE',
      `a command of ${from.position.length} joints into one of ${out.position.length}`,
    );
  }
  out.position.set(from.position);
  out.speed.set(from.speed);
  out.bend.set(from.bend);
  out.lower.set(from.lower);
  out.upper.set(from.upper);
  out.following.set(from.following);
  out.active = from.active;
  out.emergencyStop = from.emergencyStop;
  out.stoppedTicks = from.stoppedTicks;
  out.stopReason = from.stopReason;
}

/** Whether the command rests, and the arm with it: the curve between the ticks ends when both are zero. */
export function isAtRest(state: CommandState): boolean {
  for (let i = 0; i < state.speed.length; i++) {
    if (state.speed[i] !== 0 || state.bend[i] !== 0) return false;
  }
  return true;
}

/** What the arm does at the state's tick: the node of the cubic B-spline over the commands. Its derivatives are
 * weighted means of the commands' differences, so that they keep to the same limits, and so does all between the
 * nodes; it comes one tick after the commands.
 * @param outPosition [joints], as the others @source de Boor, A Practical Guide to Splines, 1978, ch. IX-X */
export function splineNode(
  limits: MotionLimits,
  state: CommandState,
  outPosition: Float64Array,
  outVelocity: Float64Array,
  outAcceleration: Float64Array,
): void {
  const h = limits.period;
  for (let i = 0; i < outPosition.length; i++) {
    const speed = state.speed[i]!;
    const bend = state.bend[i]!;
    outPosition[i] = state.position[i]! - speed + bend / 6;
    outVelocity[i] = (speed - bend / 2) / h;
    outAcceleration[i] = bend / (h * h);
  }
}
