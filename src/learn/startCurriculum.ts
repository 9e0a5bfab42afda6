import { Draws } from '#core/draws';
import type { LearnEnv } from '#learn/problem';
import type { StartsSpec } from '#spec/learningSchema';

/** Where training episodes begin: as the task has it, or in states along demonstrations, by how they fared from there. */

/** Stream of random numbers beside the trainer's. */
const STREAM = 5;
/** Least weight of a stage of which success is certain or hopeless, so that both are noticed to change. */
const FLOOR = 0.02;

/** Demonstrations are cut into stages by the share of their length. Which stage an episode begins in:
 *
 * `backward`: the last one, until `advance` of the last `memory` episodes from there succeed; then the one before, and so on to
 * the task's own starts, which are all there is from then on.
 * @source ReGFT, reference-guided starts; Salimans, Chen 2018, arXiv:1812.03381; differs: all demonstrations at once, by
 * stages in the place of single states; a share of the episodes begins as the task has it from the beginning
 *
 * `medium`: drawn with probability proportional to p (1 - p), p the success from there over about `memory` episodes.
 * @source PC-GRPO (puzzle curriculum), medium difficulty by group success; VLA-RL, Lu et al. 2025, arXiv:2505.18719; differs:
 * stages of demonstrations in the place of tasks; p (1 - p), the variance of the outcome, plus a small floor */
export class StartCurriculum {
  /** Success from each stage, last stage at the end: `medium`. */
  readonly success: Float64Array;
  /** `backward`: the stage that episodes begin in; -1 when done. */
  stage: number;
  readonly #states: readonly (readonly Uint8Array[])[];
  readonly #settings: StartsSpec;
  readonly #draws: Draws;
  /** Outcomes since the stage was entered, oldest first. */
  #outcomes: number[] = [];
  /** [B] the stage each row's episode began in, -1 for the task's own start. */
  readonly #rows: Int32Array;

  /** @param states along each demonstration, as demoStates() gives them */
  constructor(states: readonly (readonly Uint8Array[])[], settings: StartsSpec, B: number, seed: number) {
    this.#states = states;
    this.#settings = settings;
    this.#draws = new Draws(seed, STREAM);
    this.success = new Float64Array(settings.stages).fill(0.5);
    this.stage = settings.stages - 1;
    this.#rows = new Int32Array(B).fill(-1);
  }

  /** An episode has begun in the row: leaves it there or puts it onto a demonstration. */
  begin(env: LearnEnv, row: number): void {
    this.#rows[row] = -1;
    if (this.#draws.uniform() >= this.#settings.share) return;
    const stage = this.#choose();
    if (stage < 0) return;
    const states = this.#states[this.#draws.below(this.#states.length)]!;
    const { stages } = this.#settings;
    const from = Math.floor((stage * states.length) / stages);
    const to = Math.max(from + 1, Math.floor(((stage + 1) * states.length) / stages));
    env.setEnvironment(row, states[from + this.#draws.below(to - from)]!);
    this.#rows[row] = stage;
  }

  /** How the row's episode ended. */
  finish(row: number, success: boolean): void {
    const stage = this.#rows[row]!;
    const { kind, memory, advance } = this.#settings;
    if (stage < 0) return;
    const outcome = success ? 1 : 0;
    this.success[stage]! += (outcome - this.success[stage]!) / memory;
    if (kind !== 'backward' || stage !== this.stage) return;
    this.#outcomes.push(outcome);
    if (this.#outcomes.length > memory) this.#outcomes.shift();
    const rate = this.#outcomes.reduce((sum, one) => sum + one, 0) / memory;
    if (this.#outcomes.length < memory || rate < advance) return;
    this.stage--;
    this.#outcomes = [];
  }

  #choose(): number {
    if (this.#settings.kind === 'backward') return this.stage;
    const weights = this.success.map((p) => p * (1 - p) + FLOOR);
    let left = this.#draws.uniform() * weights.reduce((sum, w) => sum + w, 0);
    const found = weights.findIndex((weight) => {
      left -= weight;
      return left < 0;
    });
    return found < 0 ? weights.length - 1 : found;
  }

  /** Everything a continuation needs. */
  save(): unknown {
    return {
      stage: this.stage,
      outcomes: [...this.#outcomes],
      success: [...this.success],
      rows: [...this.#rows],
      draws: this.#draws.position,
    };
  }

  /** Takes over what `save` gave. */
  restore(saved: unknown): void {
    const { stage, outcomes, success, rows, draws } = saved as {
      stage: number;
      outcomes: number[];
      success: number[];
      rows: number[];
      draws: number;
    };
    this.stage = stage;
    this.#outcomes = [...outcomes];
    this.success.set(success);
    this.#rows.set(rows);
    this.#draws.position = draws;
  }
}
