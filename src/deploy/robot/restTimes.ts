import type { Deployment } from '#deploy/robot/deployment';
import type { MotionLimits } from '#deploy/safety/limits';

/** Within how many seconds the commanded arm rests, whatever it did before. Time on the wire and of a controller's servos
 * comes on top, and a policy step where a command came too late to be sent. */
export interface RestTimes {
  /** The jerk-limited stop from full speed, by itself. */
  readonly stop: number;
  /** After an emergency stop came. */
  readonly emergencyStop: number;
  /** After an input or action came that is not valid. */
  readonly invalid: number;
  /** After the newest joint state was taken. */
  readonly stale: number;
  /** After the last command, where none comes after it: the process died, or its wire. */
  readonly silence: number;
}

/** Ticks that a stop on the grid takes beyond one in continuous time, with the spline's own. */
const GRID = 5;

/** @source Biagiotti & Melchiorri 2008, Sec. 3.4: v/a + a/j for a stop from v; differs: a/j more to let go of an
 * acceleration first */
export function restTimes(
  { velocity, acceleration, jerk, period: tick }: MotionLimits,
  { spec, jointAge, period }: Pick<Deployment, 'spec' | 'jointAge' | 'period'>,
): RestTimes {
  const stops = Array.from(velocity, (v, i) => v / acceleration[i]! + (2 * acceleration[i]!) / jerk[i]!);
  const stop = Math.max(...stops) + GRID * tick;
  const ahead = spec.output.latency + tick;
  return {
    stop,
    emergencyStop: ahead + stop,
    invalid: period + ahead + stop,
    stale: jointAge + period + ahead + stop,
    silence: ahead + spec.output.steps * period + stop,
  };
}

/** A line for people. */
export function describeRest({ emergencyStop, invalid, stale, silence }: RestTimes): string {
  const s = (seconds: number): string => `${seconds.toFixed(2)} s`;
  return `the arm rests within ${s(emergencyStop)} of an emergency stop, ${s(invalid)} of bad inputs, ${s(stale)} of the last joint state, ${s(silence)} of the last command`;
}
