import type { AgentParts, Algorithm, ExplorationDraws } from '#learn/agent';
import { add, clamp, mean, mul, square, sub, type Tensor } from '#nn/graph';
import { clipAction, type NormalisedSituation, residualOf } from '#policy/networks';
import type { ResidualSpec } from '#spec/learningSchema';

/** Residual reinforcement on top of a black-box base: a deterministic actor corrects the base's action, critics
 * judge what was executed.
 * @source Ankile 2025, arXiv:2509.19301, Sec. III; differs: the chunk phase is observed, timeouts bootstrap,
 * squared errors are averaged per head, the target may be clipped, every setting is open */
export function residualAlgorithm(settings: ResidualSpec): Algorithm {
  const { target_noise_std: std, target_noise_clip: limit, exploration_std: exploration } = settings;
  return {
    kind: 'residual',
    extraBlocks: [],

    bootstrap(parts, next, noise) {
      const residual = residualOf(parts.actor, next, parts.scale, { block: parts.actorTarget });
      const smoothed = add(residual, clamp(mul(noise, std), -limit, limit));
      return parts.targetValue(next, execute(parts, next, smoothed));
    },

    actorLoss(parts, s) {
      const residual = residualOf(parts.actor, s, parts.scale);
      const value = mean(parts.value(s, execute(parts, s, residual)));
      const size = mean(square(residual));
      const loss = sub(mul(size, settings.residual_penalty), value);
      return {
        loss,
        action: add(s.base, residual),
        outputs: { actorValue: value, residualSquare: size },
        updates: [],
      };
    },

    actOutputs: (parts, s) => ({ residual: residualOf(parts.actor, s, parts.scale) }),

    explore(outputs, { noise }: ExplorationDraws, outResidual) {
      const residual = outputs['residual']!;
      for (let i = 0; i < outResidual.length; i++) outResidual[i] = residual[i]! + exploration * noise[i]!;
    },
  };
}

function execute(parts: AgentParts, s: NormalisedSituation, residual: Tensor): Tensor {
  return clipAction(add(s.base, residual), parts.options.normaliser);
}
