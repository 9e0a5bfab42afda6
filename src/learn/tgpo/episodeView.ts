import type { ContainerData } from '#core/container';
import type { VectorEnv } from '#env/vectorEnv';
import type { Guide } from '#learn/tgpo/guide';

/** What learning a formula needs of a batch of environments. */
export type FormulaEnv = Pick<
  VectorEnv,
  | 'B'
  | 'O'
  | 'A'
  | 'action'
  | 'observation'
  | 'finalObservation'
  | 'terminated'
  | 'truncated'
  | 'success'
  | 'active'
  | 'steps'
  | 'faults'
  | 'robustness'
  | 'finalRobustness'
  | 'predicates'
  | 'finalPredicates'
  | 'reset'
  | 'step'
  | 'getState'
  | 'setState'
  | 'getEnvironment'
  | 'setEnvironment'
  | 'close'
>;

/** What a policy sees of B running episodes, and what its steps are worth: the part in which the methods differ. */
export interface EpisodeView {
  /** Length of what the policy sees of an environment. */
  readonly width: number;
  /** The way that exploration found; only for views that follow plans. */
  guide?: Guide | undefined;
  /** New episodes in these rows: the environment shows their first samples. */
  begin(rows: Int32Array): void;
  /** A step of an episode that goes on. @returns its reward */
  advance(row: number): number;
  /** The last step of an episode, read from the environment's final buffers, success apart. @returns its reward */
  finish(row: number): number;
  /** Whether the rest of the row's episode cannot matter. */
  isOver(row: number): boolean;
  /** Whether the row's episode is practice: what the exact monitor says of it means nothing. */
  isPractice(row: number): boolean;
  /** Whether the row's episode began at a start: the others say nothing of how often whole episodes succeed. */
  isWhole(row: number): boolean;
  /** @shape out [B,width] */
  observe(out: Float32Array): void;
  /** Everything a checkpoint must keep, live. */
  arrays(): Readonly<Record<string, ContainerData>>;
}
