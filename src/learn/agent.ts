import type { Draws } from '#core/draws';
import type { PhiloxStream } from '#core/philox';
import { type Mirror, mirrorRows } from '#data/mirror';
import type { Priorities } from '#data/priorities';
import type { Replay, SampledBatch } from '#data/replay';
import { type CompileOptions, compile, indexInputOf, type Program, type Stage } from '#nn/compile';
import {
  add,
  clamp,
  constant,
  input,
  mean,
  min,
  mul,
  type ParameterBlock,
  sqrt,
  square,
  stopGradient,
  sub,
  sum,
  type Tensor,
} from '#nn/graph';
import { adamW, polyak, type Update } from '#nn/optimizer';
import {
  type ActorKind,
  type ActorNetwork,
  actorNetwork,
  type CriticNetwork,
  criticNetwork,
  criticValue,
  type NormalisedSituation,
  normaliseAction,
  normaliseSituation,
  type TrainedActor,
} from '#policy/networks';
import type { Normaliser } from '#policy/normaliser';
import type { ResidualSpec } from '#spec/learningSchema';

/** The off-policy learner that all algorithms share: an ensemble of critics trained on n-step targets, a delayed
 * actor, batches half from demonstrations. An algorithm says how it acts, how it bootstraps and what its actor
 * descends; everything else is here. Each update is one compiled program. */

export interface AgentOptions {
  readonly O: number;
  readonly A: number;
  /** B of the environments that acting serves */
  readonly environments: number;
  readonly normaliser: Normaliser;
  readonly settings: ResidualSpec;
  readonly rng: PhiloxStream;
  /** A random half of each batch is seen in it. */
  readonly mirror?: Mirror | undefined;
  readonly compile: CompileOptions;
}

/** Name of the target critics' parameters in a checkpoint. */
export const CRITIC_TARGET = 'criticTarget';

/** What an algorithm can use when it builds its part of the graph. */
export interface AgentParts {
  readonly options: AgentOptions;
  readonly actor: ActorNetwork;
  readonly actorTarget: ParameterBlock;
  readonly critic: CriticNetwork;
  readonly criticTarget: ParameterBlock;
  /** [1] the residual's present scale */
  readonly scale: Tensor;
  /** Q of every critic. @shape result [E,B,1] */
  value(s: NormalisedSituation, action: Tensor): Tensor;
  /** The least of the drawn target critics. @shape result [B,1] */
  targetValue(s: NormalisedSituation, action: Tensor): Tensor;
}

/** One algorithm. */
export interface Algorithm {
  readonly kind: ActorKind;
  /** Blocks it trains beside actor and critic. */
  readonly extraBlocks: readonly ParameterBlock[];
  /** Value of what follows. @shape noise [B,A] standard normal; result [B,1] */
  bootstrap(parts: AgentParts, next: NormalisedSituation, noise: Tensor): Tensor;
  /** Scalar the actor descends, and updates beside the actor's. @shape noise [B,A] standard normal */
  actorLoss(
    parts: AgentParts,
    s: NormalisedSituation,
    noise: Tensor,
  ): {
    readonly loss: Tensor;
    /** The action without exploration, normalised. @shape [B,A] */
    readonly action: Tensor;
    readonly outputs: Readonly<Record<string, Tensor>>;
    readonly updates: readonly Update[];
  };
  /** Named outputs of the acting program, for `explore`. @shape noise [B,A] standard normal */
  actOutputs(parts: AgentParts, s: NormalisedSituation, noise: Tensor): Readonly<Record<string, Tensor>>;
  /** The residual to execute, exploration included, from the acting program's outputs.
   * @shape noise [B,A] standard normal; uniform [B]; outResidual [B,A] normalised */
  explore(
    outputs: Readonly<Record<string, Float32Array>>,
    draws: ExplorationDraws,
    outResidual: Float32Array,
  ): void;
}

export interface ExplorationDraws {
  readonly noise: Float32Array;
  readonly uniform: Float32Array;
}

/** Fields of a sampled batch with their widths. */
function batchFields(O: number, A: number): readonly (readonly [keyof SampledBatch, number])[] {
  return [
    ['observation', O],
    ['phase', 1],
    ['base', A],
    ['action', A],
    ['reward', 1],
    ['discount', 1],
    ['nextObservation', O],
    ['nextPhase', 1],
    ['nextBase', A],
  ];
}

