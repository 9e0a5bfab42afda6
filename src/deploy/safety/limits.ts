import { VernierError } from '#core/errors';
import type { ResolvedJointLimits } from '#spec/resolved';

/** What the commands of an arm must keep to. Commands are positions on a grid of `period`; velocity, acceleration and
 * jerk are their backward differences. One entry per joint, SI units. */
export interface MotionLimits {
  /** In the order of the arrays. */
  readonly names: readonly string[];
  /** Seconds of a tick. */
  readonly period: number;
  /** The range of commands, a margin inside the joint's. */
  readonly lower: Float64Array;
  readonly upper: Float64Array;
  /** The range of the joint. */
  readonly hardLower: Float64Array;
  readonly hardUpper: Float64Array;
  readonly velocity: Float64Array;
  readonly acceleration: Float64Array;
  readonly jerk: Float64Array;
}

export interface MotionLimitOptions {
  /** Seconds of a tick. */
  readonly period: number;
  /** By which commands stay inside the range of a joint, rad or m. Default 0.02. */
  readonly margin?: number;
  /** Share of velocity, acceleration and jerk that commands may use. Default 1. */
  readonly scale?: number;
}

const DEFAULT_MARGIN = 0.02;

/** The limits of robot.yaml as limits of commands.
 * @param names of the joints, as the proposals name them
 * @throws SPEC where a joint lacks a limit or its range is narrower than the margins; USAGE for wrong options */
export function motionLimits(
  names: readonly string[],
  limits: readonly ResolvedJointLimits[],
  { period, margin = DEFAULT_MARGIN, scale = 1 }: MotionLimitOptions,
): MotionLimits {
  if (!(period > 0 && Number.isFinite(period))) {
    throw new VernierError('USAGE', `the period of a tick is ${period} s; expected a positive number`);
  }
  if (!(margin >= 0)) {
    throw new VernierError('USAGE', `the margin to the joint limits is ${margin}; expected 0 or more`);
  }
  if (!(scale > 0 && scale <= 1)) {
    throw new VernierError('USAGE', `the share of the limits is ${scale}; expected more than 0, at most 1`);
  }
  const column = (pick: (limit: ResolvedJointLimits, i: number) => number) =>
    Float64Array.from(limits, (limit, i) => pick(limit, i));
  const needed = (key: keyof ResolvedJointLimits) => (limit: ResolvedJointLimits, i: number) => {
    const value = limit[key];
    if (typeof value === 'number' && value > 0 && Number.isFinite(value)) return value * scale;
    throw missing(names[i] ?? `number ${i}`, key);
  };
  const hard = limits.map((limit, i) => {
    const range = limit.position;
    if (!range || !Number.isFinite(range[1] - range[0])) {
      throw missing(names[i] ?? `number ${i}`, 'position');
    }
    if (range[1] - range[0] > 2 * margin) return range;
    throw new VernierError(
      'SPEC',
      `joint '${names[i]}' can move from ${range[0]} to ${range[1]}, which leaves no room within margins of ${margin}`,
    );
  });
  return {
    names,
    period,
    lower: Float64Array.from(hard, ([lo]) => lo + margin),
    upper: Float64Array.from(hard, ([, hi]) => hi - margin),
    hardLower: Float64Array.from(hard, ([lo]) => lo),
    hardUpper: Float64Array.from(hard, ([, hi]) => hi),
    velocity: column(needed('velocity')),
    acceleration: column(needed('acceleration')),
    jerk: column(needed('jerk')),
  };
}

function missing(joint: string, key: string): VernierError {
  return new VernierError(
    'SPEC',
    `joint '${joint}' has no ${key} limit, and commands cannot be checked without`,
    {
      hint: `robot.yaml: limits: {${joint}: {${key}: ...}}`,
    },
  );
}
