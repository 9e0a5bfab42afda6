import type { PhiloxStream } from '#core/philox';
import type { AgentParts, Algorithm } from '#learn/agent';
import {
  add,
  exp,
  mean,
  mul,
  neg,
  ParameterBlock,
  softplus,
  square,
  stopGradient,
  sub,
  sum,
  type Tensor,
  tanh,
} from '#nn/graph';
import { filled } from '#nn/initializers';
import { adamW } from '#nn/optimizer';
import { gaussianOf, type NormalisedSituation } from '#policy/networks';
import type { ResidualSpec } from '#spec/learningSchema';

/** Soft actor-critic with demonstrations in every batch and no base: the baseline that shows what the base is worth.
 * @source Ball et al. 2023, arXiv:2302.02948, alg. 1; differs: the batch, ensemble and update ratio come from the
 * task's settings; the actor descends the mean over the ensemble */
export function rlpdAlgorithm(settings: ResidualSpec, A: number, rng: PhiloxStream): Algorithm {
  const temperature = new ParameterBlock('temperature', { rng });
  const logAlpha = temperature.add('logAlpha', [1], filled(Math.log(settings.temperature)));
  const alpha = (): Tensor => stopGradient(exp(logAlpha));
  return {
    kind: 'gaussian',
    extraBlocks: [temperature],

    bootstrap(parts, next, noise) {
      const { action, logDensity } = squashed(parts, next, noise);
      return sub(parts.targetValue(next, action), mul(alpha(), logDensity));
    },

    actorLoss(parts, s, noise) {
      const { action, logDensity } = squashed(parts, s, noise);
      const value = mean(parts.value(s, action));
      const entropy = neg(mean(logDensity));
      // The temperature rises while the entropy is under its aim, minus half the number of actions.
      const aim = mul(logAlpha, stopGradient(add(entropy, A / 2)));
      return {
        loss: sub(neg(value), mul(mean(alpha()), entropy)),
        action: tanh(gaussianOf(parts.actor, s).mean),
        outputs: { actorValue: value, entropy, temperature: exp(logAlpha) },
        updates: [adamW({ block: temperature, loss: mean(aim), learningRate: settings.actor_lr })],
      };
    },

    actOutputs(parts, s, noise) {
      const { action } = squashed(parts, s, noise);
      return { residual: sub(action, s.base) };
    },

    explore(outputs, _draws, outResidual) {
      outResidual.set(outputs['residual']!);
    },
  };
}

/** A squashed Gaussian sample and its log density.
 * @shape action [B,A], logDensity [B,1] */
function squashed(
  parts: AgentParts,
  s: NormalisedSituation,
  noise: Tensor,
): { readonly action: Tensor; readonly logDensity: Tensor } {
  const { mean: center, logStd } = gaussianOf(parts.actor, s);
  const u = add(center, mul(exp(logStd), noise));
  // log(1 - tanh(u)^2) = 2 (log 2 - u - softplus(-2u)), stable for large |u|.
  const correction = mul(sub(Math.LN2, add(u, softplus(mul(u, -2)))), 2);
  const gaussian = sub(mul(square(noise), -0.5), add(logStd, 0.5 * Math.log(2 * Math.PI)));
  return { action: tanh(u), logDensity: sum(sub(gaussian, correction), 1, true) };
}
