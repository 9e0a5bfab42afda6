import type { Demos } from '#data/demos';
import type { StepBatch } from '#data/replay';
import type { ExpertPolicy, LearnEnv } from '#learn/problem';
import type { Normaliser } from '#policy/normaliser';
import type { PatchesSpec } from '#spec/learningSchema';

/** Steps of somebody who knows better, where an episode has left what demonstrations show. */

/** Demonstrated observations that distances are taken to. */
const MOST_ROWS = 2000;
/** Share of the demonstrated observations that lie nearer to another demonstration than the usual distance. */
const USUAL = 0.95;

/** The observations that demonstrations have been through, normalised. */
export class DemoSupport {
  /** Distance to the nearest of another demonstration that most demonstrated observations keep to. */
  readonly usual: number;
  readonly #O: number;
  readonly #normaliser: Normaliser;
  readonly #points: Float32Array;
  readonly #owner: Int32Array;
  readonly #point: Float32Array;

  constructor(demos: Demos, normaliser: Normaliser) {
    const { O, episodes, observation } = demos;
    const total = observation.length / O;
    const every = Math.ceil(total / MOST_ROWS);
    const owners = episodes.flatMap(({ length }, k) => new Array<number>(length + 1).fill(k));
    const kept = owners.flatMap((_, i) => (i % every === 0 ? [i] : []));
    this.#O = O;
    this.#point = new Float32Array(O);
    this.#normaliser = normaliser;
    this.#points = new Float32Array(kept.length * O);
    this.#owner = Int32Array.from(kept, (i) => owners[i]!);
    for (const [row, i] of kept.entries()) this.#normalise(observation, i * O, this.#points, row * O);
    this.usual = this.#usual();
  }

  /** Root of the mean squared difference to the nearest demonstrated observation, in standard deviations.
   * @param row of `observation` [B,O], in the task's units */
  distance(observation: Float32Array, row: number): number {
    this.#normalise(observation, row * this.#O, this.#point, 0);
    return this.#nearest(this.#point, -1);
  }

  #usual(): number {
    const O = this.#O;
    const distances = Array.from(this.#owner, (owner, row) =>
      this.#nearest(this.#points.subarray(row * O, (row + 1) * O), owner),
    )
      .filter(Number.isFinite)
      .sort((a, b) => a - b);
    return distances[Math.floor(USUAL * (distances.length - 1))] ?? 0;
  }

  /** @param but a demonstration that does not count */
  #nearest(point: Float32Array, but: number): number {
    const O = this.#O;
    let least = Number.POSITIVE_INFINITY;
    for (let row = 0; row < this.#owner.length; row++) {
      if (this.#owner[row] === but) continue;
      let sum = 0;
      for (let i = 0, at = row * O; i < O && sum < least; i++, at++) {
        const difference = point[i]! - this.#points[at]!;
        sum += difference * difference;
      }
      least = Math.min(least, sum);
    }
    return Math.sqrt(least / O);
  }

  #normalise(from: Float32Array, at: number, out: Float32Array, to: number): void {
    const { observationMean: mean, observationStd: std } = this.#normaliser;
    for (let i = 0; i < this.#O; i++) out[to + i] = (from[at + i]! - mean[i]!) / std[i]!;
  }
}

/** Puts the expert's or the base's action in the place of the explored one in steps whose observation lies farther from all
 * demonstrations than `beyond` times the usual; at most `most` steps of an episode, in the first `until` steps of training.
 * A patched step is an ordinary transition: replay keeps the action that was executed.
 * @source UI-S1: Lu et al. 2025, arXiv:2509.11543: semi-online rollouts that a patch module brings back to the expert's trajectory, within a
 * limit of patches; differs: divergence is distance from the demonstrations' observations, the patch a step of a policy that knows
 * what to do from there, and learning is off-policy, so that patched steps need no weights of their own */
export class Patcher {
  /** Live arrays a checkpoint must keep. */
  readonly state: Readonly<Record<string, Int32Array | Float64Array>>;
  readonly #support: DemoSupport;
  readonly #settings: PatchesSpec;
  readonly #expert: ExpertPolicy | undefined;
  readonly #actions: Float32Array;
  /** [B] steps patched in the running episodes. */
  readonly #used: Int32Array;
  #patched = 0;
  #steps = 0;

  /** @param expert over the training environments; the base patches without one */
  constructor(
    support: DemoSupport,
    settings: PatchesSpec,
    expert: ExpertPolicy | undefined,
    { B, A }: { readonly B: number; readonly A: number },
  ) {
    this.#support = support;
    this.#settings = settings;
    this.#expert = expert;
    this.#actions = new Float32Array(B * A);
    this.#used = new Int32Array(B);
    this.state = { used: this.#used, ...expert?.state };
  }

  /** Writes into `step.action` [B,A] where a step is to be patched. */
  patch(
    env: LearnEnv,
    step: Pick<StepBatch, 'observation' | 'base' | 'action'>,
    environmentSteps: number,
  ): void {
    const { until, most, beyond } = this.#settings;
    if (environmentSteps >= until) return;
    const { B, A } = env;
    this.#actions.set(step.base);
    this.#expert?.act(this.#actions);
    for (let row = 0; row < B; row++) {
      this.#steps++;
      if (this.#used[row]! >= most) continue;
      if (this.#support.distance(step.observation, row) <= beyond * this.#support.usual) continue;
      for (let i = row * A; i < (row + 1) * A; i++)
        step.action[i] = Math.min(1, Math.max(-1, this.#actions[i]!));
      this.#used[row]!++;
      this.#patched++;
    }
  }

  /** New episodes have begun in the rows whose mask is 1; in all without one. */
  begin(mask?: Uint8Array): void {
    for (let row = 0; row < this.#used.length; row++) if (!mask || mask[row] === 1) this.#used[row] = 0;
    this.#expert?.reset(mask);
  }

  /** Share of the steps that were patched since the last call; undefined where none could be. */
  takeShare(): number | undefined {
    const share = this.#steps === 0 ? undefined : this.#patched / this.#steps;
    this.#patched = this.#steps = 0;
    return share;
  }
}
