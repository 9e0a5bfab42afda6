import type { MethodStep, RewardMethod, Values } from '#reward/method';

/** Progressive stages: of K milestones in order, the k-th adds 1/K once in an episode, when it holds and all before it
 * have held. Stages that hold at the start add nothing.
 * @source Zhuang et al. 2025, arXiv:2512.07478 (PRS), from answers with format and content to states of a robot */
export class StageReward implements RewardMethod {
  /** [B] stages reached */
  readonly #reached: Int32Array;

  constructor(rows: number) {
    this.#reached = new Int32Array(rows);
  }

  begin(row: number, values: Values): void {
    this.#reached[row] = 0;
    this.#advance(row, values);
  }

  step(row: number, { after }: MethodStep): number {
    return this.#advance(row, after) / after.length;
  }

  #advance(row: number, holds: Values): number {
    const from = this.#reached[row]!;
    let reached = from;
    while (reached < holds.length && holds[reached] !== 0) reached++;
    this.#reached[row] = reached;
    return reached - from;
  }
}
