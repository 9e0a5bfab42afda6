import * as nn from '#nn/graph';
import type { ResolvedControl } from '#spec/resolved';

type DynamicsSpec = NonNullable<ResolvedControl['dynamics']>;

/** The analytic dynamics as a graph, to differentiate through: the equations of native/physics/dynamics.h. */

/** Joint positions and velocities, in the order of the arm. @shape each [B,1] */
export interface GraphState {
  readonly q: readonly nn.Tensor[];
  readonly v: readonly nn.Tensor[];
}

export interface DynamicsModel {
  readonly spec: DynamicsSpec;
  /** Where each joint stops. */
  readonly ranges: readonly (readonly [number, number])[];
  /** Seconds of a substep, and substeps of a control step. */
  readonly dt: number;
  readonly substeps: number;
}

const gravity = 9.81;

/** The state after a control step. @shape action, each entry [B,1] in [-1,1] */
export function stepGraph(model: DynamicsModel, state: GraphState, action: readonly nn.Tensor[]): GraphState {
  const { spec } = model;
  let next = state;
  for (let k = 0; k < model.substeps; k++) {
    if (spec.kind === 'linear') next = linear(model, spec, next, action);
    else if (spec.kind === 'unicycle') next = unicycle(model, spec, next, action);
    else next = quadrotor(model, spec, next, action);
  }
  return next;
}

/** Moves a joint within its range; an end without bound is left out. */
function move({ ranges }: DynamicsModel, k: number, q: nn.Tensor, shift: nn.Tensor): nn.Tensor {
  const [low, high] = ranges[k]!;
  const free = nn.add(q, shift);
  return Number.isFinite(low) || Number.isFinite(high) ? nn.clamp(free, low, high) : free;
}

type Spec<Kind extends DynamicsSpec['kind']> = Extract<DynamicsSpec, { kind: Kind }>;

function linear(
  model: DynamicsModel,
  { speed }: Spec<'linear'>,
  { q }: GraphState,
  action: readonly nn.Tensor[],
): GraphState {
  const v = q.map((_, k) => nn.mul(action[k]!, speed[k]!));
  return { q: q.map((x, k) => move(model, k, x, nn.mul(v[k]!, model.dt))), v };
}

/** v is (vx, vy, turn rate). */
function unicycle(
  model: DynamicsModel,
  { turnRate, acceleration, speed }: Spec<'unicycle'>,
  { q, v }: GraphState,
  [turn, push]: readonly nn.Tensor[],
): GraphState {
  const { dt } = model;
  const [x, y, yaw] = q as readonly [nn.Tensor, nn.Tensor, nn.Tensor];
  const [cosine, sine] = [nn.cos(yaw), nn.sin(yaw)];
  const forward = nn.add(nn.mul(v[0]!, cosine), nn.mul(v[1]!, sine));
  const rate = nn.mul(turn!, turnRate);
  const heading = move(model, 2, yaw, nn.mul(rate, dt));
  const next = nn.clamp(nn.add(forward, nn.mul(push!, acceleration * dt)), ...speed);
  return {
    q: [
      move(model, 0, x, nn.mul(nn.mul(forward, cosine), dt)),
      move(model, 1, y, nn.mul(nn.mul(forward, sine), dt)),
      heading,
    ],
    v: [nn.mul(next, nn.cos(heading)), nn.mul(next, nn.sin(heading)), rate],
  };
}

/** q is (x, y, z, yaw, pitch, roll). A stop at the end of a range does not take the speed, as the kernel does. */
function quadrotor(
  model: DynamicsModel,
  { tilt, yawRate, thrust, response, drag }: Spec<'quadrotor'>,
  { q, v }: GraphState,
  action: readonly nn.Tensor[],
): GraphState {
  const { dt } = model;
  const decay = Math.exp(-dt / response);
  const follow = (angle: nn.Tensor, wanted: nn.Tensor): nn.Tensor =>
    nn.add(nn.mul(angle, decay), nn.mul(wanted, (1 - decay) * tilt));
  const pitch = follow(q[4]!, action[1]!);
  const roll = follow(q[5]!, action[0]!);
  const turn = nn.mul(action[2]!, yawRate);
  const yaw = move(model, 3, q[3]!, nn.mul(turn, dt));
  const [cy, sy, cp, sp] = [nn.cos(yaw), nn.sin(yaw), nn.cos(pitch), nn.sin(pitch)];
  const [cr, sr] = [nn.cos(roll), nn.sin(roll)];
  const level = nn.mul(sp, cr);
  const up = [
    nn.add(nn.mul(cy, level), nn.mul(sy, sr)),
    nn.sub(nn.mul(sy, level), nn.mul(cy, sr)),
    nn.mul(cp, cr),
  ];
  const lift = nn.mul(nn.add(nn.mul(action[3]!, thrust), 1), gravity);
  const speed = up.map((axis, k) => {
    const force = k === 2 ? nn.sub(nn.mul(axis, lift), gravity) : nn.mul(axis, lift);
    return nn.add(nn.mul(v[k]!, 1 - drag * dt), nn.mul(force, dt));
  });
  const rates = [pitch, roll].map((angle, i) =>
    nn.mul(nn.sub(nn.mul(action[1 - i]!, tilt), angle), 1 / response),
  );
  return {
    q: [...speed.map((velocity, k) => move(model, k, q[k]!, nn.mul(velocity, dt))), yaw, pitch, roll],
    v: [...speed, turn, ...rates],
  };
}
