import type { ContainerData } from '#core/container';
import { Draws } from '#core/draws';
import type { FormulaEnv } from '#learn/tgpo/episodeView';
import type { Guide, Situation } from '#learn/tgpo/guide';
import type { PlanScorer } from '#learn/tgpo/planScorer';
import type { TgpoSpec } from '#spec/tgpoSchema';
import type { Allocation, AllocationSpace } from '#stl/allocation';
import { AllocationChains } from '#stl/metropolis';

/** Chains that are walked at once. */
export const CHAINS = 16;
const STREAMS = { uniform: 5, chains: 6 } as const;

/** Plans for the episodes of training: a share drawn uniformly, the others from chains of Metropolis and Hastings that the
 * critic guides. A chain goes on where an earlier episode left it, and walks a few steps under the value of the new
 * episode's first sample.
 * @source Meng, Chen, Fan 2025, arXiv:2510.00225 (TGPO*); differs: the chains outlive episodes and are shared by the
 * environments, so that a few steps for each are enough */
export class PlanSource {
  readonly #space: AllocationSpace;
  readonly #settings: TgpoSpec;
  readonly #uniform: Draws;
  readonly #walk: Draws;
  readonly #chains: AllocationChains;
  readonly #share = new Float32Array(1);
  readonly #rowOf = new Int32Array(CHAINS);

  constructor(space: AllocationSpace, settings: TgpoSpec) {
    this.#space = space;
    this.#settings = settings;
    this.#uniform = new Draws(settings.seed, STREAMS.uniform);
    this.#walk = new Draws(settings.seed, STREAMS.chains);
    this.#chains = new AllocationChains(space, this.#walk, {
      count: CHAINS,
      temperature: settings.temperature,
      uniformShare: 0,
    });
  }

  /** Plans of their own for the episodes that these rows of the environment are about to begin. */
  choose(env: FormulaEnv, rows: Int32Array, scorer: PlanScorer): Allocation[] {
    const plans = Array.from(rows, () => this.#space.empty());
    const guided: number[] = [];
    for (let i = 0; i < rows.length; i++) {
      this.#uniform.uniforms(this.#share);
      if (this.#share[0]! < this.#settings.uniform_share) this.#space.sample(this.#uniform, plans[i]!);
      else guided.push(i);
    }
    for (let from = 0; from < guided.length; from += CHAINS)
      this.#follow(env, rows, guided.slice(from, from + CHAINS), plans, scorer);
    return plans;
  }

  /** How many stages of a plan an episode skips; most skip none. */
  practise({ times }: Allocation): number {
    const stages = times.reduce((sum, time) => sum + (time >= 0 ? 1 : 0), 0);
    if (stages < 2) return 0;
    this.#uniform.uniforms(this.#share);
    const share = this.#share[0]! / this.#settings.practice;
    return share < 1 ? 1 + Math.floor(share * (stages - 1)) : 0;
  }

  /** Where an episode sets out on the way that was found, each progress as often; undefined for one that begins as always. */
  setOut({ situations }: Guide): Situation | undefined {
    this.#uniform.uniforms(this.#share);
    if (this.#share[0]! >= this.#settings.set_out) return undefined;
    const some = situations[this.#uniform.below(situations.length)]!;
    return some[this.#uniform.below(some.length)]!;
  }

  #follow(
    env: FormulaEnv,
    rows: Int32Array,
    guided: readonly number[],
    outPlans: readonly Allocation[],
    scorer: PlanScorer,
  ): void {
    // Chains that no episode waits for walk too, from the first row's sample.
    for (let c = 0; c < CHAINS; c++) this.#rowOf[c] = rows[guided[(c + this.#turn) % CHAINS] ?? guided[0]!]!;
    this.#chains.advance(
      (batch, outScores) => scorer.score(env, this.#rowOf, batch.rows, outScores),
      this.#settings.chain_steps,
    );
    for (let c = 0; c < CHAINS; c++) {
      const i = guided[(c + this.#turn) % CHAINS];
      if (i === undefined) continue;
      outPlans[i]!.choices.set(this.#chains.current.rows[c]!.choices);
      outPlans[i]!.times.set(this.#chains.current.rows[c]!.times);
    }
  }

  /** So that a single waiting episode does not always get the same chain. */
  get #turn(): number {
    return this.#uniform.position % CHAINS;
  }

  /** Share of the proposals that were accepted. */
  get acceptance(): number {
    return this.#chains.proposed === 0 ? 0 : this.#chains.accepted / this.#chains.proposed;
  }

  /** Everything a checkpoint must keep, live. */
  arrays(): Readonly<Record<string, ContainerData>> {
    const { choices, times } = this.#chains.current;
    return { chainChoices: choices, chainTimes: times };
  }

  get positions(): { readonly uniform: number; readonly walk: number } {
    return { uniform: this.#uniform.position, walk: this.#walk.position };
  }

  set positions({ uniform, walk }: { readonly uniform: number; readonly walk: number }) {
    this.#uniform.position = uniform;
    this.#walk.position = walk;
  }
}
