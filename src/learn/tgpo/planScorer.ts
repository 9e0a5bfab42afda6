import type { ActorCritic } from '#learn/ppo';
import { valueProgram } from '#learn/ppo';
import type { FormulaEnv } from '#learn/tgpo/episodeView';
import type { StageTracker } from '#learn/tgpo/stages';
import { type CompileOptions, compile, inputOf, outputOf, type Program } from '#nn/compile';
import type { Allocation } from '#stl/allocation';

/** What the critic expects of plans: V(first sample, plan), for many at once. */
export class PlanScorer {
  readonly #program: Program;
  readonly #input: Float32Array;
  readonly #output: Float32Array;
  /** A tracker of as many rows as are scored in one call. */
  readonly #tracker: StageTracker;

  constructor(networks: ActorCritic, tracker: StageTracker, options: CompileOptions) {
    this.#tracker = tracker;
    this.#program = compile(valueProgram(networks, tracker.B), options);
    this.#input = inputOf(this.#program, 'observation');
    this.#output = outputOf(this.#program, 'value');
  }

  /** Writes the value of plan i for the episode that row rows[i] of the environment is about to begin.
   * @shape outScores [plans.length] */
  score(
    env: Pick<FormulaEnv, 'B' | 'O' | 'observation' | 'predicates'>,
    rows: ArrayLike<number>,
    plans: readonly Allocation[],
    outScores: Float32Array,
  ): void {
    const { B: capacity } = this.#tracker;
    for (let from = 0; from < plans.length; from += capacity) {
      const count = Math.min(capacity, plans.length - from);
      for (let i = 0; i < count; i++) this.#fill(env, rows[from + i]!, plans[from + i]!, i);
      this.#program.run();
      for (let i = 0; i < count; i++) outScores[from + i] = this.#output[i]!;
    }
  }

  #fill(
    { B, O, observation, predicates }: Pick<FormulaEnv, 'B' | 'O' | 'observation' | 'predicates'>,
    row: number,
    plan: Allocation,
    at: number,
  ): void {
    const tracker = this.#tracker;
    const width = O + tracker.width;
    const offset = (row * predicates.length) / B;
    for (let i = 0; i < O; i++) this.#input[at * width + i] = observation[row * O + i]!;
    tracker.begin(at, plan, predicates, offset);
    tracker.observe(at, predicates, offset, this.#input, at * width + O);
  }

  close(): void {
    this.#program.close();
  }
}
