import type { PhiloxStream } from '#core/philox';
import type { Algorithm } from '#learn/agent';
import { ibrlAlgorithm } from '#learn/ibrl';
import { residualAlgorithm } from '#learn/residual';
import { rlpdAlgorithm } from '#learn/rlpd';
import type { ResidualSpec } from '#spec/learningSchema';

/** The algorithm a task's settings name. */
export function algorithmOf(settings: ResidualSpec, A: number, rng: PhiloxStream): Algorithm {
  switch (settings.algorithm) {
    case 'residual':
      return residualAlgorithm(settings);
    case 'rlpd':
      return rlpdAlgorithm(settings, A, rng);
    case 'ibrl':
      return ibrlAlgorithm(settings);
    default:
      return settings.algorithm satisfies never;
  }
}
