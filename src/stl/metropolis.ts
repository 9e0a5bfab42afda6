import type { Draws } from '#core/draws';
import { VernierError } from '#core/errors';
import type { Allocation, AllocationSpace } from '#stl/allocation';

/** Many allocations, row by row. @shape choices [N,C], times [N,K] */
export interface AllocationBatch {
  readonly count: number;
  readonly choices: Int32Array;
  readonly times: Int32Array;
  /** Views of the rows. */
  readonly rows: readonly Allocation[];
}

export function allocationBatch(space: AllocationSpace, count: number): AllocationBatch {
  const C = space.decomposition.choices.length;
  const K = space.decomposition.variables.length;
  const choices = new Int32Array(count * C).fill(-1);
  const times = new Int32Array(count * K).fill(-1);
  const rows = Array.from({ length: count }, (_, i) => ({
    choices: choices.subarray(i * C, (i + 1) * C),
    times: times.subarray(i * K, (i + 1) * K),
  }));
  return { count, choices, times, rows };
}

/** Writes a score for each allocation of the batch, as the critic's value of the first state. @shape outScores [N] */
export type ScoreAllocations = (batch: AllocationBatch, outScores: Float32Array) => void;

export interface ChainOptions {
  readonly count: number;
  /** The chains' target is exp(score / temperature), over the allocations counted alike. */
  readonly temperature: number;
  /** Part of `current` that is drawn anew at every `advance`, whatever the scores, so that nothing is forgotten. */
  readonly uniformShare: number;
}

/** Chains of Metropolis and Hastings over allocations, guided by a score that may change between the calls.
 * @source Meng, Chen, Fan 2025, arXiv:2510.00225 (TGPO*), which leaves the proposals open; differs: the moves of
 * AllocationSpace.propose with their exact ratios, and a share of fresh draws */
export class AllocationChains {
  /** The allocations now: the chains, behind them the fresh draws. */
  readonly current: AllocationBatch;
  /** Scores of `current`. */
  readonly scores: Float32Array;
  /** Rows of `current` that are chains. */
  readonly chains: number;
  /** Proposals made and accepted so far. */
  proposed = 0;
  accepted = 0;
  readonly #space: AllocationSpace;
  readonly #draws: Draws;
  readonly #temperature: number;
  readonly #proposals: AllocationBatch;
  readonly #proposalScores: Float32Array;
  readonly #logRatios: Float64Array;

  constructor(space: AllocationSpace, draws: Draws, { count, temperature, uniformShare }: ChainOptions) {
    if (!(temperature > 0)) {
      throw new VernierError('USAGE', `temperature: expected a positive number, received ${temperature}`);
    }
    if (!(uniformShare >= 0 && uniformShare <= 1)) {
      throw new VernierError('USAGE', `uniformShare: expected a number in [0, 1], received ${uniformShare}`);
    }
    this.#space = space;
    this.#draws = draws;
    this.#temperature = temperature;
    this.current = allocationBatch(space, count);
    this.scores = new Float32Array(count);
    this.chains = count - Math.round(count * uniformShare);
    this.#proposals = allocationBatch(space, count);
    this.#proposalScores = new Float32Array(count);
    this.#logRatios = new Float64Array(count);
    for (const row of this.current.rows) space.sample(draws, row);
  }

  /** Draws the uniform share anew, scores all rows, and moves the chains `steps` times; every call of `score` sees
   * `count` rows. @throws NUMERIC where a score is NaN */
  advance(score: ScoreAllocations, steps: number): void {
    const { current, scores, chains } = this;
    for (let i = chains; i < current.count; i++) this.#space.sample(this.#draws, current.rows[i]!);
    this.#score(score, current, scores);
    for (let step = 0; step < steps; step++) this.#step(score);
  }

  #step(score: ScoreAllocations): void {
    const { current, scores, chains } = this;
    const proposals = this.#proposals;
    proposals.choices.set(current.choices);
    proposals.times.set(current.times);
    for (let i = 0; i < chains; i++) {
      const [from, out] = [current.rows[i]!, proposals.rows[i]!];
      const logRatio = this.#space.propose(this.#draws, from, out);
      this.#logRatios[i] = logRatio;
      if (logRatio === Number.NEGATIVE_INFINITY) copy(from, out);
    }
    this.#score(score, proposals, this.#proposalScores);
    for (let i = 0; i < chains; i++) {
      this.proposed++;
      const change = (this.#proposalScores[i]! - scores[i]!) / this.#temperature + this.#logRatios[i]!;
      if (!(Math.log(this.#draws.uniform()) < change)) continue;
      this.accepted++;
      copy(proposals.rows[i]!, current.rows[i]!);
      scores[i] = this.#proposalScores[i]!;
    }
  }

  #score(score: ScoreAllocations, batch: AllocationBatch, outScores: Float32Array): void {
    score(batch, outScores);
    const bad = outScores.findIndex(Number.isNaN);
    if (bad >= 0) throw new VernierError('NUMERIC', `the score of allocation ${bad} is NaN`);
  }
}

function copy(from: Allocation, out: Allocation): void {
  out.choices.set(from.choices);
  out.times.set(from.times);
}
