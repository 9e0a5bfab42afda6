import { Draws } from '#core/draws';
import { VernierError } from '#core/errors';
import { Expert } from '#env/expert';
import { makeEnv } from '#env/makeEnv';
import type { VectorEnv } from '#env/vectorEnv';
import type { NamedSlot } from '#expr/program';
import { type Proposal, rewardEntry } from '#reward/proposals/proposal';
import type { ResolvedTask } from '#spec/resolved';
import { loadTask } from '#spec/task';

/** Episodes that a proposal is judged on: the task's expert, the expert disturbed more and more, and random actions, with
 * every part and value of the proposal compiled into the task's own native program. */

export type Population = 'expert' | 'disturbed' | 'random';

export interface TrialEpisode {
  readonly population: Population;
  readonly success: boolean;
  /** Per part and value its numbers at samples 0 .. T. @shape each [T + 1] */
  readonly curves: ReadonlyMap<string, Float64Array>;
}

export interface Trial {
  readonly episodes: readonly TrialEpisode[];
  /** Units of the values, as texts, or how many numbers a value has that is not one. */
  readonly units: readonly string[];
  /** Whether random actions gave the same bits again, with another number of threads. */
  readonly deterministic: boolean;
}

export interface TrialOptions {
  /** Episodes per population. */
  readonly episodes: number;
  readonly seed: number;
  readonly threads: number;
}

/** Control steps for which a random action is held, so that the arm gets somewhere. */
const HELD = 5;

/** The task with the proposal's parts and values among its signals.
 * @throws EXPRESSION, SPEC: what the language does not accept, with its place; USAGE where a name is taken */
export async function withProposal(
  task: ResolvedTask,
  { parts, values }: Pick<Proposal, 'parts' | 'values'>,
): Promise<ResolvedTask> {
  const named = [...parts, ...values];
  const taken = named.find(({ name }) => name in task.spec.signals);
  if (taken)
    throw new VernierError(
      'USAGE',
      `the task has a signal ${taken.name} already: give the part another name`,
    );
  const signals = named.map(({ name, text }) => `signals.${name}=${JSON.stringify(text)}`);
  return loadTask(task.file, [...task.overrides, ...signals]);
}

/** The task with the proposal as the only entry of its reward. @throws as withProposal */
export async function withEntry(task: ResolvedTask, proposal: Proposal): Promise<ResolvedTask> {
  return loadTask(task.file, [...task.overrides, `reward=${JSON.stringify([rewardEntry(proposal)])}`]);
}

/** @throws DATA for a task without an expert */
export async function tryOut(
  task: ResolvedTask,
  proposal: Pick<Proposal, 'parts' | 'values'>,
  options: TrialOptions,
): Promise<Trial> {
  const proposed = await withProposal(task, proposal);
  if (!proposed.expert)
    throw new VernierError(
      'DATA',
      `${task.file}: the task has no expert, whose episodes proposals are judged on`,
    );
  const names = [...proposal.parts, ...proposal.values].map(({ name }) => name);
  const slots = proposed.program.signalNames.filter(({ name }) => names.includes(name));
  const episodes: TrialEpisode[] = [];
  for (const population of ['expert', 'disturbed', 'random'] as const)
    episodes.push(...(await rollOut(proposed, population, slots, options)));
  const again = await rollOut(proposed, 'random', slots, { ...options, threads: 1 });
  const first = episodes.filter((episode) => episode.population === 'random');
  return {
    episodes,
    units: proposal.values.map(({ name }) => unitOf(slots, name)),
    deterministic: first.every((episode, i) => sameCurves(episode, again[i]!)),
  };
}

function unitOf(slots: readonly NamedSlot[], name: string): string {
  const slot = slots.find((candidate) => candidate.name === name);
  return slot?.length === 1 ? slot.unit : `${slot?.length ?? 0} numbers`;
}

function sameCurves(a: TrialEpisode, b: TrialEpisode): boolean {
  return [...a.curves].every(([name, curve]) => {
    const other = b.curves.get(name)!;
    return curve.length === other.length && curve.every((value, t) => Object.is(value, other[t]));
  });
}

/** One episode in each of B environments. */
async function rollOut(
  task: ResolvedTask,
  population: Population,
  slots: readonly NamedSlot[],
  { episodes, seed, threads }: TrialOptions,
): Promise<TrialEpisode[]> {
  const env = await makeEnv(task, { environments: episodes, seed, threads });
  try {
    const expert = new Expert(task, env, seed);
    const noise = new HeldNoise(env, seed);
    const curves = Array.from({ length: env.B }, () => slots.map(() => [] as number[]));
    const record = (row: number, signals: Float64Array) => {
      for (const [k, { offset, length }] of slots.entries())
        if (length === 1) curves[row]![k]!.push(signals[row * env.signalsLength + offset]!);
    };
    const success = new Uint8Array(env.B);
    for (let row = 0; row < env.B; row++) record(row, env.signals);
    for (let running = env.B; running > 0; ) {
      act(env, population, expert, noise);
      env.step();
      for (let row = 0; row < env.B; row++) {
        if (env.active[row] === 0) continue;
        const over = env.terminated[row] === 1 || env.truncated[row] === 1;
        record(row, over ? env.finalSignals : env.signals);
        if (!over) continue;
        success[row] = env.success[row]!;
        env.active[row] = 0;
        running--;
      }
    }
    return curves.map((lists, row) => ({
      population,
      success: success[row] === 1,
      curves: new Map(slots.map(({ name }, k) => [name, Float64Array.from(lists[k]!)])),
    }));
  } finally {
    env.close();
  }
}

function act(env: VectorEnv, population: Population, expert: Expert, noise: HeldNoise): void {
  const { action, A, B } = env;
  noise.advance();
  if (population !== 'random') expert.act(action);
  for (let row = 0; row < B; row++) {
    const share = population === 'random' ? 1 : population === 'expert' ? 0 : (row + 1) / B;
    for (let i = row * A; i < (row + 1) * A; i++)
      action[i] = Math.min(
        1,
        Math.max(-1, share === 1 ? noise.values[i]! : (1 - share) * action[i]! + share * noise.values[i]!),
      );
  }
}

/** Uniform in [-1, 1], new ones every few steps. */
class HeldNoise {
  readonly values: Float32Array;
  readonly #draws: Draws;
  #since = 0;

  constructor(env: VectorEnv, seed: number) {
    this.values = new Float32Array(env.B * env.A);
    this.#draws = new Draws(seed, 0x50524f50);
  }

  advance(): void {
    if (this.#since++ % HELD === 0) this.#draws.uniforms(this.values, -1, 1);
  }
}
