import { Draws } from '#core/draws';
import { Archive } from '#learn/tgpo/archive';
import { Cells } from '#learn/tgpo/cells';
import { CostToGo } from '#learn/tgpo/costToGo';
import type { FormulaEnv } from '#learn/tgpo/episodeView';
import { Guide, type Situation } from '#learn/tgpo/guide';
import type { StageTracker } from '#learn/tgpo/stages';
import type { AllocationSpace } from '#stl/allocation';

export interface ExplorationOptions {
  readonly space: AllocationSpace;
  /** As many rows as the environment. */
  readonly tracker: StageTracker;
  /** Environment steps, at most. */
  readonly steps: number;
  /** Of a cell, in robustness. */
  readonly size: number;
  readonly seed: number;
}

export interface Explored {
  readonly environmentSteps: number;
  readonly cells: number;
  /** Environment step at which a plan was completed first; undefined where none was. */
  readonly foundAt: number | undefined;
  readonly guide: Guide | undefined;
}

const STREAM = 8;
/** Control steps of a way from a cell, and the most for which an action is held on it. */
const LENGTH = 16;
const HOLD = 6;
/** Exploration goes on after the first find, until so many times its steps, and so many at least: the ways get shorter,
 * and there are some from everywhere. */
const LONGER = 2;
const LEAST = 100_000;
/** Situations that are kept of each progress. */
const KEPT = 64;

/** Looks for a way to complete a formula: sets out again and again from cells that were reached, with random actions, and
 * keeps what is new. Nothing is learned meanwhile, so a step costs little.
 * @param env as many environments as set out at once, without automatic reset */
export function explore(env: FormulaEnv, options: ExplorationOptions): Explored {
  return new Exploration(env, options).run();
}

class Exploration {
  readonly #env: FormulaEnv;
  readonly #options: ExplorationOptions;
  readonly #P: number;
  readonly #cells: Cells;
  readonly #archive = new Archive<Situation>();
  readonly #draws: Draws;
  readonly #action: Float32Array;
  /** [B] the row's cell, and control steps left of its way and of its action */
  readonly #cell: Int32Array;
  readonly #left: Int32Array;
  readonly #held: Int32Array;
  #foundAt: number | undefined;
  #steps = 0;

  constructor(env: FormulaEnv, options: ExplorationOptions) {
    this.#env = env;
    this.#options = options;
    this.#P = env.predicates.length / env.B;
    this.#cells = new Cells(this.#P, options.size);
    this.#draws = new Draws(options.seed, STREAM);
    this.#action = new Float32Array(env.A);
    this.#cell = new Int32Array(env.B);
    this.#left = new Int32Array(env.B);
    this.#held = new Int32Array(env.B);
  }

  run(): Explored {
    const env = this.#env;
    this.#begin();
    while (this.#steps < this.#limit) {
      for (let row = 0; row < env.B; row++) this.#prepare(row);
      env.step();
      this.#steps += env.B;
      for (let row = 0; row < env.B; row++) this.#take(row);
    }
    return {
      environmentSteps: this.#steps,
      cells: this.#archive.size,
      foundAt: this.#foundAt,
      guide: this.#guide(),
    };
  }

  get #limit(): number {
    const { steps } = this.#options;
    return this.#foundAt === undefined ? steps : Math.min(steps, Math.max(LEAST, LONGER * this.#foundAt));
  }

  #begin(): void {
    const env = this.#env;
    const { seed, space, tracker } = this.#options;
    env.reset({ seed });
    for (let row = 0; row < env.B; row++) {
      tracker.begin(row, space.sample(this.#draws), env.predicates, row * this.#P);
      this.#archive.markStart(this.#enter(row));
    }
  }

  #enter(row: number): number {
    const env = this.#env;
    const { tracker } = this.#options;
    return this.#archive.enter(
      this.#cells.keyOf(tracker, row, env.predicates, row * this.#P),
      this.#cells.progressOf(tracker, row),
      tracker.sample[row]!,
      () => ({ state: env.getEnvironment(row), plan: tracker.getRow(row) }),
    );
  }

  /** Sets the row out from another cell where its way is over, and draws its action where that is. */
  #prepare(row: number): void {
    const env = this.#env;
    if (this.#left[row]! === 0) {
      const { cell, situation } = this.#archive.choose(this.#draws);
      env.setEnvironment(row, situation.state);
      this.#options.tracker.setRow(row, situation.plan);
      this.#cell[row] = cell;
      this.#left[row] = LENGTH;
      this.#held[row] = 0;
    }
    this.#left[row]!--;
    if (this.#held[row]! === 0) {
      this.#held[row] = 1 + this.#draws.below(HOLD);
      this.#draws.uniforms(this.#action, -1, 1);
      env.action.set(this.#action, row * env.A);
    }
    this.#held[row]!--;
  }

  #take(row: number): void {
    const env = this.#env;
    const { tracker } = this.#options;
    if (env.terminated[row] === 1 || env.truncated[row] === 1) {
      if (env.success[row] === 1) this.#find(this.#cell[row]!);
      this.#left[row] = 0;
      return;
    }
    tracker.advance(row, env.predicates, row * this.#P);
    if (tracker.failed[row] === 1) {
      this.#left[row] = 0;
      return;
    }
    const cell = this.#enter(row);
    this.#archive.connect(this.#cell[row]!, cell);
    this.#cell[row] = cell;
    if (!tracker.completed(row)) return;
    this.#find(cell);
    this.#left[row] = 0;
  }

  #find(cell: number): void {
    this.#archive.markGoal(cell);
    this.#foundAt ??= this.#steps;
  }

  #guide(): Guide | undefined {
    const { costs, start } = this.#archive.costs();
    // No start has a way, or every one is at its end: nothing to follow.
    if (!(start > 0)) return undefined;
    const { size, tracker } = this.#options;
    const shape = { predicates: this.#P, size, start };
    return new Guide(new CostToGo(costs, shape), this.#archive.situations(costs, tracker.table.last, KEPT));
  }
}
