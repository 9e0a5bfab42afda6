import type { FinishedEpisode, RewardMethod } from '#reward/method';

/** Partial credit at the end of an episode without success: the share of the goal's parts that came to hold, less the share
 * that was undone, less a penalty where nothing changed.
 * @source Li et al. 2025, arXiv:2505.15804 (STAR-R1): partial correctness against excess and inaction; differs: parts are
 * conditions on a state, all of one worth */
export class PartialCredit implements RewardMethod {
  readonly #inaction: number;

  constructor(inaction: number) {
    this.#inaction = inaction;
  }

  begin(): void {}

  step(): number {
    return 0;
  }

  finish(_row: number, { steps, trace, width, success }: FinishedEpisode, outCredits: Float64Array): void {
    if (success) return;
    const last = steps * width;
    let gained = 0;
    let changed = false;
    for (let i = 0; i < width; i++) {
      const held = trace[i] !== 0;
      const holds = trace[last + i] !== 0;
      gained += Number(holds) - Number(held);
      changed ||= holds !== held;
    }
    outCredits[steps - 1]! += changed ? gained / width : -this.#inaction;
  }
}
