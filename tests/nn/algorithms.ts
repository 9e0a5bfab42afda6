import { PhiloxStream } from '#core/philox';
import type { ProgramSpec } from '#nn/compile';
import * as nn from '#nn/graph';
import { mlp } from '#nn/layers';
import { adamW, polyak } from '#nn/optimizer';

/** Whole updates as the learners write them, at test size; each call makes its own parameters from one seed. */

export interface Sizes {
  readonly B: number;
  readonly O: number;
  readonly A: number;
  readonly H: number;
  readonly E: number;
}

export interface Algorithm {
  readonly spec: ProgramSpec;
  readonly blocks: readonly nn.ParameterBlock[];
}

const gamma = 0.99;
/** Large enough that a gradient of pure rounding noise does not become a full step. */
const epsilon = 1e-3;

function networks({ O, A, H, E }: Sizes, layerNorm: boolean, actorOut = A) {
  const rng = new PhiloxStream(5);
  const actorBlock = new nn.ParameterBlock('actor', { rng });
  const criticBlock = new nn.ParameterBlock('critic', { rng, members: E });
  const actor = mlp(actorBlock, 'pi', { in: O, hidden: [H, H], out: actorOut, layerNorm });
  const critic = mlp(criticBlock, 'q', { in: O + A, hidden: [H, H], out: 1, layerNorm });
  return {
    actor,
    critic,
    actorBlock,
    criticBlock,
    actorTarget: actorBlock.clone('actorTarget'),
    criticTarget: criticBlock.clone('criticTarget'),
  };
}

function batch({ B, O, A }: Sizes) {
  return {
    obs: nn.input('obs', [B, O]),
    action: nn.input('action', [B, A]),
    reward: nn.input('reward', [B, 1]),
    discount: nn.input('discount', [B, 1]),
    next: nn.input('next', [B, O]),
    noise: nn.input('noise', [B, A]),
  };
}

/** REDQ's critic and actor in one program: the actor's stage sees the new critics. */
export function redq(sizes: Sizes): Algorithm {
  const n = networks(sizes, true);
  const b = batch(sizes);
  const chosen = nn.input('chosen', [2], 'i32');
  const rate = nn.input('rate', []);
  const nextAction = nn.clamp(
    nn.add(nn.tanh(n.actor.apply(b.next, { block: n.actorTarget })), nn.mul(b.noise, 0.2)),
    -1,
    1,
  );
  const nextInput = nn.concat([b.next, nextAction], 1);
  const nextQ = nn.min(n.critic.apply(nextInput, { block: n.criticTarget, members: chosen }), 0);
  const target = nn.stopGradient(nn.add(b.reward, nn.mul(nn.mul(b.discount, gamma), nextQ)));
  const q = n.critic.apply(nn.concat([b.obs, b.action], 1));
  const criticLoss = nn.sum(nn.mean(nn.square(nn.sub(q, target)), [1, 2]));
  const action = nn.tanh(n.actor.apply(b.obs));
  const actorLoss = nn.neg(nn.mean(n.critic.apply(nn.concat([b.obs, action], 1))));
  const stages = [
    {
      outputs: { criticLoss, q: nn.mean(q, [1, 2]) },
      updates: [
        adamW({ block: n.criticBlock, loss: criticLoss, learningRate: rate, epsilon }),
        polyak({ target: n.criticTarget, source: n.criticBlock, tau: 0.005 }),
      ],
    },
    {
      outputs: { actorLoss },
      updates: [
        adamW({
          block: n.actorBlock,
          loss: actorLoss,
          learningRate: rate,
          epsilon,
          weightDecay: 0.01,
          clipNorm: 0.5,
        }),
        polyak({ target: n.actorTarget, source: n.actorBlock, tau: 0.005 }),
      ],
    },
  ];
  return {
    spec: { name: 'redq', stages },
    blocks: [n.actorBlock, n.criticBlock, n.actorTarget, n.criticTarget],
  };
}

