import type { Condition } from '#stl/condition';
import type { Decomposition, Guard, TimeBound } from '#stl/decomposition';

/** What a decomposition asks for, indexed the way following a plan needs it. */

/** A condition that must hold at every sample from `from` to `to`. */
export interface Window {
  readonly condition: Condition;
  readonly from: TimeBound;
  readonly to: TimeBound;
  readonly active: Guard;
}

export interface StageTable {
  readonly decomposition: Decomposition;
  /** The last sample of an episode. */
  readonly last: number;
  /** Invariants, and subgoals at a fixed sample or at a fixed distance behind a variable. */
  readonly windows: readonly Window[];
  /** Per variable: what must hold at its very sample. */
  readonly reaches: readonly (readonly { readonly condition: Condition; readonly active: Guard }[])[];
  /** Per variable: windows that begin at its very sample, whichever way they end. */
  readonly starts: readonly (readonly number[])[];
  /** Per variable: windows that it moves as a whole, to be stayed in. */
  readonly holds: readonly (readonly number[])[];
  /** Per variable: whether no window begins or ends with it. */
  readonly lingers: readonly boolean[];
  /** Per variable: the constraints it takes part in. */
  readonly constraintsOf: readonly (readonly number[])[];
}

export function stageTable(decomposition: Decomposition): StageTable {
  const { variables, subgoals, invariants, constraints, samples } = decomposition;
  const isReach = ({ variable, offset }: TimeBound): boolean => variable >= 0 && offset === 0;
  const windows: readonly Window[] = [
    ...invariants,
    ...subgoals
      .filter(({ time }) => !isReach(time))
      .map(({ condition, time, active }) => ({ condition, from: time, to: time, active })),
  ];
  const select = <T>(items: readonly T[], is: (item: T, variable: number) => boolean) =>
    [...variables.keys()].map((v) => [...items.keys()].filter((i) => is(items[i]!, v)));
  return {
    decomposition,
    last: samples - 1,
    windows,
    reaches: [...variables.keys()].map((v) =>
      subgoals.filter(({ time }) => isReach(time) && time.variable === v),
    ),
    starts: select(windows, ({ from }, v) => isReach(from) && from.variable === v),
    holds: select(windows, ({ from, to }, v) => from.variable === v && to.variable === v),
    lingers: [...variables.keys()].map((v) =>
      windows.every(({ from, to }) => from.variable !== v && to.variable !== v),
    ),
    constraintsOf: select(constraints, ({ left, right }, v) => left === v || right === v),
  };
}
