import type { Draws } from '#core/draws';
import type { PhiloxStream } from '#core/philox';
import { generalisedAdvantages } from '#learn/advantage';
import { type CompileOptions, compile, inputOf, outputOf, type Program } from '#nn/compile';
import * as nn from '#nn/graph';
import { filled, orthogonal, zeros } from '#nn/initializers';
import { type Activation, type Layer, mlp } from '#nn/layers';
import { adamW } from '#nn/optimizer';

/** Proximal policy optimisation: a Gaussian policy with one deviation per action entry that does not depend on the
 * situation, and a value network beside it. Acting is one call for all environments, an update one call per minibatch.
 *
 * Cost of a sample with networks of O-H-H: 2 (O H + H H + H A) floating point operations forward for the policy and as
 * much for the value; an update costs three times that, so a sample costs 2 (1 + 3 epochs) times the forward pass. With
 * O = 30, H = 64 and 4 epochs that is 26 * 12 k = 0.3 M operations: tens of thousands of samples a second on a core. */

export interface PpoSettings {
  readonly hidden: readonly number[];
  readonly activation: Activation;
  /** Of the policy's deviation, in action units. */
  readonly initial_std: number;
  readonly gamma: number;
  readonly lambda: number;
  /** Farthest that a ratio of probabilities still counts from 1. */
  readonly clip: number;
  /** The value may move so far in one round, in its own units; 0 leaves it free. */
  readonly value_clip: number;
  readonly entropy: number;
  /** The largest; the rate starts at half of it where it is steered. */
  readonly learning_rate: number;
  /** Divergence of the new policy from the old that the learning rate is steered to; 0 keeps the rate. */
  readonly target_kl: number;
  readonly epochs: number;
  readonly minibatch: number;
  /** Largest norm of a gradient; 0 is off. */
  readonly grad_clip: number;
  /** A teacher's actions stand beside the student's own: `Rollout.teacher`, and `weights` of an update. */
  readonly teacher?: boolean;
}

/** What a policy with a teacher descends: `reinforce` * PPO's loss + `teacher` * the squared distance to its actions. */
export interface TeacherWeights {
  readonly reinforce: number;
  readonly teacher: number;
}

export interface PpoShape {
  readonly O: number;
  readonly A: number;
  /** Rows that act at once. */
  readonly B: number;
}

/** Least that the steered learning rate becomes. */
const LEAST_RATE = 1e-5;
const LOG_STD_RANGE = [-3, 0.7] as const;
const HALF_LOG_TWO_PI = 0.5 * Math.log(2 * Math.PI);

export interface ActorCritic {
  readonly shape: PpoShape;
  readonly policy: nn.ParameterBlock;
  readonly value: nn.ParameterBlock;
  readonly actor: Layer;
  readonly critic: Layer;
}

/** Networks with orthogonal weights; the policy starts near 0 everywhere. */
export function actorCritic(shape: PpoShape, settings: PpoSettings, rng: PhiloxStream): ActorCritic {
  const { O, A } = shape;
  const { hidden, activation, initial_std: std } = settings;
  const policy = new nn.ParameterBlock('policy', { rng });
  const value = new nn.ParameterBlock('value', { rng });
  const common = { in: O, hidden, activation, weight: orthogonal(Math.SQRT2), bias: zeros };
  const actor = mlp(policy, 'actor', { ...common, out: A, lastWeight: orthogonal(0.01) });
  policy.add('logStd', [A], filled(Math.log(std)));
  const critic = mlp(value, 'critic', { ...common, out: 1, lastWeight: orthogonal(1) });
  return { shape, policy, value, actor, critic };
}

/** Steps of B environments, as PPO learns from them: each field holds T rounds one after the other. */
export class Rollout {
  readonly T: number;
  readonly B: number;
  readonly O: number;
  readonly A: number;
  /** [T*B, O] */
  readonly observation: Float32Array;
  /** [T*B, A] as drawn, not clipped */
  readonly action: Float32Array;
  /** [T*B] */
  readonly logProbability: Float32Array;
  readonly value: Float32Array;
  readonly reward: Float32Array;
  readonly terminated: Uint8Array;
  readonly truncated: Uint8Array;
  readonly following: Float32Array;
  /** 1: learned from. The steps of an episode whose outcome is known already are left out. */
  readonly counts: Uint8Array;
  readonly advantage: Float32Array;
  readonly returns: Float32Array;
  /** [B] */
  readonly lastValue: Float32Array;
  /** [T*B, A] what a teacher would have done; looked at where there is one. */
  readonly teacher: Float32Array;

