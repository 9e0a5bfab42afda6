import { VernierError } from '#core/errors';
import type { Proposal } from '#reward/proposals/proposal';
import { type Trial, type TrialEpisode, type TrialOptions, tryOut, withEntry } from '#reward/proposals/trial';
import { areaUnderCurve, valueOrderCorrelation } from '#reward/rankStatistics';
import type { ResolvedTask } from '#spec/resolved';

/** Whether a proposal may become a reward: it compiles, it is finite, bounded and the same when run again, and it agrees
 * with success. A refusal says why, in words that help the next proposal.
 * @source Qu 2024 (LaRe), arXiv:2412.11120: candidates are run on random states before they are taken; Ma 2024 (Eureka),
 * arXiv:2310.12931: picked by success; differs: an expression language, rank statistics in the place of training runs */

export interface Measures {
  /** Mean value-order correlation over episodes with success; NaN for subgoals. */
  readonly voc: number;
  /** How well the last value (of factors: the mean of the best one) tells success from failure. */
  readonly auc: number;
}

export interface Verdict {
  /** Undefined where it is accepted. */
  readonly refusal: string | undefined;
  /** Undefined where it never ran. */
  readonly measures: Measures | undefined;
  readonly trial: Trial | undefined;
}

const leastVoc = 0.5;
const leastAuc = 0.7;
const mostOfFactor = 1000;

export async function examine(
  task: ResolvedTask,
  proposal: Proposal,
  options: TrialOptions,
): Promise<Verdict> {
  const trial = await orRefusal(tryOut(task, proposal, options));
  if (typeof trial === 'string') return { refusal: trial, measures: undefined, trial: undefined };
  if (trial.episodes.every(({ success }) => success) || !trial.episodes.some(({ success }) => success))
    throw new VernierError('DATA', 'the episodes to judge by have to hold successes and failures', {
      hint: 'repair the expert of the task, or raise --episodes',
    });
  const names = proposal.values.map(({ name }) => name);
  const measures = { program: measureProgram, factors: measureFactors, subgoals: measureSubgoals }[
    proposal.kind
  ](trial, names);
  const refusal =
    unsound(proposal, trial) ?? (await unfit(task, proposal)) ?? weak(proposal, trial, names, measures);
  return { refusal, measures, trial };
}

/** What the language or the task file does not take becomes the reason of a refusal. */
async function orRefusal<T>(done: Promise<T>): Promise<T | string> {
  return done.catch((error: unknown) => {
    const own = error instanceof VernierError && ['EXPRESSION', 'SPEC', 'USAGE'].includes(error.code);
    if (!own) throw error;
    return error.message;
  });
}

/** Why the entry that is made of it would not be taken. */
async function unfit(task: ResolvedTask, proposal: Proposal): Promise<string | undefined> {
  const loaded = await orRefusal(withEntry(task, proposal));
  return typeof loaded === 'string' ? loaded : undefined;
}

/** What no reward may be, whatever it measures. */
function unsound(proposal: Proposal, { episodes, units, deterministic }: Trial): string | undefined {
  for (const [i, { name }] of proposal.values.entries()) {
    const what = proposal.values.length === 1 ? 'the value' : `value ${i + 1}`;
    const unit = units[i]!;
    if (unit.endsWith('numbers')) return `${what} has to be one number, it has ${unit}`;
    if (proposal.kind === 'program' && unit !== '1' && unit !== '?')
      return `${what} is in ${unit}, a potential has no unit: divide by a length, a time, ... that is large for the task`;
    const all = episodes.flatMap(({ curves }) => [...curves.get(name)!]);
    const broken = all.find((value) => !Number.isFinite(value));
    if (broken !== undefined)
      return `${what} is ${broken} in some states: no division by what can be 0, no log or sqrt of less than 0`;
    const [low, high] = [all.reduce((a, b) => Math.min(a, b)), all.reduce((a, b) => Math.max(a, b))];
    const [least, most] = proposal.kind === 'factors' ? [-mostOfFactor, mostOfFactor] : [0, 1];
    if (low < least || high > most)
      return `${what} goes from ${short(low)} to ${short(high)}, expected ${least} to ${most}: use clamp(), tanh() or exp(-...)`;
    if (high - low < 1e-6) return `${what} is ${short(low)} in all states: it tells nothing`;
  }
  return deterministic ? undefined : 'the same states gave other values when they were run again';
}

