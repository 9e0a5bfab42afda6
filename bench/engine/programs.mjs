import { PhiloxStream } from '#core/philox';
import { compile } from '#nn/compile';
import * as nn from '#nn/graph';
import { mlp } from '#nn/layers';
import { adamW, polyak } from '#nn/optimizer';

/** The two updates the gates are about, as the learners write them; the peers' files do the same arithmetic. */

export const sizes = { B: 256, O: 30, A: 7, H: 256 };
const rate = 3e-4;
const tau = 0.005;
const gamma = 0.99;

/** @param {'redq' | 'td3'} kind */
export function buildUpdate(kind, threads, backend = 'native') {
  const { B, O, A, H } = sizes;
  const redq = kind === 'redq';
  const E = redq ? 10 : 2;
  const rng = new PhiloxStream(1);
  const actorBlock = new nn.ParameterBlock('actor', { rng });
  const criticBlock = new nn.ParameterBlock('critic', { rng, members: E });
  const actor = mlp(actorBlock, 'pi', { in: O, hidden: [H, H], out: A });
  const critic = mlp(criticBlock, 'q', { in: O + A, hidden: [H, H], out: 1, layerNorm: redq });
  const actorTarget = actorBlock.clone('actorTarget');
  const criticTarget = criticBlock.clone('criticTarget');
  const [obs, next] = [nn.input('obs', [B, O]), nn.input('next', [B, O])];
  const [action, noise] = [nn.input('action', [B, A]), nn.input('noise', [B, A])];
  const [reward, done] = [nn.input('reward', [B, 1]), nn.input('done', [B, 1])];
  const nextAction = nn.clamp(nn.add(nn.tanh(actor.apply(next, { block: actorTarget })), noise), -1, 1);
  const nextInput = nn.concat([next, nextAction], 1);
  const chosen = redq ? { members: nn.input('chosen', [2], 'i32') } : {};
  const nextQ = nn.min(critic.apply(nextInput, { block: criticTarget, ...chosen }), 0);
  const target = nn.add(reward, nn.mul(nn.mul(nn.sub(1, done), gamma), nextQ));
  const q = critic.apply(nn.concat([obs, action], 1));
  const criticLoss = nn.sum(nn.mean(nn.square(nn.sub(q, nn.stopGradient(target))), [1, 2]));
  const judged = redq ? {} : { members: nn.input('first', [1], 'i32') };
  const ownQ = critic.apply(nn.concat([obs, nn.tanh(actor.apply(obs))], 1), judged);
  const actorLoss = nn.neg(nn.mean(ownQ));
  const stages = [
    {
      outputs: { criticLoss },
      updates: [
        adamW({ block: criticBlock, loss: criticLoss, learningRate: rate }),
        polyak({ target: criticTarget, source: criticBlock, tau }),
      ],
    },
    {
      outputs: { actorLoss },
      updates: [
        adamW({ block: actorBlock, loss: actorLoss, learningRate: rate }),
        polyak({ target: actorTarget, source: actorBlock, tau }),
      ],
    },
  ];
  const program = compile({ name: kind, stages }, { backend, threads });
  fill(program);
  return program;
}

/** The policy at batch 1: observation in, action out. */
export function buildActor(backend = 'native') {
  const { O, A, H } = sizes;
  const block = new nn.ParameterBlock('actor', { rng: new PhiloxStream(1) });
  const actor = mlp(block, 'pi', { in: O, hidden: [H, H], out: A });
  const outputs = { action: nn.tanh(actor.apply(nn.input('obs', [1, O]))) };
  const program = compile({ name: 'actor', outputs }, { backend, threads: 1 });
  fill(program);
  return program;
}

function fill(program) {
  const rng = new PhiloxStream(2);
  for (const [name, values] of Object.entries(program.inputs)) {
    if (name === 'chosen') values.set([3, 7]);
    else if (name === 'first') values[0] = 0;
    else for (let i = 0; i < values.length; i++) values[i] = draw[name]?.(rng) ?? rng.normal();
  }
}

const draw = {
  action: (rng) => 2 * rng.uniform() - 1,
  noise: (rng) => Math.max(-0.5, Math.min(0.5, 0.2 * rng.normal())),
  done: (rng) => (rng.uniform() < 0.05 ? 1 : 0),
};

/** Matrix-product work of one update, in floating-point operations: what the share of the peak is taken of. */
export function operationsOf(kind) {
  const { B, O, A, H } = sizes;
  const X = O + A;
  const E = kind === 'redq' ? 10 : 2;
  const judges = kind === 'redq' ? 10 : 1;
  const actorForward = O * H + H * H + H * A;
  const criticForward = X * H + H * H + H;
  const criticBackward = criticForward + H * H + H;
  const judgeBackward = H + H * H + A * H;
  const actorBackward = actorForward + H * H + H * A;
  const products =
    actorForward +
    2 * criticForward +
    E * (criticForward + criticBackward) +
    actorForward +
    judges * (criticForward + judgeBackward) +
    actorBackward;
  return 2 * B * products;
}