  constructor(T: number, { B, O, A }: PpoShape) {
    this.T = T;
    this.B = B;
    this.O = O;
    this.A = A;
    const N = T * B;
    this.observation = new Float32Array(N * O);
    this.action = new Float32Array(N * A);
    this.logProbability = new Float32Array(N);
    this.value = new Float32Array(N);
    this.reward = new Float32Array(N);
    this.terminated = new Uint8Array(N);
    this.truncated = new Uint8Array(N);
    this.following = new Float32Array(N);
    this.counts = new Uint8Array(N).fill(1);
    this.advantage = new Float32Array(N);
    this.returns = new Float32Array(N);
    this.lastValue = new Float32Array(B);
    this.teacher = new Float32Array(N * A);
  }
}

/** Averages over the minibatches of one update. */
export interface PpoReport {
  readonly policyLoss: number;
  readonly valueLoss: number;
  readonly kl: number;
  /** Mean over rows and entries, where there is a teacher. */
  readonly teacherLoss?: number;
  readonly std: number;
  readonly learningRate: number;
}

export class PpoAgent {
  readonly networks: ActorCritic;
  readonly #settings: PpoSettings;
  readonly #act: Program;
  readonly #values: Program;
  readonly #update: Program;
  /** [1] the present learning rate */
  readonly #rate: Float32Array;
  readonly #order: { index: Int32Array; keys: Float32Array } = {
    index: new Int32Array(0),
    keys: new Float32Array(0),
  };
  /** [B,A] the last actions drawn, not clipped */
  readonly action: Float32Array;
  /** [B] of them, and the value of where they were drawn */
  readonly logProbability: Float32Array;
  readonly value: Float32Array;

  constructor(shape: PpoShape, settings: PpoSettings, rng: PhiloxStream, options: CompileOptions) {
    this.networks = actorCritic(shape, settings, rng);
    this.#settings = settings;
    this.#act = compile(actingProgram(this.networks), options);
    this.#values = compile(valueProgram(this.networks, shape.B), options);
    this.#update = compile(updateProgram(this.networks, settings), options);
    this.#rate = inputOf(this.#update, 'learningRate');
    this.#rate[0] = firstRate(settings);
    this.action = outputOf(this.#act, 'action');
    this.logProbability = outputOf(this.#act, 'logProbability');
    this.value = outputOf(this.#act, 'value');
  }

  /** Draws `action`, with `logProbability` and `value`. @shape observation [B,O] */
  act(observation: Float32Array, draws: Draws): void {
    draws.normals(inputOf(this.#act, 'noise'));
    inputOf(this.#act, 'observation').set(observation);
    this.#act.run();
  }

  /** Values of B situations; the result is overwritten by the next call. @shape observation [B,O], result [B] */
  values(observation: Float32Array): Float32Array {
    inputOf(this.#values, 'observation').set(observation);
    this.#values.run();
    return outputOf(this.#values, 'value');
  }

  /** Advantages, then `epochs` passes over the rollout's counting steps in minibatches, shuffled.
   * @param scale factor of the largest learning rate, to anneal it
   * @param weights where the policy has a teacher
   * @throws NUMERIC where a loss or a gradient is not finite */
  update(rollout: Rollout, draws: Draws, scale = 1, weights?: TeacherWeights): PpoReport {
    const { gamma, lambda, epochs, minibatch, target_kl, learning_rate } = this.#settings;
    const most = scale * learning_rate;
    if (weights) inputOf(this.#update, 'weights').set([weights.reinforce, weights.teacher]);
    this.#rate[0] = target_kl > 0 ? Math.min(most, this.#rate[0]!) : most;
    generalisedAdvantages(rollout, gamma, lambda, rollout.advantage, rollout.returns);
    const count = this.#gatherIndex(rollout.counts);
    const sums = { policyLoss: 0, valueLoss: 0, kl: 0, teacherLoss: 0 };
    if (count === 0) return { ...sums, ...this.#state() };
    const batches = Math.max(1, Math.floor(count / minibatch));
    for (let epoch = 0; epoch < epochs; epoch++) {
      this.#shuffle(count, draws);
      for (let batch = 0; batch < batches; batch++) {
        this.#fill(rollout, batch * minibatch, count);
        this.#update.run();
        for (const name of ['policyLoss', 'valueLoss', 'kl'] as const)
          sums[name] += outputOf(this.#update, name)[0]!;
        if (this.#settings.teacher) sums.teacherLoss += outputOf(this.#update, 'teacherLoss')[0]!;
        this.#steer(outputOf(this.#update, 'kl')[0]!, most);
      }
    }
    const n = epochs * batches;
    return {
      policyLoss: sums.policyLoss / n,
      valueLoss: sums.valueLoss / n,
      kl: sums.kl / n,
      ...(this.#settings.teacher ? { teacherLoss: sums.teacherLoss / n } : {}),
      ...this.#state(),
    };
  }

  #state(): { std: number; learningRate: number } {
    const logStd = this.networks.policy.view('logStd');
    return { std: Math.exp(logStd.reduce((a, b) => a + b, 0) / logStd.length), learningRate: this.#rate[0]! };
  }

  /** Keeps the divergence of an update near what is wanted.
   * @source Schulman et al. 2017, arXiv:1707.06347, Sec. 4; differs: steers the learning rate and not a penalty */
  #steer(kl: number, most: number): void {
    const { target_kl: target } = this.#settings;
    if (target === 0) return;
    if (kl > 2 * target) this.#rate[0] = Math.max(LEAST_RATE, this.#rate[0]! / 1.5);
    else if (kl < target / 2) this.#rate[0] = Math.min(most, this.#rate[0]! * 1.5);
  }

  #gatherIndex(counts: Uint8Array): number {
    const order = this.#order;
    if (order.index.length < counts.length) {
      order.index = new Int32Array(counts.length);
      order.keys = new Float32Array(counts.length);
    }
    let count = 0;
    for (let i = 0; i < counts.length; i++) if (counts[i] === 1) order.index[count++] = i;
    return count;
  }

  /** Fisher and Yates. */
  #shuffle(count: number, draws: Draws): void {
    const { index, keys } = this.#order;
    draws.uniforms(keys);
    for (let i = count - 1; i > 0; i--) {
      const j = Math.floor(keys[i]! * (i + 1));
      const kept = index[i]!;
      index[i] = index[j]!;
      index[j] = kept;
    }
  }

  /** A minibatch from `start` in the shuffled order, from its beginning again where it ends. */
  #fill(rollout: Rollout, start: number, count: number): void {
    const { O, A } = rollout;
    const { inputs } = this.#update;
    const observation = inputs['observation']!;
    const action = inputs['action']!;
    const teacher = inputs['teacher'];
    const { index } = this.#order;
    for (let k = 0; k < this.#settings.minibatch; k++) {
      const from = index[(start + k) % count]!;
      for (let j = 0; j < O; j++) observation[k * O + j] = rollout.observation[from * O + j]!;
      for (let j = 0; j < A; j++) action[k * A + j] = rollout.action[from * A + j]!;
      if (teacher) for (let j = 0; j < A; j++) teacher[k * A + j] = rollout.teacher[from * A + j]!;
      inputs['logProbability']![k] = rollout.logProbability[from]!;
      inputs['advantage']![k] = rollout.advantage[from]!;
      inputs['returns']![k] = rollout.returns[from]!;
      const before = inputs['value'];
      if (before) before[k] = rollout.value[from]!;
    }
  }

  /** New weights, as if nothing had been learned. */
  restart(rng: PhiloxStream): void {
    const fresh = actorCritic(this.networks.shape, this.#settings, rng);
    for (const name of ['policy', 'value'] as const) {
      const block = this.networks[name];
      block.copyFrom(fresh[name]);
      for (const moments of Object.values(block.optimizer)) (moments as Float32Array).fill(0);
    }
    this.#rate[0] = firstRate(this.#settings);
  }

  /** Every array a checkpoint must keep, live. */
  state(): Readonly<Record<string, Float32Array>> {
    const state: Record<string, Float32Array> = { learningRate: this.#rate };
    for (const block of [this.networks.policy, this.networks.value]) {
      const { first, second, step } = block.optimizer;
      state[block.name] = block.values;
      state[`${block.name}.first`] = first;
      state[`${block.name}.second`] = second;
      state[`${block.name}.step`] = step;
    }
    return state;
  }

  close(): void {
    this.#act.close();
    this.#values.close();
    this.#update.close();
  }
}

function firstRate({ target_kl, learning_rate }: PpoSettings): number {
  return target_kl > 0 ? learning_rate / 2 : learning_rate;
}

/** What the policy does without exploring: inputs observation [B,O], output action [B,A]. */
export function greedyProgram(
  { actor, shape }: ActorCritic,
  B: number,
): { name: string; outputs: Record<string, nn.Tensor> } {
  return { name: 'act', outputs: { action: actor.apply(nn.input('observation', [B, shape.O])) } };
}

/** Inputs observation [B,O]; output value [B]. */
export function valueProgram(
  { critic, shape }: ActorCritic,
  B: number,
): { name: string; outputs: Record<string, nn.Tensor> } {
  const value = nn.reshape(critic.apply(nn.input('observation', [B, shape.O])), [B]);
  return { name: 'value', outputs: { value } };
}

function actingProgram({ actor, critic, policy, shape }: ActorCritic) {
  const { B, O, A } = shape;
  const observation = nn.input('observation', [B, O]);
  const noise = nn.input('noise', [B, A]);
  const logStd = logStdOf(policy);
  const action = nn.add(actor.apply(observation), nn.mul(nn.exp(logStd), noise));
  const logProbability = nn.sum(nn.sub(nn.mul(nn.square(noise), -0.5), nn.add(logStd, HALF_LOG_TWO_PI)), 1);
  const value = nn.reshape(critic.apply(observation), [B]);
  return { name: 'explore', outputs: { action, logProbability, value } };
}

function logStdOf(policy: nn.ParameterBlock): nn.Tensor {
  return nn.clamp(policy.tensor('logStd'), ...LOG_STD_RANGE);
}

/** One step of both networks on a minibatch.
 * @source Schulman et al. 2017, arXiv:1707.06347, eq. 7 and 9; differs: separate networks, each with its own optimiser
 * and clipped gradient; advantages are normalised per minibatch; the divergence is Schulman's low-variance estimate */
function updateProgram(
  { actor, critic, policy, value: valueBlock, shape }: ActorCritic,
  settings: PpoSettings,
) {
  const { O, A } = shape;
  const { minibatch: N, clip, entropy, grad_clip, value_clip } = settings;
  const observation = nn.input('observation', [N, O]);
  const logStd = logStdOf(policy);
  const middle = actor.apply(observation);
  const scaled = nn.div(nn.sub(nn.input('action', [N, A]), middle), nn.exp(logStd));
  const density = nn.sub(nn.mul(nn.square(scaled), -0.5), nn.add(logStd, HALF_LOG_TWO_PI));
  const change = nn.sub(nn.sum(density, 1), nn.input('logProbability', [N]));
  const ratio = nn.exp(nn.clamp(change, -20, 20));
  const advantage = nn.input('advantage', [N]);
  const centred = nn.sub(advantage, nn.mean(advantage));
  const unit = nn.div(centred, nn.add(nn.sqrt(nn.mean(nn.square(centred))), 1e-8));
  const gain = nn.minimum(nn.mul(ratio, unit), nn.mul(nn.clamp(ratio, 1 - clip, 1 + clip), unit));
  const policyLoss = nn.sub(nn.neg(nn.mean(gain)), nn.mul(nn.sum(logStd), entropy));
  const returns = nn.input('returns', [N]);
  const value = nn.reshape(critic.apply(observation), [N]);
  const valueLoss = nn.mean(squaredError(value, returns, N, value_clip));
  const learningRate = nn.input('learningRate', []);
  const teacherLoss = settings.teacher && nn.mean(nn.square(nn.sub(middle, nn.input('teacher', [N, A]))));
  const limits = { learningRate, epsilon: 1e-5, ...(grad_clip > 0 ? { clipNorm: grad_clip } : {}) };
  return {
    name: 'ppo',
    outputs: {
      ...{ policyLoss, valueLoss, kl: nn.mean(nn.sub(nn.sub(ratio, 1), change)) },
      ...(teacherLoss ? { teacherLoss } : {}),
    },
    updates: [
      adamW({ block: policy, loss: teacherLoss ? weighted(policyLoss, teacherLoss) : policyLoss, ...limits }),
      adamW({ block: valueBlock, loss: valueLoss, ...limits }),
    ],
  };
}

/** @source RPD: Jülg et al. 2025, arXiv:2503.05833: PPO's objective and the mean squared error to the teacher's action; differs: both
 * have weights that may change in training */
function weighted(policyLoss: nn.Tensor, teacherLoss: nn.Tensor): nn.Tensor {
  const weights = nn.input('weights', [2]);
  const parts = nn.concat([nn.reshape(policyLoss, [1]), nn.reshape(teacherLoss, [1])], 0);
  return nn.sum(nn.mul(weights, parts));
}

/** @shape value, returns, result [N] */
function squaredError(value: nn.Tensor, returns: nn.Tensor, N: number, clip: number): nn.Tensor {
  const error = nn.square(nn.sub(value, returns));
  if (clip === 0) return error;
  const before = nn.input('value', [N]);
  const kept = nn.add(before, nn.clamp(nn.sub(value, before), -clip, clip));
  return nn.maximum(error, nn.square(nn.sub(kept, returns)));
}
