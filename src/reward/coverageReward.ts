import { cellOf } from '#reward/cells';
import type { MethodStep, RewardMethod, Values } from '#reward/method';

/** Submodular reward: a step adds the marginal gain F(S + s) - F(S) of the set of states seen in the episode, with F the
 * number of cells covered.
 * @source Prajapat et al. 2024, arXiv:2307.13372 (SubPO), eq. 4; differs: F is coverage by cells of an expression */
export class CoverageReward implements RewardMethod {
  readonly #cell: number;
  readonly #seen: readonly Set<string>[];

  constructor(rows: number, cell: number) {
    this.#cell = cell;
    this.#seen = Array.from({ length: rows }, () => new Set());
  }

  begin(row: number, values: Values): void {
    const seen = this.#seen[row]!;
    seen.clear();
    seen.add(cellOf(values, this.#cell));
  }

  step(row: number, { after }: MethodStep): number {
    const seen = this.#seen[row]!;
    const before = seen.size;
    seen.add(cellOf(after, this.#cell));
    return seen.size - before;
  }
}