export class Agent {
  readonly algorithm: Algorithm;
  readonly parts: AgentParts;
  /** Blocks with optimiser state, then those without. */
  readonly trainedBlocks: readonly ParameterBlock[];
  readonly targetBlocks: readonly ParameterBlock[];
  readonly #act: Program;
  readonly #criticOnly: UpdateProgram;
  readonly #both: UpdateProgram;
  readonly #draws: ExplorationDraws;
  readonly #actOutputs: Readonly<Record<string, Float32Array>>;
  /** [B,A] the last residual, exploration included */
  readonly residual: Float32Array;

  constructor(options: AgentOptions, algorithm: Algorithm) {
    const { O, A, environments: B, normaliser } = options;
    this.algorithm = algorithm;
    const parts = buildParts(options, algorithm.kind);
    this.parts = parts;
    this.trainedBlocks = [parts.actor.block, parts.critic.block, ...algorithm.extraBlocks];
    this.targetBlocks = [parts.actorTarget, parts.criticTarget];
    this.#criticOnly = new UpdateProgram('critic', options, [criticStage(parts, algorithm)]);
    this.#both = new UpdateProgram('critic and actor', options, [
      criticStage(parts, algorithm),
      actorStage(parts, algorithm),
    ]);
    const situation = {
      observation: input('observation', [B, O]),
      phase: input('phase', [B, 1]),
      base: input('base', [B, A]),
    };
    const outputs = algorithm.actOutputs(
      parts,
      normaliseSituation(situation, normaliser),
      input('noise', [B, A]),
    );
    this.#act = compile({ name: 'act', outputs }, options.compile);
    this.#actOutputs = this.#act.outputs as Readonly<Record<string, Float32Array>>;
    this.#draws = { noise: new Float32Array(B * A), uniform: new Float32Array(B) };
    this.residual = new Float32Array(B * A);
  }

  /** Writes `residual` for the environments' present situations.
   * @shape observation [B,O], phase [B], base [B,A] */
  explore(
    observation: Float32Array,
    phase: Float32Array,
    base: Float32Array,
    draws: Draws,
    scale: number,
  ): void {
    const { noise, uniform } = this.#draws;
    draws.normals(noise);
    draws.uniforms(uniform);
    const { inputs } = this.#act;
    inputs['observation']?.set(observation);
    inputs['phase']?.set(phase);
    inputs['base']?.set(base);
    inputs['noise']?.set(noise);
    inputs['scale']?.fill(scale);
    this.#act.run();
    this.algorithm.explore(this.#actOutputs, this.#draws, this.residual);
  }

  /** Draws the batch of the next update: demonstrations first, then the agent's own steps. */
  sample(
    withActor: boolean,
    online: Replay,
    demos: Replay | undefined,
    draws: Draws,
    now: { readonly scale: number; readonly imitation: number },
  ): void {
    (withActor ? this.#both : this.#criticOnly).sample(online, demos, draws, now);
  }

  update(withActor: boolean): void {
    (withActor ? this.#both : this.#criticOnly).run();
  }

  updateAsync(withActor: boolean): Promise<void> {
    return (withActor ? this.#both : this.#criticOnly).runAsync();
  }

  /** Inputs of the critic's update program, for tests that write their own batch. */
  batchOf(withActor: boolean): SampledBatch {
    return (withActor ? this.#both : this.#criticOnly).batch;
  }

  /** The draws an update uses besides its batch. */
  drawsOf(withActor: boolean): { readonly members: Int32Array; readonly noise: Float32Array } {
    return withActor ? this.#both : this.#criticOnly;
  }

  /** Numbers of the last update of that kind, by name. */
  report(withActor: boolean): Readonly<Record<string, Float32Array>> {
    return (withActor ? this.#both : this.#criticOnly).program.outputs as Readonly<
      Record<string, Float32Array>
    >;
  }

  /** What a policy needs to act with the present parameters: live, not a copy. */
  trained(): TrainedActor {
    const { actor, critic, criticTarget } = this.parts;
    return this.algorithm.kind === 'choose' ? { actor, judge: { critic, block: criticTarget } } : { actor };
  }

  /** Every array a checkpoint must keep, live. */
  state(): Readonly<Record<string, Float32Array>> {
    const state: Record<string, Float32Array> = {};
    for (const block of this.trainedBlocks) {
      const { first, second, step } = block.optimizer;
      state[block.name] = block.values;
      state[`${block.name}.first`] = first;
      state[`${block.name}.second`] = second;
      state[`${block.name}.step`] = step;
    }
    for (const block of this.targetBlocks) state[block.name] = block.values;
    return state;
  }

  close(): void {
    this.#act.close();
    this.#criticOnly.program.close();
    this.#both.program.close();
  }
}

/** Actor and critics as the settings describe them, freshly drawn. */
export function agentNetworks(
  { O, A, settings, rng }: Pick<AgentOptions, 'O' | 'A' | 'settings' | 'rng'>,
  kind: ActorKind,
): { readonly actor: ActorNetwork; readonly critic: CriticNetwork } {
  const { hidden, layer_norm: layerNorm, chunk_phase: chunkPhase, critics: heads } = settings;
  const actor = actorNetwork(
    { kind, O, A, hidden: settings.actor_hidden ?? hidden, layerNorm, chunkPhase },
    rng,
  );
  const critic = criticNetwork(
    { O, A, hidden, layerNorm, heads, seesBase: kind === 'residual' && chunkPhase },
    rng,
  );
  return { actor, critic };
}

function buildParts(options: AgentOptions, kind: ActorKind): AgentParts {
  const { settings } = options;
  const { actor, critic } = agentNetworks(options, kind);
  const actorTarget = actor.block.clone('actorTarget');
  const criticTarget = critic.block.clone(CRITIC_TARGET);
  const members = input('members', [settings.min_of], 'i32');
  return {
    options,
    actor,
    actorTarget,
    critic,
    criticTarget,
    scale: input('scale', [1]),
    value: (s, action) => criticValue(critic, s, action),
    targetValue: (s, action) => min(criticValue(critic, s, action, { block: criticTarget, members }), 0),
  };
}

function batchInputs(options: AgentOptions): Readonly<Record<keyof SampledBatch, Tensor>> {
  const { O, A, settings } = options;
  const entries = batchFields(O, A).map(([name, width]) => [name, input(name, [settings.batch, width])]);
  return Object.fromEntries(entries) as Record<keyof SampledBatch, Tensor>;
}

/** Mean over heads and rows of the squared temporal-difference errors, and the critics' update.
 * @source Ankile 2025, arXiv:2509.19301, Sec. III-B; differs: squares each head's error before the mean, and
 * the target may be clipped to the range a return can have */
function criticStage(parts: AgentParts, algorithm: Algorithm): Stage {
  const { options, critic, criticTarget } = parts;
  const { settings, normaliser, A } = options;
  const batch = batchInputs(options);
  const now = normaliseSituation(batch, normaliser);
  const next = normaliseSituation(
    { observation: batch.nextObservation, phase: batch.nextPhase, base: batch.nextBase },
    normaliser,
  );
  const follows = algorithm.bootstrap(parts, next, input('noise', [settings.batch, A]));
  const raw = add(batch.reward, mul(batch.discount, follows));
  const clip = settings.clip_targets;
  const target = stopGradient(clip === false ? raw : clamp(raw, clip[0], clip[1]));
  const value = parts.value(now, normaliseAction(batch.action, normaliser));
  const error = square(sub(value, target));
  const { priorities } = settings;
  const criticLoss = mean(priorities ? mul(error, input('weight', [settings.batch, 1])) : error);
  const update = adamW({
    block: critic.block,
    // Each head descends its own mean square, clipped by itself: heads stay independent.
    loss: mul(criticLoss, settings.critics),
    learningRate: settings.critic_lr,
    weightDecay: settings.weight_decay,
    clipBy: 'member',
    ...(settings.grad_clip > 0 ? { clipNorm: settings.grad_clip } : {}),
  });
  return {
    outputs: {
      ...{ criticLoss, value: mean(value), target: mean(target) },
      ...(priorities ? { priority: sqrt(mean(spread(value, target, priorities.by), 0)) } : {}),
    },
    updates: [update, polyak({ target: criticTarget, source: critic.block, tau: settings.tau })],
  };
}

/** What a transition's priority is the root of, by critic. @shape value, result [E,B,1]; target [B,1] */
function spread(value: Tensor, target: Tensor, by: 'error' | 'disagreement'): Tensor {
  return square(sub(value, by === 'error' ? target : mean(value, 0, true)));
}

function actorStage(parts: AgentParts, algorithm: Algorithm): Stage {
  const { options, actor, actorTarget } = parts;
  const { settings, normaliser, A } = options;
  const batch = batchInputs(options);
  const now = normaliseSituation(batch, normaliser);
  const own = algorithm.actorLoss(parts, now, input('actorNoise', [settings.batch, A]));
  const { outputs, updates } = own;
  const imitated = settings.imitation && imitationLoss(own.action, batch.action, options);
  const loss = imitated ? add(own.loss, mul(input('imitation', [1]), imitated)) : own.loss;
  const update = adamW({
    block: actor.block,
    loss,
    learningRate: settings.actor_lr,
    weightDecay: settings.weight_decay,
    ...(settings.grad_clip > 0 ? { clipNorm: settings.grad_clip } : {}),
  });
  const tau = settings.actor_target ? settings.tau : 1;
  return {
    outputs: { actorLoss: loss, ...outputs, ...(imitated ? { imitation: imitated } : {}) },
    updates: [update, ...updates, polyak({ target: actorTarget, source: actor.block, tau })],
  };
}

/** Mean squared distance to the actions of the batch's demonstrations, which are its first rows.
 * @shape action [B,A] normalised; taken [B,A] in the task's units
 * @source DAPG: Rajeswaran et al. 2018, arXiv:1709.10087, eq. 6: imitation in the actor's loss, its weight decaying; differs: off-policy,
 * on the demonstrations of each batch; squared error of a deterministic action; a straight line in the place of a power */
function imitationLoss(action: Tensor, taken: Tensor, { settings, normaliser, A }: AgentOptions): Tensor {
  const { batch, demo_fraction: share } = settings;
  const demos = Math.round(batch * share);
  const weights = Float32Array.from({ length: batch }, (_, row) => (row < demos ? 1 / (demos * A) : 0));
  const error = sum(square(sub(action, normaliseAction(taken, normaliser))), 1);
  return sum(mul(constant(weights), error));
}

/** A compiled update with its input buffers, which sampling writes directly. */
class UpdateProgram {
  readonly program: Program;
  readonly batch: SampledBatch;
  readonly members: Int32Array;
  readonly noise: Float32Array;
  readonly #actorNoise: Float32Array | undefined;
  readonly #scale: Float32Array | undefined;
  readonly #imitation: Float32Array | undefined;
  readonly #weight: Float32Array | undefined;
  /** Whose priorities the batch's own rows, those behind the demonstrations', were drawn by. */
  #drawnBy: Priorities | undefined;
  #fromDemos = 0;
  readonly #settings: ResidualSpec;
  readonly #mirror:
    | { readonly map: Mirror; readonly coins: Float32Array; readonly scratch: Float32Array }
    | undefined;

  constructor(name: string, options: AgentOptions, stages: readonly Stage[]) {
    const { O, A, settings } = options;
    this.#settings = settings;
    this.#mirror = options.mirror && {
      map: options.mirror,
      coins: new Float32Array(settings.batch),
      scratch: new Float32Array(settings.batch * Math.max(O, A)),
    };
    this.program = compile({ name, stages }, options.compile);
    const optional = (field: string, size: number): Float32Array =>
      (this.program.inputs[field] as Float32Array | undefined) ?? new Float32Array(size);
    // A field that an algorithm does not read has a buffer all the same, so that sampling is one routine.
    this.batch = Object.fromEntries(
      batchFields(O, A).map(([field, width]) => [field, optional(field, settings.batch * width)]),
    ) as unknown as SampledBatch;
    this.members = indexInputOf(this.program, 'members');
    this.noise = optional('noise', settings.batch * A);
    this.#actorNoise = this.program.inputs['actorNoise'] as Float32Array | undefined;
    this.#scale = this.program.inputs['scale'] as Float32Array | undefined;
    this.#weight = this.program.inputs['weight'] as Float32Array | undefined;
    this.#imitation = this.program.inputs['imitation'] as Float32Array | undefined;
  }

  sample(
    online: Replay,
    demos: Replay | undefined,
    draws: Draws,
    now: { readonly scale: number; readonly imitation: number },
  ): void {
    const { batch, critics, demo_fraction: share } = this.#settings;
    const fromDemos = demos === undefined || demos.size === 0 ? 0 : Math.round(batch * share);
    demos?.sample(draws, this.batch, 0, fromDemos);
    online.sample(draws, this.batch, fromDemos, batch - fromDemos);
    this.#drawnBy = online.priorities;
    this.#fromDemos = fromDemos;
    if (this.#weight) {
      this.#weight.fill(1);
      online.priorities?.writeWeights(this.#weight, fromDemos);
    }
    if (this.#mirror) {
      const { map, coins, scratch } = this.#mirror;
      draws.uniforms(coins);
      mirrorRows(this.batch, map, coins, scratch);
    }
    draws.distinct(this.members, critics);
    draws.normals(this.noise);
    if (this.#actorNoise) draws.normals(this.#actorNoise);
    if (this.#scale) this.#scale[0] = now.scale;
    if (this.#imitation) this.#imitation[0] = now.imitation;
  }

  run(): void {
    this.program.run();
    this.#prioritise();
  }

  async runAsync(): Promise<void> {
    await this.program.runAsync();
    this.#prioritise();
  }

  #prioritise(): void {
    this.#drawnBy?.update(this.program.outputs['priority'] as Float32Array, this.#fromDemos);
  }
}
