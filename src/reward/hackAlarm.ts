/** Watches for rewards that are collected without the task being done: a block of episodes in which the aids add more than
 * in the most successful block so far, and success is no higher. Policy-invariant potentials cannot be collected so and are
 * left out by who calls it. */
export class HackAlarm {
  readonly #block: number;
  #episodes: Episode[] = [];
  #best: Summary | undefined;

  /** @param block episodes that are compared at a time */
  constructor(block = 30) {
    this.#block = block;
  }

  /** One episode is over. @returns what is wrong, at most once in a block */
  episode(added: number, success: boolean): HackWarning | undefined {
    this.#episodes.push({ added, success });
    if (this.#episodes.length < this.#block) return undefined;
    const now = summary(this.#episodes);
    this.#episodes = [];
    const best = this.#best;
    if (best === undefined || now.rate > best.rate) this.#best = now;
    if (best === undefined) return undefined;
    const n = this.#block;
    const rise = (now.added - best.added) / Math.sqrt((now.variance + best.variance) / n + 1e-12);
    const spread = Math.sqrt((now.rate * (1 - now.rate) + best.rate * (1 - best.rate)) / n);
    if (rise < 4 || now.rate - best.rate > spread || now.rate >= 0.9) return undefined;
    return { added: [best.added, now.added], success: [best.rate, now.rate] };
  }

  save(): unknown {
    return { episodes: this.#episodes, best: this.#best ?? null };
  }

  restore(state: unknown): void {
    const { episodes, best } = state as { episodes: Episode[]; best: Summary | null };
    this.#episodes = [...episodes];
    this.#best = best ?? undefined;
  }
}

interface Episode {
  readonly added: number;
  readonly success: boolean;
}

interface Summary {
  readonly added: number;
  readonly variance: number;
  readonly rate: number;
}

/** Means over the most successful block and the present one. */
export interface HackWarning {
  readonly added: readonly [number, number];
  readonly success: readonly [number, number];
}

function summary(episodes: readonly Episode[]): Summary {
  const n = episodes.length;
  const added = episodes.reduce((sum, episode) => sum + episode.added, 0) / n;
  const variance = episodes.reduce((sum, episode) => sum + (episode.added - added) ** 2, 0) / n;
  return { added, variance, rate: episodes.filter(({ success }) => success).length / n };
}

export function describeWarning({ added, success }: HackWarning): string {
  const percent = (rate: number): string => `${(100 * rate).toFixed(0)} %`;
  return (
    `reward alarm: what the aids add rose from ${added[0].toFixed(3)} to ${added[1].toFixed(3)} an episode while success went ` +
    `from ${percent(success[0])} to ${percent(success[1])}: they may be collected without the task being done; put them behind a gate, under a cap, or use potentials`
  );
}
