import { VernierError } from '#core/errors';
import { BonusReward } from '#reward/bonusReward';
import { CoverageReward } from '#reward/coverageReward';
import { HackAlarm, type HackWarning } from '#reward/hackAlarm';
import type { RewardMethod } from '#reward/method';
import { NoveltyReward } from '#reward/noveltyReward';
import { PartialCredit } from '#reward/partialCredit';
import { PotentialShaping } from '#reward/potentialShaping';
import { ProcessReward } from '#reward/processReward';
import { ReturnAttribution } from '#reward/returnAttribution';
import { StageReward } from '#reward/stageReward';
import type { ResolvedReward, RewardEntry } from '#spec/resolvedReward';

/** All aids of a task together, over B environments: what each step adds to the task's own reward at once, and what
 * is credited to the steps of an episode when it is over. */
export class RewardShaper {
  readonly #reward: ResolvedReward;
  readonly #entries: readonly { readonly entry: RewardEntry; readonly method: RewardMethod }[];
  readonly #rows: RunningEpisode[];
  readonly #alarm = new HackAlarm();

  /** @param gamma the learner's discount */
  constructor(reward: ResolvedReward, rows: number, gamma: number) {
    this.#reward = reward;
    this.#entries = reward.entries.map((entry) => ({ entry, method: makeMethod(entry, rows, gamma) }));
    this.#rows = Array.from({ length: rows }, () => new RunningEpisode(reward.entries.length));
  }

  /** Whether anything is credited after the end of episodes. */
  get credits(): boolean {
    return this.#entries.some(({ entry, method }) => entry.gate !== undefined || method.finish !== undefined);
  }