function weak(
  proposal: Proposal,
  trial: Trial,
  names: readonly string[],
  { voc, auc }: Measures,
): string | undefined {
  if (proposal.kind === 'subgoals') return disordered(trial, names);
  if (proposal.kind === 'program' && voc < 0)
    return `it falls while the task advances (rank correlation with time ${voc.toFixed(2)}): turn its sign round`;
  if (proposal.kind === 'program' && voc < leastVoc)
    return `it hardly rises while the task advances (rank correlation with time ${voc.toFixed(2)}, at least ${leastVoc} is asked for)`;
  if (auc < leastAuc)
    return `it does not tell success from failure (area under the curve ${auc.toFixed(2)}, at least ${leastAuc} is asked for)`;
  return undefined;
}

function measureProgram({ episodes }: Trial, [name]: readonly string[]): Measures {
  const solved = episodes.filter(({ success }) => success);
  const correlations = solved
    .map(({ curves }) => valueOrderCorrelation(curves.get(name!)!))
    .filter((v) => !Number.isNaN(v));
  return {
    voc: correlations.reduce((sum, value) => sum + value, 0) / correlations.length,
    auc: areaUnderCurve(
      episodes.map(({ curves }) => curves.get(name!)!.at(-1)!),
      outcomes(episodes),
    ),
  };
}

/** A factor may fall with success: the regression finds its sign. */
function measureFactors({ episodes }: Trial, names: readonly string[]): Measures {
  const aucs = names.map((name) => {
    const means = episodes.map(
      ({ curves }) => curves.get(name)!.reduce((sum, value) => sum + value, 0) / curves.get(name)!.length,
    );
    const auc = areaUnderCurve(means, outcomes(episodes));
    return Math.max(auc, 1 - auc);
  });
  return { voc: Number.NaN, auc: Math.max(...aucs) };
}

/** Of the number of subgoals reached in order. */
function measureSubgoals({ episodes }: Trial, names: readonly string[]): Measures {
  return {
    voc: Number.NaN,
    auc: areaUnderCurve(
      episodes.map((episode) => reached(episode, names).length),
      outcomes(episodes),
    ),
  };
}

function outcomes(episodes: readonly TrialEpisode[]): boolean[] {
  return episodes.map(({ success }) => success);
}

/** When each subgoal was reached first, at or after the one before it; as many as were. */
function reached({ curves }: TrialEpisode, names: readonly string[]): number[] {
  const times: number[] = [];
  for (const name of names) {
    const from = times.at(-1) ?? 0;
    const at = curves.get(name)!.findIndex((value, t) => t >= from && value !== 0);
    if (at < 0) break;
    times.push(at);
  }
  return times;
}

/** @source Words as Beacons 2024, arXiv:2410.08632: subgoals proposed offline; differs: checked on demonstrations */
function disordered({ episodes }: Trial, names: readonly string[]): string | undefined {
  const demos = episodes.filter(({ population, success }) => population === 'expert' && success);
  const times = demos.map((episode) => reached(episode, names));
  for (let i = 0; i < names.length; i++) {
    const share = times.filter((list) => list.length > i).length / demos.length;
    if (share < 0.9)
      return `subgoal ${i + 1} is reached behind the ones before it in ${percent(share)} of the demonstrations, 90 % are asked for`;
    const early = demos.filter(({ curves }) => curves.get(names[i]!)![0] !== 0).length / demos.length;
    if (early > 0.5)
      return `subgoal ${i + 1} holds from the start in ${percent(early)} of the demonstrations`;
    if (i > 0 && times.every((list) => list[i] === list[i - 1]))
      return `subgoals ${i} and ${i + 1} are always reached at once: drop one`;
  }
  const aimless = episodes.filter(({ population, success }) => population === 'random' && !success);
  const all =
    aimless.filter((episode) => reached(episode, names).length === names.length).length /
    Math.max(1, aimless.length);
  return all > 0.5
    ? `random actions without success reach all subgoals in ${percent(all)} of the episodes`
    : undefined;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(0)} %`;
}

function short(value: number): string {
  return Number(value.toPrecision(3)).toString();
}
