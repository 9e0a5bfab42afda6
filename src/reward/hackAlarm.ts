/** Watches for rewards that are collected without the task being done: over the last episodes, what the aids add rises
 * while success does not. Policy-invariant potentials cannot be collected so and are left out by who calls it. */
export class HackAlarm {
  readonly #window: number;
  #episodes: { readonly added: number; readonly success: boolean }[] = [];

  /** @param window episodes of which the newer half is compared with the older one */
  constructor(window = 200) {
    this.#window = window;
  }

  /** One episode is over. @returns what is wrong, at most once in half a window */
  episode(added: number, success: boolean): HackWarning | undefined {
    this.#episodes.push({ added, success });
    if (this.#episodes.length < this.#window) return undefined;
    const half = this.#window / 2;
    const [older, newer] = [summary(this.#episodes.slice(0, half)), summary(this.#episodes.slice(half))];
    this.#episodes = this.#episodes.slice(half);
    const rise =
      (newer.added - older.added) / Math.sqrt(older.variance / half + newer.variance / half + 1e-12);
    const spread = Math.sqrt((older.rate * (1 - older.rate) + newer.rate * (1 - newer.rate)) / half);
    const isFlat = newer.rate - older.rate <= spread && newer.rate < 0.9;
    if (rise < 4 || !isFlat) return undefined;
    return { added: [older.added, newer.added], success: [older.rate, newer.rate] };
  }

  save(): unknown {
    return this.#episodes;
  }

  restore(state: unknown): void {
    this.#episodes = state as { added: number; success: boolean }[];
  }
}

/** Means over the older and the newer half. */
export interface HackWarning {
  readonly added: readonly [number, number];
  readonly success: readonly [number, number];
}

function summary(episodes: readonly { readonly added: number; readonly success: boolean }[]) {
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