  /** A new episode of a row. @param values the signals at its first sample */
  begin(row: number, values: Float64Array): void {
    const episode = this.#rows[row]!;
    episode.begin(values);
    for (const { entry, method } of this.#entries) method.begin(row, part(values, entry));
  }

  /** What a step adds to the task's reward.
   * @param values the signals at the sample after the step, before any reset */
  step(row: number, values: Float64Array, reward: number, terminated: boolean): number {
    const episode = this.#rows[row]!;
    const factor = this.#factor(values);
    let sum = 0;
    for (const [k, { entry, method }] of this.#entries.entries()) {
      const before = part(episode.last, entry);
      const raw = method.step(row, { before, after: part(values, entry), terminated });
      const added = softened(entry, episode.limited(k, entry, raw), factor);
      if (!entry.invariant) episode.added += entry.gate === undefined ? added : 0;
      if (entry.gate === undefined) sum += added;
      episode.held[k]!.push(entry.gate === undefined ? 0 : added);
    }
    episode.push(values, reward);
    return sum;
  }

  /** What each step of the episode that just ended gets on top, all that can be collected for its own sake, and whether
   * something looks wrong. */
  finish(row: number, success: boolean): FinishedShaping {
    const episode = this.#rows[row]!;
    const T = episode.rewards.length;
    const credits = new Float64Array(T);
    const factors = episode.samples.slice(1).map((values) => this.#factor(values));
    const outcome = episode.rewards.reduce((sum, reward) => sum + reward, 0);
    for (const [k, { entry, method }] of this.#entries.entries()) {
      const own = new Float64Array(T);
      const trace = episode.trace(entry);
      method.finish?.(row, { steps: T, trace, width: entry.length, success, outcome }, own);
      for (let t = 0; t < T; t++) {
        const added = episode.limited(k, entry, own[t]!);
        own[t] = episode.held[k]![t]! + softened(entry, added, factors[t]!);
      }
      if (!counts(entry, episode, success)) continue;
      for (let t = 0; t < T; t++) {
        credits[t]! += own[t]!;
        if (!entry.invariant) episode.added += own[t]!;
      }
    }
    const warning = this.#alarm.episode(episode.added, success);
    return { credits, added: episode.added, ...(warning ? { warning } : {}) };
  }

  #factor(values: Float64Array): number {
    let product = 1;
    for (const at of this.#reward.factors) product *= Math.min(1, Math.max(0, values[at]!));
    return product;
  }

  /** JSON of everything that a continuation needs. */
  save(): unknown {
    const saved: SavedShaper = {
      methods: this.#entries.map(({ method }) => method.save?.() ?? null),
      alarm: this.#alarm.save(),
      rows: this.#rows.map((episode) => episode.save()),
    };
    return saved;
  }

  /** Takes over what `save` gave. The running episodes are gone through again, for what the methods keep of them; what
   * they added then, by the counts of then, stays as it was. */
  restore(state: unknown): void {
    const { methods, alarm, rows } = state as SavedShaper;
    for (const [row, saved] of rows.entries()) {
      this.begin(row, Float64Array.from(saved.samples[0]!));
      for (const [t, reward] of saved.rewards.entries())
        this.step(row, Float64Array.from(saved.samples[t + 1]!), reward, false);
      this.#rows[row]!.restore(saved);
    }
    for (const [k, { method }] of this.#entries.entries()) method.restore?.(methods[k]);
    this.#alarm.restore(alarm);
  }
}

export interface FinishedShaping {
  /** @shape [T] */
  readonly credits: Float64Array;
  readonly added: number;
  readonly warning?: HackWarning;
}

interface SavedShaper {
  readonly methods: readonly unknown[];
  readonly alarm: unknown;
  readonly rows: readonly SavedEpisode[];
}

interface SavedEpisode {
  readonly samples: readonly (readonly number[])[];
  readonly rewards: readonly number[];
  readonly held: readonly (readonly number[])[];
  readonly added: number;
  readonly totals: readonly number[];
}

/** What has happened in the running episode of one row. */
class RunningEpisode {
  /** Signals of samples 0 .. t. */
  samples: Float64Array[] = [];
  /** The task's own reward of steps 0 .. t - 1. */
  rewards: number[] = [];
  /** Per entry and step: what waits for the entry's gate. */
  held: number[][];
  /** What entries that can be collected for their own sake have added. */
  added = 0;
  readonly #totals: Float64Array;

  constructor(entries: number) {
    this.#totals = new Float64Array(entries);
    this.held = Array.from({ length: entries }, () => []);
  }

  begin(values: Float64Array): void {
    this.samples = [Float64Array.from(values)];
    this.rewards = [];
    this.held = this.held.map(() => []);
    this.added = 0;
    this.#totals.fill(0);
  }

  save(): SavedEpisode {
    const { rewards, held, added } = this;
    return {
      samples: this.samples.map((values) => [...values]),
      rewards,
      held,
      added,
      totals: [...this.#totals],
    };
  }

  /** What `save` gave of an episode whose samples and rewards are here already. */
  restore({ held, added, totals }: SavedEpisode): void {
    this.held = held.map((steps) => [...steps]);
    this.added = added;
    this.#totals.set(totals);
  }

  get last(): Float64Array {
    return this.samples.at(-1)!;
  }

  push(values: Float64Array, reward: number): void {
    this.samples.push(Float64Array.from(values));
    this.rewards.push(reward);
  }

  /** The weighted value, as far as the entry's cap on the episode allows. A potential's values are limited instead. */
  limited(k: number, { name, weight, cap, method }: RewardEntry, raw: number): number {
    const added = weight * raw;
    if (!Number.isFinite(added))
      throw new VernierError(
        'NUMERIC',
        `the reward entry ${name} gave ${added} in step ${this.rewards.length}`,
        {
          hint: 'keep its expression finite, for example by clamp()',
        },
      );
    if (cap === undefined || method.kind === 'potential') return added;
    const total = this.#totals[k]!;
    this.#totals[k] = Math.min(cap, Math.max(-cap, total + added));
    return this.#totals[k]! - total;
  }

  /** @shape result [T + 1, n] */
  trace({ offset, length }: RewardEntry): Float64Array {
    const trace = new Float64Array(this.samples.length * length);
    for (const [t, values] of this.samples.entries())
      trace.set(values.subarray(offset, offset + length), t * length);
    return trace;
  }
}

/** @source Sun et al. 2025 (gated reward accumulation, G-RA): lower rewards count only when the outcome passes; differs: any
 * condition at the end of the episode can be the outcome */
function counts({ gate }: RewardEntry, episode: RunningEpisode, success: boolean): boolean {
  if (gate === undefined) return true;
  return gate === 'success' ? success : episode.last[gate] !== 0;
}

function part(values: Float64Array, { offset, length }: RewardEntry): Float64Array {
  return values.subarray(offset, offset + length);
}

/** Soft penalties scale what is won, never what is lost, and leave potentials alone, whose differences must telescope.
 * @source Jaeger et al. 2025, arXiv:2504.17838 (CaRL): infractions multiply the reward; differs: success stays whole */
function softened({ invariant }: RewardEntry, added: number, factor: number): number {
  return added > 0 && !invariant ? added * factor : added;
}

function makeMethod({ method, weight, cap, length }: RewardEntry, rows: number, gamma: number): RewardMethod {
  switch (method.kind) {
    case 'potential': {
      const limit = cap === undefined || weight === 0 ? undefined : cap / Math.abs(weight);
      return new PotentialShaping(gamma, limit, method.veto);
    }
    case 'bonus':
      return new BonusReward();
    case 'stages':
      return new StageReward(rows);
    case 'partial':
      return new PartialCredit(method.inaction);
    case 'process':
      return new ProcessReward(method.form, method.margin);
    case 'novelty':
      return new NoveltyReward(method.cell, method.exponent);
    case 'coverage':
      return new CoverageReward(rows, method.cell);
    case 'attribution':
      return new ReturnAttribution(length, method.ridge);
    default:
      return method satisfies never;
  }
}
