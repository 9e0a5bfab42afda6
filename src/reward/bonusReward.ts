import type { MethodStep, RewardMethod } from '#reward/method';

/** A score added as it is, step by step: what a potential or a gate is compared with. It moves the optimum wherever the
 * score can be collected without the task being done. */
export class BonusReward implements RewardMethod {
  begin(): void {}

  step(_row: number, { after }: MethodStep): number {
    return after[0]!;
  }
}
