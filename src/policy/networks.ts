import { VernierError } from '#core/errors';
import type { PhiloxStream } from '#core/philox';
import {
  add,
  concat,
  constant,
  greaterEqual,
  maximum,
  min,
  minimum,
  mul,
  ParameterBlock,
  slice,
  sub,
  type Tensor,
  tanh,
  where,
} from '#nn/graph';
import { zeros } from '#nn/initializers';
import { type ApplyOptions, type Layer, mlp } from '#nn/layers';
import type { Normaliser } from '#policy/normaliser';

/** The networks that act and judge, as graphs. All take the task's units and normalise inside, so that an exported
 * graph needs no companion file. */

/** What a network is told about B situations.
 * @shape observation [B,O], phase [B,1], base [B,A] */
export interface Situation {
  readonly observation: Tensor;
  readonly phase: Tensor;
  readonly base: Tensor;
}

export interface NormalisedSituation {
  /** [B,O] */
  readonly observation: Tensor;
  /** [B,1] */
  readonly phase: Tensor;
  /** [B,A] */
  readonly base: Tensor;
}

export function normaliseObservation(x: Tensor, n: Normaliser): Tensor {
  return mul(sub(x, constant(n.observationMean)), constant(n.observationStd.map((s) => 1 / s)));
}

export function normaliseAction(x: Tensor, n: Normaliser): Tensor {
  return mul(sub(x, constant(n.actionCenter)), constant(n.actionHalf.map((h) => 1 / h)));
}

export function normaliseSituation(s: Situation, n: Normaliser): NormalisedSituation {
  return {
    observation: normaliseObservation(s.observation, n),
    phase: s.phase,
    base: normaliseAction(s.base, n),
  };
}

/** Clips a normalised action to the executable ones. */
export function clipAction(x: Tensor, n: Normaliser): Tensor {
  return maximum(minimum(x, constant(n.actionUpper)), constant(n.actionLower));
}

/** residual: scale * tanh on top of the base. gaussian: a whole action, squashed, with its own spread, deaf to the
 * base. choose: a whole action, taken where the critic rates it above the base's. */
export type ActorKind = 'residual' | 'gaussian' | 'choose';

export interface ActorSpec {
  readonly kind: ActorKind;
  readonly O: number;
  readonly A: number;
  readonly hidden: readonly number[];
  readonly layerNorm: boolean;
  /** Whether the base's chunk phase is an input. */
  readonly chunkPhase: boolean;
}

export interface Network {
  readonly block: ParameterBlock;
  readonly layer: Layer;
}

export interface ActorNetwork extends Network {
  readonly spec: ActorSpec;
}

/** LayerNorm-ReLU actor. The residual's last layer starts at exactly 0, so step 0 is the base. */
export function actorNetwork(spec: ActorSpec, rng: PhiloxStream): ActorNetwork {
  const { kind, O, A, hidden, layerNorm, chunkPhase } = spec;
  const block = new ParameterBlock('actor', { rng });
  const layer = mlp(block, 'actor', {
    in: kind === 'gaussian' ? O : O + A + (chunkPhase ? 1 : 0),
    hidden,
    out: kind === 'gaussian' ? 2 * A : A,
    layerNorm,
    ...(kind === 'residual' ? { lastWeight: zeros, lastBias: zeros } : {}),
  });
  return { spec, block, layer };
}

function actorOutput(actor: ActorNetwork, s: NormalisedSituation, how?: ApplyOptions): Tensor {
  const { kind, chunkPhase } = actor.spec;
  const seen = [s.observation, s.base, ...(chunkPhase ? [s.phase] : [])];
  return actor.layer.apply(kind === 'gaussian' ? s.observation : concat(seen, 1), how);
}

/** scale * tanh(network): the residual before clipping, normalised.
 * @shape result [B,A] */
export function residualOf(
  actor: ActorNetwork,
  s: NormalisedSituation,
  scale: Tensor,
  how?: ApplyOptions,
): Tensor {
  return mul(tanh(actorOutput(actor, s, how)), scale);
}

/** tanh(network): the whole action of a choosing actor, normalised. */
export function wholeAction(actor: ActorNetwork, s: NormalisedSituation, how?: ApplyOptions): Tensor {
  return tanh(actorOutput(actor, s, how));
}

/** Mean and log standard deviation before squashing.
 * @shape each [B,A] */
export function gaussianOf(actor: ActorNetwork, s: NormalisedSituation): { mean: Tensor; logStd: Tensor } {
  const out = actorOutput(actor, s);
  const A = out.shape[1]! / 2;
  const spread = tanh(slice(out, 1, A, 2 * A));
  return { mean: slice(out, 1, 0, A), logStd: add(mul(spread, 3.5), -1.5) };
}

export interface CriticSpec {
  readonly O: number;
  readonly A: number;
  readonly hidden: readonly number[];
  readonly heads: number;
  readonly layerNorm: boolean;
  /** Whether the critic sees the base's action and phase beside the executed action. */
  readonly seesBase: boolean;
}

export interface CriticNetwork extends Network {
  readonly spec: CriticSpec;
}

/** An ensemble of E LayerNorm-ReLU value networks of situation and executed action. */
export function criticNetwork(spec: CriticSpec, rng: PhiloxStream): CriticNetwork {
  const { O, A, hidden, heads, layerNorm, seesBase } = spec;
  const block = new ParameterBlock('critic', { rng, members: heads });
  const width = O + A + (seesBase ? A + 1 : 0);
  return { spec, block, layer: mlp(block, 'critic', { in: width, hidden, out: 1, layerNorm }) };
}

/** @shape action [B,A] normalised; result [E,B,1], or [k,B,1] with k members chosen */
export function criticValue(
  critic: CriticNetwork,
  s: NormalisedSituation,
  action: Tensor,
  how?: ApplyOptions,
): Tensor {
  const parts = [s.observation, action, ...(critic.spec.seesBase ? [s.base, s.phase] : [])];
  return critic.layer.apply(concat(parts, 1), how);
}

/** The trained part of a policy: an actor, and for a choosing one the critic that judges, with the block to use. */
export interface TrainedActor {
  readonly actor: ActorNetwork;
  readonly judge?: { readonly critic: CriticNetwork; readonly block: ParameterBlock };
}

/** What to add to the base's action, normalised, without exploration.
 * @shape scale [1]; result [B,A] */
export function greedyResidual(
  { actor, judge }: TrainedActor,
  s: NormalisedSituation,
  normaliser: Normaliser,
  scale: Tensor,
): Tensor {
  if (actor.spec.kind === 'residual') return residualOf(actor, s, scale);
  if (actor.spec.kind === 'gaussian') return mul(sub(tanh(gaussianOf(actor, s).mean), s.base), scale);
  if (!judge) throw new VernierError('STATE', 'a choosing actor needs its critic');
  const own = clipAction(wholeAction(actor, s), normaliser);
  const value = (action: Tensor): Tensor =>
    min(criticValue(judge.critic, s, action, { block: judge.block }), 0);
  return where(greaterEqual(value(s.base), value(own)), constant(0), mul(sub(own, s.base), scale));
}
