import { VernierError } from '#core/errors';
import type { LearnEnv } from '#learn/problem';
import { comparePaired, type PairedComparison, wilson } from '#learn/statistics';
import type { Policy } from '#policy/policy';

export interface EvaluationOptions {
  readonly episodes: number;
  readonly seed: number;
  readonly signal?: AbortSignal;
}

export interface Evaluation {
  readonly episodes: number;
  readonly successes: number;
  readonly rate: number;
  /** 95 % Wilson interval of the success rate */
  readonly wilson: readonly [number, number];
  /** [episodes] 1 = success; episode i is the floor(i / B)-th of environment i mod B under the seed */
  readonly perEpisode: Uint8Array;
  /** [episodes] control steps */
  readonly lengths: Uint32Array;
  readonly meanLength: number;
  /** Simulations that broke off; they count as failures. */
  readonly faults: number;
}

/** Offset of the seed of the evaluations that steer a run: never the episodes that are reported. */
export const SELECTION_SEED = 500_000;

/** Runs a policy for a fixed set of episodes: the same initial states for every policy under one seed and B.
 * Rows that have done their share stop being stepped. */
export async function evaluate(
  env: LearnEnv,
  policy: Policy,
  options: EvaluationOptions,
): Promise<Evaluation> {
  const { B } = env;
  const { episodes, seed, signal } = options;
  const perEpisode = new Uint8Array(episodes);
  const lengths = new Uint32Array(episodes);
  const done = new Uint8Array(B);
  const finished = new Uint32Array(B);
  const length = new Uint32Array(B);
  let faults = 0;
  env.reset({ seed });
  for (let row = 0; row < B; row++) env.active[row] = row < episodes ? 1 : 0;
  policy.reset();
  for (let left = episodes; left > 0; ) {
    if (signal?.aborted) throw new VernierError('STATE', 'the evaluation was interrupted');
    const acted = policy.act(env.observation, env.action);
    if (acted) await acted;
    env.step();
    faults += env.faults.length;
    done.fill(0);
    let anyDone = false;
    for (let row = 0; row < B; row++) {
      if (env.active[row] === 0) continue;
      length[row]!++;
      if (env.terminated[row] === 0 && env.truncated[row] === 0) continue;
      const id = finished[row]! * B + row;
      perEpisode[id] = env.success[row]!;
      lengths[id] = length[row]!;
      length[row] = 0;
      finished[row]!++;
      left--;
      anyDone = true;
      done[row] = 1;
      if (id + B >= episodes) env.active[row] = 0;
    }
    if (anyDone) policy.reset(done);
    // Lets signals and timers through between steps.
    if (left > 0 && anyDone) await new Promise((resume) => setImmediate(resume));
  }
  env.active.fill(1);
  const successes = perEpisode.reduce((sum, s) => sum + s, 0);
  return {
    episodes,
    successes,
    rate: successes / episodes,
    wilson: wilson(successes, episodes),
    perEpisode,
    lengths,
    meanLength: lengths.reduce((sum, l) => sum + l, 0) / episodes,
    faults,
  };
}

export interface PairedEvaluation {
  readonly base: Evaluation;
  readonly policy: Evaluation;
  readonly paired: PairedComparison;
}

/** Base and policy on the same initial states. */
export async function evaluatePair(
  env: LearnEnv,
  base: Policy,
  policy: Policy,
  options: EvaluationOptions,
): Promise<PairedEvaluation> {
  const first = await evaluate(env, base, options);
  const second = await evaluate(env, policy, options);
  return { base: first, policy: second, paired: comparePaired(first.perEpisode, second.perEpisode) };
}

/** The result, or undefined where the evaluation gave way to an interruption. */
export async function unlessStopped<T>(pending: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  try {
    return await pending;
  } catch (error) {
    if (signal.aborted) return undefined;
    throw error;
  }
}