/** TD3 with both updates on the same parameters, per-member clipping. */
export function td3(sizes: Sizes): Algorithm {
  const n = networks({ ...sizes, E: 2 }, false);
  const b = batch(sizes);
  const smooth = nn.clamp(nn.mul(b.noise, 0.2), -0.5, 0.5);
  const nextAction = nn.clamp(
    nn.add(nn.tanh(n.actor.apply(b.next, { block: n.actorTarget })), smooth),
    -1,
    1,
  );
  const nextQ = nn.min(n.critic.apply(nn.concat([b.next, nextAction], 1), { block: n.criticTarget }), 0);
  const target = nn.stopGradient(nn.add(b.reward, nn.mul(nn.mul(b.discount, gamma), nextQ)));
  const q = n.critic.apply(nn.concat([b.obs, b.action], 1));
  const criticLoss = nn.sum(nn.mean(nn.square(nn.sub(q, target)), [1, 2]));
  const first = n.critic.apply(nn.concat([b.obs, nn.tanh(n.actor.apply(b.obs))], 1));
  const actorLoss = nn.neg(nn.mean(nn.slice(first, 0, 0, 1)));
  const updates = [
    adamW({
      block: n.criticBlock,
      loss: criticLoss,
      learningRate: 1e-3,
      epsilon,
      clipNorm: 1,
      clipBy: 'member',
    }),
    adamW({ block: n.actorBlock, loss: actorLoss, learningRate: 1e-3, epsilon }),
    polyak({ target: n.criticTarget, source: n.criticBlock, tau: 0.005 }),
    polyak({ target: n.actorTarget, source: n.actorBlock, tau: 0.005 }),
  ];
  return {
    spec: { name: 'td3', outputs: { criticLoss, actorLoss }, updates },
    blocks: [n.actorBlock, n.criticBlock, n.actorTarget, n.criticTarget],
  };
}

/** A squashed Gaussian from a network's mean and log-deviation. */
function gaussian(parameters: nn.Tensor, noise: nn.Tensor, A: number) {
  const mean = nn.slice(parameters, 1, 0, A);
  const logDeviation = nn.clamp(nn.slice(parameters, 1, A, 2 * A), -5, 2);
  const raw = nn.add(mean, nn.mul(nn.exp(logDeviation), noise));
  // log(1 - tanh(x)^2) = 2 (log 2 - x - softplus(-2 x))
  const squash = nn.mul(nn.sub(nn.sub(Math.LN2, raw), nn.softplus(nn.mul(raw, -2))), 2);
  const density = nn.sub(nn.mul(nn.square(noise), -0.5), nn.add(logDeviation, 0.5 * Math.log(2 * Math.PI)));
  return { action: nn.tanh(raw), logProbability: nn.sum(nn.sub(density, squash), 1, true) };
}

export function sac(sizes: Sizes): Algorithm {
  const n = networks({ ...sizes, E: 2 }, false, 2 * sizes.A);
  const b = batch(sizes);
  const temperature = new nn.ParameterBlock('temperature', { rng: new PhiloxStream(1) });
  const logAlpha = temperature.add('logAlpha', [1], (_, out) => out.fill(-1));
  const alpha = nn.stopGradient(nn.exp(logAlpha));
  const next = gaussian(n.actor.apply(b.next), b.noise, sizes.A);
  const nextQ = nn.min(n.critic.apply(nn.concat([b.next, next.action], 1), { block: n.criticTarget }), 0);
  const soft = nn.sub(nextQ, nn.mul(alpha, next.logProbability));
  const target = nn.stopGradient(nn.add(b.reward, nn.mul(nn.mul(b.discount, gamma), soft)));
  const q = n.critic.apply(nn.concat([b.obs, b.action], 1));
  const criticLoss = nn.sum(nn.mean(nn.square(nn.sub(q, target)), [1, 2]));
  const own = gaussian(n.actor.apply(b.obs), nn.input('noise2', [sizes.B, sizes.A]), sizes.A);
  const ownQ = nn.min(n.critic.apply(nn.concat([b.obs, own.action], 1)), 0);
  const actorLoss = nn.mean(nn.sub(nn.mul(alpha, own.logProbability), ownQ));
  const entropyGap = nn.stopGradient(nn.add(nn.mean(own.logProbability), -sizes.A));
  const alphaLoss = nn.neg(nn.sum(nn.mul(nn.exp(logAlpha), entropyGap)));
  const updates = [
    adamW({ block: n.criticBlock, loss: criticLoss, learningRate: 1e-3, epsilon, clipNorm: 1 }),
    adamW({ block: n.actorBlock, loss: actorLoss, learningRate: 1e-3, epsilon }),
    adamW({ block: temperature, loss: alphaLoss, learningRate: 1e-3, epsilon }),
    polyak({ target: n.criticTarget, source: n.criticBlock, tau: 0.005 }),
  ];
  return {
    spec: { name: 'sac', outputs: { criticLoss, actorLoss, alphaLoss }, updates },
    blocks: [n.actorBlock, n.criticBlock, temperature, n.criticTarget],
  };
}

