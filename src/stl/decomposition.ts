import type { Condition } from '#stl/condition';

/** A formula as a plan: what to reach when, what to keep how long, with the times and the branches left open. Time counts
 * samples from 0 to `samples - 1`. */

/** Option `option` of choice `choice` is taken. */
export interface Selection {
  readonly choice: number;
  readonly option: number;
}

/** Holds where every selection does; an empty one always. */
export type Guard = readonly Selection[];

/** `offset` samples behind a time variable, or behind sample 0 where `variable` is -1. */
export interface TimeBound {
  readonly variable: number;
  readonly offset: number;
}

/** A sample to choose; -1 in an allocation where its guard does not hold. */
export interface TimeVariable {
  readonly active: Guard;
  /** Bounds by interval arithmetic on the formula; the constraints may tighten them further. */
  readonly earliest: number;
  readonly latest: number;
  /** Variables before this one that stand for what comes inside it end here: [index, end) move together. */
  readonly end: number;
}

/** One disjunction: an option for each way to satisfy it; -1 in an allocation where its guard does not hold. */
export interface Choice {
  readonly options: number;
  readonly active: Guard;
  /** The disjunction, canonical text in negation normal form. */
  readonly text: string;
}

/** The condition holds at the sample `time`. */
export interface Subgoal {
  readonly condition: Condition;
  readonly time: TimeBound;
  readonly active: Guard;
  readonly text: string;
}

/** The condition holds at every sample from `from` to `to`, both included; behind the last sample nothing is asked. */
export interface Invariant {
  readonly condition: Condition;
  readonly from: TimeBound;
  readonly to: TimeBound;
  readonly active: Guard;
  readonly text: string;
}

/** t_left - t_right <= bound; -1 is sample 0. */
export interface TimeConstraint {
  readonly left: number;
  readonly right: number;
  readonly bound: number;
  readonly active: Guard;
}

/** Where some traces satisfy a part of the formula but no allocation of the decomposition. */
export interface Conservatism {
  readonly text: string;
  readonly reason: string;
}

export interface Decomposition {
  readonly samples: number;
  /** In the order of the formula, outer before inner. */
  readonly variables: readonly TimeVariable[];
  /** In the order of the formula, outer before inner: a guard names earlier choices only. */
  readonly choices: readonly Choice[];
  readonly subgoals: readonly Subgoal[];
  readonly invariants: readonly Invariant[];
  /** Besides 0 <= t <= samples - 1 for every variable. */
  readonly constraints: readonly TimeConstraint[];
  /** Empty for an exact decomposition. */
  readonly conservative: readonly Conservatism[];
}

/** @param choices the option taken of each choice, or -1 */
export function isActive(guard: Guard, choices: ArrayLike<number>): boolean {
  for (const { choice, option } of guard) if (choices[choice] !== option) return false;
  return true;
}

/** The sample a bound stands for. */
export function sampleOf({ variable, offset }: TimeBound, times: ArrayLike<number>): number {
  return variable < 0 ? offset : times[variable]! + offset;
}
