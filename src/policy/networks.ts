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
}

export interface Network {
  readonly block: ParameterBlock;
  readonly layer: Layer;
}

/** LayerNorm-ReLU actor. The residual's last layer starts at exactly 0, so step 0 is the base. */
export function actorNetwork(spec: ActorSpec, rng: PhiloxStream): Network {
  const { kind, O, A, hidden, layerNorm } = spec;
  const block = new ParameterBlock('actor', { rng });
  const layer = mlp(block, 'actor', {
    in: kind === 'gaussian' ? O : O + A + 1,
    hidden,
    out: kind === 'gaussian' ? 2 * A : A,
    layerNorm,
    ...(kind === 'residual' ? { lastWeight: zeros, lastBias: zeros } : {}),
  });
  return { block, layer };
}

function actorOutput(actor: Network, kind: ActorKind, s: NormalisedSituation, how?: ApplyOptions): Tensor {
  const x = kind === 'gaussian' ? s.observation : concat([s.observation, s.base, s.phase], 1);
  return actor.layer.apply(x, how);
}

/** scale * tanh(network): the residual before clipping, normalised.
 * @shape result [B,A] */
export function residualOf(
  actor: Network,
  s: NormalisedSituation,
  scale: Tensor,
  how?: ApplyOptions,
): Tensor {
  return mul(tanh(actorOutput(actor, 'residual', s, how)), scale);
}

/** tanh(network): the whole action of a choosing actor, normalised. */
export function wholeAction(actor: Network, s: NormalisedSituation, how?: ApplyOptions): Tensor {
  return tanh(actorOutput(actor, 'choose', s, how));
}

/** Mean and log standard deviation before squashing.
 * @shape each [B,A] */
export function gaussianOf(actor: Network, s: NormalisedSituation): { mean: Tensor; logStd: Tensor } {
  const out = actorOutput(actor, 'gaussian', s);
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

/** An ensemble of E LayerNorm-ReLU value networks of situation and executed action. */
export function criticNetwork(spec: CriticSpec, rng: PhiloxStream): Network {
  const { O, A, hidden, heads, layerNorm, seesBase } = spec;
  const block = new ParameterBlock('critic', { rng, members: heads });
  const width = O + A + (seesBase ? A + 1 : 0);
  return { block, layer: mlp(block, 'critic', { in: width, hidden, out: 1, layerNorm }) };
}

/** @shape action [B,A] normalised; result [E,B,1], or [k,B,1] with k members chosen */
export function valueOf(
  critic: Network,
  spec: CriticSpec,
  s: NormalisedSituation,
  action: Tensor,
  how?: ApplyOptions,
): Tensor {
  const parts = [s.observation, action, ...(spec.seesBase ? [s.base, s.phase] : [])];
  return critic.layer.apply(concat(parts, 1), how);
}

/** What to add to the base's action, normalised, without exploration.
 * @shape result [B,A] */
export function greedyResidual(
  kind: ActorKind,
  actor: Network,
  s: NormalisedSituation,
  normaliser: Normaliser,
  scale: Tensor,
  judge?: { readonly critic: Network; readonly spec: CriticSpec; readonly block: ParameterBlock },
): Tensor {
  if (kind === 'residual') return residualOf(actor, s, scale);
  if (kind === 'gaussian') return sub(tanh(gaussianOf(actor, s).mean), s.base);
  if (!judge) throw new TypeError('a choosing actor needs its critic');
  const own = clipAction(wholeAction(actor, s), normaliser);
  const value = (action: Tensor): Tensor =>
    min(valueOf(judge.critic, judge.spec, s, action, { block: judge.block }), 0);
  return where(greaterEqual(value(s.base), value(own)), constant(0), sub(own, s.base));
}
