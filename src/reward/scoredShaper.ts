import { HackAlarm, type HackWarning } from '#reward/hackAlarm';
import { RewardShaper } from '#reward/rewardShaper';
import type { MethodSpec, ResolvedReward, RewardEntry, ScoredEntry, ValueSource } from '#spec/resolvedReward';

/** A finished episode as entries over scores need it. */
export interface ScoredEpisode {
  /** What `SignalColumns.of` took of the signals of each sample. @shape samples [T + 1][columns] */
  readonly columns: readonly Float64Array[];
  /** The task's own reward. @shape [T] */
  readonly rewards: readonly number[];
  readonly success: boolean;
  /** Success or failure, not a timeout. */
  readonly terminated: boolean;
}

/** A score of an episode, sample by sample; NaN is missing. @shape phi, confidence [T + 1] */
export interface ScoreTrace {
  readonly phi: Float64Array;
  readonly confidence: Float64Array;
}

/** The aids of a task that look at scores of models, worked out for one whole episode when scores of it are there. */
export class ScoredShaper {
  readonly #entries: readonly ScoredEntry[];
  /** The same entries over rows of values: those of the scores, then the columns kept of the signals. */
  readonly #compact: ResolvedReward;
  readonly #width: number;
  readonly #signals: readonly number[];
  readonly #gamma: number;
  readonly #alarm = new HackAlarm();

  /** @param gamma the learner's discount */
  constructor(reward: ResolvedReward, gamma: number) {
    this.#entries = reward.scored ?? [];
    this.#gamma = gamma;
    this.#width = this.#entries.reduce((sum, { sources }) => sum + sources.length, 0);
    this.#signals = [...new Set([...this.#entries.flatMap(signalsOf), ...reward.factors])];
    const column = (signal: number): number => this.#width + this.#signals.indexOf(signal);
    let offset = 0;
    const entries = this.#entries.map(({ sources, gate, ...entry }): RewardEntry => {
      const at = offset;
      offset += sources.length;
      return {
        ...entry,
        offset: at,
        length: sources.length,
        gate: typeof gate === 'number' ? column(gate) : gate,
      };
    });
    this.#compact = { entries, factors: reward.factors.map(column) };
  }

  /** Names of the scores that entries look at. */
  get scores(): string[] {
    return [...new Set(this.#entries.flatMap(({ sources }) => sources.flatMap(scoreOf)))];
  }

  /** What has to be kept of a sample's signals. */
  columnsOf(signals: Float64Array): Float64Array {
    return Float64Array.from(this.#signals, (signal) => signals[signal]!);
  }

  /** What each step of the episode gets on top. Scores that are not there are missing at all samples.
   * @shape credits [T] */
  credit(
    episode: ScoredEpisode,
    scores: ReadonlyMap<string, ScoreTrace>,
  ): { readonly credits: Float64Array; readonly added: number } {
    const { rewards, success, terminated } = episode;
    const rows = this.#rows(episode, scores);
    const shaper = new RewardShaper(this.#compact, 1, this.#gamma);
    shaper.begin(0, rows[0]!);
    const atOnce = rewards.map((reward, t) =>
      shaper.step(0, rows[t + 1]!, reward, terminated && t === rewards.length - 1),
    );
    const { credits, added } = shaper.finish(0, success);
    return { credits: credits.map((credit, t) => credit + atOnce[t]!), added };
  }

  /** An episode has all its scores. @returns what looks wrong, at most once in a block of episodes */
  watch(added: number, success: boolean): HackWarning | undefined {
    return this.#alarm.episode(added, success);
  }

  save(): unknown {
    return this.#alarm.save();
  }

  restore(state: unknown): void {
    this.#alarm.restore(state);
  }

  #rows({ columns }: ScoredEpisode, scores: ReadonlyMap<string, ScoreTrace>): Float64Array[] {
    const rows = columns.map((values) => {
      const row = new Float64Array(this.#width + values.length);
      row.set(values, this.#width);
      return row;
    });
    let offset = 0;
    for (const { sources, method } of this.#entries) {
      for (const source of sources) {
        const trace =
          'score' in source
            ? traceOf(source, scores, rows.length)
            : columns.map((values) => values[this.#signals.indexOf(source.signal)]!);
        for (const [t, value] of filled(method, trace).entries()) rows[t]![offset] = value;
        offset++;
      }
    }
    return rows;
  }
}

function signalsOf({ sources, gate }: ScoredEntry): number[] {
  const own = sources.flatMap((source) => ('signal' in source ? [source.signal] : []));
  return typeof gate === 'number' ? [...own, gate] : own;
}

function scoreOf(source: ValueSource): string[] {
  return 'score' in source ? [source.score] : [];
}

function traceOf(
  { score, confidence: least }: Extract<ValueSource, { readonly score: string }>,
  scores: ReadonlyMap<string, ScoreTrace>,
  length: number,
): number[] {
  const known = scores.get(score);
  return Array.from({ length }, (_, t) =>
    known && known.confidence[t]! >= least ? known.phi[t]! : Number.NaN,
  );
}

/** Missing values such that they add nothing: a potential knows of them; of a process score, `clip` takes nothing off at its
 * margin, and `delta` stands still at the value before, or at the first one known. */
function filled(method: MethodSpec, trace: readonly number[]): readonly number[] {
  if (method.kind === 'potential') return trace;
  if (method.kind === 'process' && method.form === 'delta') {
    let last = trace.find((value) => !Number.isNaN(value)) ?? 0;
    return trace.map((value) => {
      if (!Number.isNaN(value)) last = value;
      return last;
    });
  }
  const nothing = method.kind === 'process' ? method.margin : 0;
  return trace.map((value) => (Number.isNaN(value) ? nothing : value));
}

/** Scores of some samples as those of all: each holds until the next one that is known.
 * @shape samples, scored [n]; result [length] */
export function heldBetween(
  samples: readonly number[],
  { phi, confidence }: ScoreTrace,
  length: number,
): ScoreTrace {
  const held = {
    phi: new Float64Array(length).fill(Number.NaN),
    confidence: new Float64Array(length).fill(Number.NaN),
  };
  for (const [i, sample] of samples.entries()) {
    if (Number.isNaN(phi[i]!)) continue;
    held.phi.fill(phi[i]!, sample);
    held.confidence.fill(confidence[i]!, sample);
  }
  return held;
}
