import { Draws } from '#core/draws';
import { VernierError } from '#core/errors';
import type { Rollouts } from '#learn/planning/rollouts';

export interface CemOptions {
  readonly iterations: number;
  /** Share of the sequences that the next distribution is fitted to. */
  readonly eliteShare: number;
  /** Standard deviations of the first distribution, around actions of 0, and the least of any. */
  readonly deviation: number;
  readonly leastDeviation: number;
  /** Share of the old mean and deviation that stays. */
  readonly momentum: number;
  /** Control steps that an action is held. */
  readonly hold: number;
  readonly seed: number;
  /** Stops when a sequence has this robustness; Infinity goes on for all iterations. */
  readonly enough: number;
}

export const defaultCem: CemOptions = {
  iterations: 30,
  eliteShare: 0.1,
  deviation: 0.6,
  leastDeviation: 0.05,
  momentum: 0.1,
  hold: 4,
  seed: 0,
  enough: 0,
};

export interface Plan {
  /** @shape [T,A] */
  readonly actions: Float32Array;
  /** As the exact monitor has it. */
  readonly robustness: number;
  /** Sequences that were played. */
  readonly evaluations: number;
  /** Best robustness after each iteration. */
  readonly history: readonly number[];
}

/** The cross-entropy method over open-loop action sequences: normal distributions, one for each held action, are fitted
 * again and again to the sequences of the highest robustness. The best one so far always takes part.
 * @source Rubinstein 1999, The cross-entropy method; Kobilarov 2012 for trajectories; differs: momentum, least deviation
 * @throws USAGE when the share leaves no elite */
export function planByCem(rollouts: Rollouts, options: Partial<CemOptions> = {}): Plan {
  const settings = { ...defaultCem, ...options };
  const { N, T, A } = rollouts;
  const elites = Math.round(N * settings.eliteShare);
  if (elites < 2) {
    throw new VernierError('USAGE', `expected 2 or more elites, received ${elites} of ${N} sequences`);
  }
  const knots = Math.ceil(T / settings.hold) * A;
  const distribution = new Distribution(knots, settings);
  const samples = new Float32Array(N * knots);
  const actions = new Float32Array(N * T * A);
  const robustness = new Float64Array(N);
  const order = Uint32Array.from({ length: N }, (_, i) => i);
  const best = new Float32Array(knots);
  let bestRobustness = Number.NEGATIVE_INFINITY;
  const history: number[] = [];
  while (history.length < settings.iterations && !(bestRobustness >= settings.enough)) {
    distribution.sample(samples);
    if (history.length > 0) samples.set(best);
    spread(samples, settings.hold, { N, T, A }, actions);
    rollouts.run(actions, robustness);
    order.sort((i, j) => robustness[j]! - robustness[i]! || i - j);
    if (robustness[order[0]!]! > bestRobustness) {
      bestRobustness = robustness[order[0]!]!;
      best.set(samples.subarray(order[0]! * knots, (order[0]! + 1) * knots));
    }
    distribution.fit(samples, order.subarray(0, elites));
    history.push(bestRobustness);
  }
  spread(best, settings.hold, { N: 1, T, A }, actions);
  return {
    actions: actions.slice(0, T * A),
    robustness: bestRobustness,
    evaluations: history.length * N,
    history,
  };
}

/** Independent normals, cut off at the bounds of actions. */
class Distribution {
  readonly #mean: Float64Array;
  readonly #deviation: Float64Array;
  readonly #settings: CemOptions;
  readonly #draws: Draws;

  constructor(size: number, settings: CemOptions) {
    this.#mean = new Float64Array(size);
    this.#deviation = new Float64Array(size).fill(settings.deviation);
    this.#settings = settings;
    this.#draws = new Draws(settings.seed, 0x43454d);
  }

  /** @shape outSamples [N,size] */
  sample(outSamples: Float32Array): void {
    const size = this.#mean.length;
    this.#draws.normals(outSamples);
    for (let i = 0; i < outSamples.length; i++) {
      const value = this.#mean[i % size]! + this.#deviation[i % size]! * outSamples[i]!;
      outSamples[i] = Math.max(-1, Math.min(1, value));
    }
  }

  fit(samples: Float32Array, rows: Uint32Array): void {
    const { momentum, leastDeviation } = this.#settings;
    const size = this.#mean.length;
    for (let k = 0; k < size; k++) {
      let sum = 0;
      let squares = 0;
      for (const row of rows) {
        const value = samples[row * size + k]!;
        sum += value;
        squares += value * value;
      }
      const mean = sum / rows.length;
      const deviation = Math.sqrt(Math.max(0, squares / rows.length - mean * mean));
      this.#mean[k] = momentum * this.#mean[k]! + (1 - momentum) * mean;
      this.#deviation[k] = Math.max(
        leastDeviation,
        momentum * this.#deviation[k]! + (1 - momentum) * deviation,
      );
    }
  }
}

/** Holds each action. @shape samples [N,ceil(T/hold),A], outActions [N,T,A] */
function spread(
  samples: Float32Array,
  hold: number,
  { N, T, A }: Pick<Rollouts, 'N' | 'T' | 'A'>,
  outActions: Float32Array,
): void {
  const knots = Math.ceil(T / hold);
  for (let n = 0; n < N; n++) {
    for (let t = 0; t < T; t++) {
      const from = (n * knots + Math.floor(t / hold)) * A;
      for (let a = 0; a < A; a++) outActions[(n * T + t) * A + a] = samples[from + a]!;
    }
  }
}
