import type { AgentParts, Algorithm } from '#learn/agent';
import { add, clamp, mean, min, mul, neg, sigmoid, sub, type Tensor } from '#nn/graph';
import { clipAction, criticValue, type NormalisedSituation, wholeAction } from '#policy/networks';
import type { ResidualSpec } from '#spec/learningSchema';

/** Chooses between the base's action and its own instead of adding: the critic decides, softly while exploring.
 * @source Hu et al. 2023, arXiv:2311.02198, soft variant; differs: no actor dropout, the actor sees the base's
 * action and phase, ensemble and n-step returns come from the task's settings */
export function ibrlAlgorithm(settings: ResidualSpec): Algorithm {
  const { target_noise_std: std, target_noise_clip: limit, exploration_std: exploration } = settings;
  const beta = settings.choice_beta;
  return {
    kind: 'choose',
    extraBlocks: [],

    bootstrap(parts, next, noise) {
      const raw = wholeAction(parts.actor, next, { block: parts.actorTarget });
      const own = clip(parts, add(raw, clamp(mul(noise, std), -limit, limit)));
      const ownValue = parts.targetValue(next, own);
      const baseValue = parts.targetValue(next, next.base);
      const chooseOwn = sigmoid(mul(sub(ownValue, baseValue), beta));
      return add(baseValue, mul(chooseOwn, sub(ownValue, baseValue)));
    },

    actorLoss(parts, s) {
      const action = wholeAction(parts.actor, s);
      const value = mean(parts.value(s, clip(parts, action)));
      return { loss: neg(value), action, outputs: { actorValue: value }, updates: [] };
    },

    actOutputs(parts, s, noise) {
      const own = clip(parts, add(wholeAction(parts.actor, s), mul(noise, exploration)));
      const chooseOwn = sigmoid(mul(sub(judge(parts, s, own), judge(parts, s, s.base)), beta));
      return { residual: sub(own, s.base), chooseOwn };
    },

    explore(outputs, { uniform }, outResidual) {
      const residual = outputs['residual']!;
      const chooseOwn = outputs['chooseOwn']!;
      const A = outResidual.length / uniform.length;
      for (let i = 0; i < outResidual.length; i++) {
        const row = Math.floor(i / A);
        outResidual[i] = uniform[row]! < chooseOwn[row]! ? residual[i]! : 0;
      }
    },
  };
}

function clip(parts: AgentParts, action: Tensor): Tensor {
  return clipAction(action, parts.options.normaliser);
}

/** The least of all target critics. @shape result [B,1] */
function judge(parts: AgentParts, s: NormalisedSituation, action: Tensor): Tensor {
  return min(criticValue(parts.critic, s, action, { block: parts.criticTarget }), 0);
}