export function ppo(sizes: Sizes): Algorithm {
  const { B, O, A, H } = sizes;
  const block = new nn.ParameterBlock('policy', { rng: new PhiloxStream(5) });
  const actor = mlp(block, 'pi', { in: O, hidden: [H, H], out: A, activation: 'tanh' });
  const value = mlp(block, 'v', { in: O, hidden: [H, H], out: 1, activation: 'tanh' });
  const logDeviation = block.add('logDeviation', [A], (_, out) => out.fill(-0.5));
  const obs = nn.input('obs', [B, O]);
  const action = nn.input('action', [B, A]);
  const before = nn.input('before', [B]);
  const advantage = nn.input('advantage', [B]);
  const returns = nn.input('returns', [B]);
  const scaled = nn.div(nn.sub(action, actor.apply(obs)), nn.exp(logDeviation));
  const density = nn.sub(nn.mul(nn.square(scaled), -0.5), nn.add(logDeviation, 0.5 * Math.log(2 * Math.PI)));
  const ratio = nn.exp(nn.sub(nn.sum(density, 1), before));
  const centred = nn.sub(advantage, nn.mean(advantage));
  const unit = nn.div(centred, nn.add(nn.sqrt(nn.mean(nn.square(centred))), 1e-8));
  const gain = nn.minimum(nn.mul(ratio, unit), nn.mul(nn.clamp(ratio, 0.8, 1.2), unit));
  const valueLoss = nn.mean(nn.square(nn.sub(nn.reshape(value.apply(obs), [B]), returns)));
  const entropy = nn.sum(logDeviation);
  const loss = nn.sub(nn.sub(nn.mul(valueLoss, 0.5), nn.mean(gain)), nn.mul(entropy, 0.01));
  const kl = nn.mean(nn.sub(nn.sub(ratio, 1), nn.log(ratio)));
  const updates = [adamW({ block, loss, learningRate: 3e-4, epsilon, clipNorm: 0.5 })];
  return { spec: { name: 'ppo', outputs: { loss, valueLoss, kl }, updates }, blocks: [block] };
}

/** Behaviour cloning of a chunk with a Huber-like loss and a discrete head, to reach the rest of the operations. */
export function cloning(sizes: Sizes): Algorithm {
  const { B, O, A, H } = sizes;
  const block = new nn.ParameterBlock('policy', { rng: new PhiloxStream(5) });
  const net = mlp(block, 'pi', { in: O, hidden: [H, H], out: 2 * A, layerNorm: true, activation: 'gelu' });
  const out = net.apply(nn.input('obs', [B, O]));
  const error = nn.sub(nn.slice(out, 1, 0, A), nn.input('action', [B, A]));
  const size = nn.abs(error);
  const huber = nn.where(nn.less(size, 1), nn.mul(nn.square(error), 0.5), nn.sub(size, 0.5));
  const logits = nn.slice(out, 1, A, 2 * A);
  const crossEntropy = nn.neg(
    nn.mean(nn.sum(nn.mul(nn.softmax(nn.input('labels', [B, A])), nn.logSoftmax(logits)), 1)),
  );
  const loss = nn.add(nn.mean(huber), crossEntropy);
  const updates = [adamW({ block, loss, learningRate: 1e-3, epsilon, weightDecay: 1e-2 })];
  return { spec: { name: 'cloning', outputs: { loss, crossEntropy }, updates }, blocks: [block] };
}
