import { cellOf } from '#reward/cells';
import type { MethodStep, RewardMethod } from '#reward/method';

/** Intrinsic reward, normalised by counts: entering a cell adds 1 / N^exponent, where N counts how often that cell has
 * been entered in the run. Staying in it adds nothing.
 * @source Klissarov et al. 2023, arXiv:2310.00166 (Motif), and Zheng et al. 2024, arXiv:2410.23022 (ONI): division by a
 * power of the count of a message; differs: cells of an expression in the place of messages */
export class NoveltyReward implements RewardMethod {
  readonly #cell: number;
  readonly #exponent: number;
  readonly #visits = new Map<string, number>();

  constructor(cell: number, exponent: number) {
    this.#cell = cell;
    this.#exponent = exponent;
  }

  begin(): void {}

  step(_row: number, { before, after }: MethodStep): number {
    const key = cellOf(after, this.#cell);
    if (key === cellOf(before, this.#cell)) return 0;
    const visits = (this.#visits.get(key) ?? 0) + 1;
    this.#visits.set(key, visits);
    return visits ** -this.#exponent;
  }

  save(): unknown {
    return [...this.#visits];
  }

  restore(state: unknown): void {
    this.#visits.clear();
    for (const [key, count] of state as readonly (readonly [string, number])[]) this.#visits.set(key, count);
  }
}
