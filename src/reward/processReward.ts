import type { FinishedEpisode, MethodStep, RewardMethod } from '#reward/method';

/** Scores of single steps in a form whose sum cannot be pumped up. The score of step t is that of sample t + 1.
 * clip: min(s_t - margin, 0). delta: s_t - s_(t+1), and s_T whole in the last step: the sum is the first score.
 * @source Gao et al. 2024, arXiv:2410.15115, sec. 4; differs: none */
export class ProcessReward implements RewardMethod {
  readonly #form: 'clip' | 'delta';
  readonly #margin: number;

  constructor(form: 'clip' | 'delta', margin: number) {
    this.#form = form;
    this.#margin = margin;
  }

  begin(): void {}

  step(_row: number, { after }: MethodStep): number {
    return this.#form === 'clip' ? Math.min(after[0]! - this.#margin, 0) : 0;
  }

  finish(_row: number, { steps, trace }: FinishedEpisode, outCredits: Float64Array): void {
    if (this.#form !== 'delta') return;
    for (let t = 0; t < steps; t++) {
      const next = t + 1 < steps ? trace[t + 2]! : 0;
      outCredits[t]! += trace[t + 1]! - next;
    }
  }
}
