import { describe, expect, it } from 'vitest';
import { PhiloxStream } from '#core/philox';
import { compile } from '#nn/compile';
import * as nn from '#nn/graph';
import { mlp } from '#nn/layers';
import { draw, expectParity, type Outputs, runtime, type Values } from './onnxRuntime.js';

/** Whole losses with all their gradients: the backward graph is a graph, so onnxruntime can run it too. */

const [B, O, A, E, T] = [32, 11, 4, 10, 3];
const hidden = [64, 64];
const rng = new PhiloxStream(11);

const observation = nn.input('observation', [B, O]);
const next = nn.input('next', [B, O]);
const action = nn.input('action', [B, A]);
const noise = nn.input('noise', [B, A]);
const reward = nn.input('reward', [B]);
const terminated = nn.input('terminated', [B]);

function ensemble(name: string, members: number) {
  const block = new nn.ParameterBlock(name, { rng, members });
  return { block, layer: mlp(block, 'mlp', { in: O + A, hidden, out: 1, layerNorm: true }) };
}
function network(name: string, inputs: number, outputs: number, layerNorm = true) {
  const block = new nn.ParameterBlock(name, { rng });
  return { block, layer: mlp(block, 'mlp', { in: inputs, hidden, out: outputs, layerNorm }) };
}
type Network = ReturnType<typeof ensemble>;

/** Values of all members, [E, B]. */
function value(critic: Network, o: nn.Tensor, a: nn.Tensor, how = {}): nn.Tensor {
  const q = critic.layer.apply(nn.concat([o, a], 1), how);
  return nn.reshape(q, q.shape.slice(0, -1));
}

function withGradients(loss: nn.Tensor, ...blocks: readonly nn.ParameterBlock[]): Outputs {
  const named = blocks.flatMap((block) => block.names.map((name) => [block, name] as const));
  const gradients = nn.grad(
    loss,
    named.map(([block, name]) => block.tensor(name)),
  );
  return Object.fromEntries([
    ['loss', loss],
    ...named.map(([block, name], i) => [`${block.name}.${name} gradient`, gradients[i]!]),
  ]);
}

const bounded = (raw: nn.Tensor) => nn.add(-2, nn.mul(1.5, nn.tanh(raw)));

/** A tanh-squashed Gaussian: the action and its log density. */
function sample(policy: Network, o: nn.Tensor): { action: nn.Tensor; logDensity: nn.Tensor } {
  const out = policy.layer.apply(o);
  const logStd = bounded(nn.slice(out, 1, A, 2 * A));
  const raw = nn.add(nn.slice(out, 1, 0, A), nn.mul(nn.exp(logStd), noise));
  const normal = nn.sub(nn.sub(nn.mul(-0.5, nn.square(noise)), logStd), 0.5 * Math.log(2 * Math.PI));
  const squash = nn.mul(2, nn.sub(nn.sub(Math.LN2, raw), nn.softplus(nn.mul(-2, raw))));
  return { action: nn.tanh(raw), logDensity: nn.sum(nn.sub(normal, squash), 1) };
}

const losses: Readonly<Record<string, () => Outputs>> = {
  'chunked behaviour cloning': () => {
    const block = new nn.ParameterBlock('base', { rng });
    const layer = mlp(block, 'mlp', { in: O, hidden, out: T * A, activation: 'gelu' });
    const valid = nn.less(nn.input('validity', [B, T, 1]), 0.5);
    const error = nn.sub(nn.reshape(layer.apply(observation), [B, T, A]), nn.input('chunk', [B, T, A]));
    const loss = nn.div(nn.sum(nn.mul(valid, nn.square(error))), nn.maximum(nn.sum(valid), 1));
    return withGradients(loss, block);
  },

  'REDQ critics, a subset of two for the target': () => {
    const critic = ensemble('critic', E);
    const target = critic.block.clone('target');
    const members = nn.input('members', [2], 'i32');
    const nextAction = nn.clamp(nn.add(action, nn.mul(0.3, noise)), -1, 1);
    const nextValue = nn.min(value(critic, next, nextAction, { block: target, members }), 0);
    const bellman = nn.stopGradient(nn.add(reward, nn.mul(nn.mul(0.97, nn.sub(1, terminated)), nextValue)));
    const loss = nn.mean(nn.square(nn.sub(value(critic, observation, action), bellman)));
    return withGradients(loss, critic.block);
  },

  'REDQ residual actor, the mean of all critics': () => {
    const critic = ensemble('critic', E);
    const actor = network('actor', O + A, A);
    const residual = nn.mul(0.3, nn.tanh(actor.layer.apply(nn.concat([observation, action], 1))));
    const executed = nn.minimum(nn.maximum(nn.add(action, residual), -1), 1);
    const loss = nn.add(
      nn.neg(nn.mean(value(critic, observation, executed))),
      nn.mul(0.1, nn.mean(nn.square(residual))),
    );
    return withGradients(loss, actor.block);
  },

  'SAC critics': () => {
    const critic = ensemble('critic', 2);
    const target = critic.block.clone('target');
    const policy = network('policy', O, 2 * A);
    const drawn = sample(policy, next);
    const soft = nn.sub(
      nn.min(value(critic, next, drawn.action, { block: target }), 0),
      nn.mul(0.2, drawn.logDensity),
    );
    const bellman = nn.stopGradient(nn.add(reward, nn.mul(nn.mul(0.99, nn.sub(1, terminated)), soft)));
    return withGradients(
      nn.mean(nn.square(nn.sub(value(critic, observation, action), bellman))),
      critic.block,
    );
  },

  'SAC policy and temperature': () => {
    const critic = ensemble('critic', 2);
    const policy = network('policy', O, 2 * A);
    const temperature = new nn.ParameterBlock('temperature', { rng });
    const logAlpha = temperature.add('log', [1], (_, out) => out.fill(-1.5));
    const drawn = sample(policy, observation);
    const alpha = nn.stopGradient(nn.exp(logAlpha));
    const q = nn.min(value(critic, observation, drawn.action), 0);
    const policyLoss = nn.mean(nn.sub(nn.mul(alpha, drawn.logDensity), q));
    const surplus = nn.add(nn.stopGradient(drawn.logDensity), -A);
    const temperatureLoss = nn.neg(nn.mean(nn.mul(logAlpha, surplus)));
    return withGradients(nn.add(policyLoss, temperatureLoss), policy.block, temperature);
  },

  'PPO, clipped ratio, value and entropy': () => {
    const policy = network('policy', O, A, false);
    const critic = network('value', O, 1, false);
    const logStd = policy.block.add('logStd', [A], (_, out) => out.fill(-0.5));
    const old = nn.input('oldLogDensity', [B]);
    const advantage = nn.input('advantage', [B]);
    const z = nn.div(nn.sub(action, policy.layer.apply(observation)), nn.exp(logStd));
    const logDensity = nn.sum(nn.sub(nn.mul(-0.5, nn.square(z)), logStd), 1);
    const ratio = nn.exp(nn.clamp(nn.sub(logDensity, old), -2, 2));
    const surrogate = nn.minimum(nn.mul(ratio, advantage), nn.mul(nn.clamp(ratio, 0.8, 1.2), advantage));
    const estimate = nn.reshape(critic.layer.apply(observation), [B]);
    const oldValue = nn.input('oldValue', [B]);
    const clipped = nn.add(oldValue, nn.clamp(nn.sub(estimate, oldValue), -0.2, 0.2));
    const valueLoss = nn.mean(
      nn.maximum(nn.square(nn.sub(estimate, reward)), nn.square(nn.sub(clipped, reward))),
    );
    const loss = nn.sub(nn.sub(nn.mul(0.5, valueLoss), nn.mean(surrogate)), nn.mul(0.01, nn.sum(logStd)));
    return withGradients(loss, policy.block, critic.block);
  },

  'a categorical policy with soft targets': () => {
    const policy = network('policy', O, 7);
    const logits = policy.layer.apply(observation);
    const wanted = nn.softmax(nn.mul(3, nn.input('wanted', [B, 7])));
    const crossEntropy = nn.neg(nn.mean(nn.sum(nn.mul(wanted, nn.logSoftmax(logits)), 1)));
    const probabilities = nn.softmax(logits);
    return withGradients(nn.add(crossEntropy, nn.mul(0.1, nn.max(probabilities))), policy.block);
  },
};

function inputsFor(outputs: Outputs): Map<string, Values> {
  const inputs = draw(outputs, [-1, 1]);
  inputs.get('members')?.set([3, 7]);
  const ended = inputs.get('terminated');
  ended?.set(ended.map((v) => (v > 0.5 ? 1 : 0)));
  return inputs;
}

describe.skipIf(!runtime)(`losses in onnxruntime${runtime ? '' : ' (skipped: not installed)'}`, () => {
  for (const [name, build] of Object.entries(losses)) {
    it(`${name}: the same value and gradients`, async () => {
      const outputs = build();
      const inputs = inputsFor(outputs);
      await expectParity(outputs, inputs, 1e-4);
      await expectParity(outputs, inputs, 1e-4, { backend: 'reference', precision: 'float64' });
    });
  }

  it('moves every parameter in every loss', () => {
    for (const [name, build] of Object.entries(losses)) {
      const outputs = build();
      const program = compile({ name, outputs });
      for (const [key, values] of inputsFor(outputs)) program.inputs[key]!.set(values);
      program.run();
      for (const [key, values] of Object.entries(program.outputs)) {
        expect(
          values.some((v) => Math.abs(v) > 1e-7),
          `${name}: ${key}`,
        ).toBe(true);
      }
      program.close();
    }
  });
});
