import type { Ref } from '#expr/graph';
import { type Frame, frameOf } from '#expr/model';
import type { Node } from '#expr/parse';
import { frameKind, opcode } from '#expr/program';
import type { Checking } from '#expr/scope';
import { nearestHint } from '#expr/source';
import { isPlain, metre, multiplyUnits, newton, one, powerUnit, radian, type Unit } from '#expr/unit';
import {
  describe,
  type Entity,
  type EntityKind,
  entityKinds,
  isNumber,
  type NumberValue,
  type Value,
} from '#expr/values';

type Call = Extract<Node, { readonly kind: 'call' }>;

interface FunctionRule {
  /** As in the reference and in messages: `clamp(x, low, high)`. */
  readonly signature: string;
  readonly summary: string;
  readonly least: number;
  readonly most: number;
  check(checker: Checking, parameters: readonly Node[], call: Call): Value;
}

function rule(
  signature: string,
  summary: string,
  count: number | readonly [number, number],
  check: FunctionRule['check'],
): FunctionRule {
  const [least, most] = typeof count === 'number' ? [count, count] : count;
  return { signature, summary, least, most, check };
}

/** Functions of the language, by name. docs/expressions.md lists them; a test compares. */
export const functions: ReadonlyMap<string, FunctionRule> = new Map<string, FunctionRule>([
  [
    'abs',
    rule('abs(x)', 'absolute value, element by element', 1, (c, [x]) => {
      const value = c.number(x!);
      return c.elementwise(opcode.abs, [value], value.ref.length, value.unit);
    }),
  ],
  [
    'sqrt',
    rule('sqrt(x)', 'square root; the unit too', 1, (c, [x]) => {
      const value = c.number(x!);
      return c.elementwise(opcode.sqrt, [value], value.ref.length, powerUnit(value.unit, 0.5));
    }),
  ],
  ['sin', plain('sin', opcode.sin, 'sine of an angle')],
  ['cos', plain('cos', opcode.cos, 'cosine of an angle')],
  ['exp', plain('exp', opcode.exp, 'exponential of a number without unit')],
  ['ln', plain('ln', opcode.log, 'natural logarithm of a number without unit')],
  [
    'log',
    rule(
      'log(x, base)',
      'logarithm of a number without unit; without a base the natural one',
      [1, 2],
      (c, [x, base]) => {
        const value = withoutUnit(c, 'log', c.number(x!), x!);
        const logarithm = c.elementwise(opcode.log, [value], value.ref.length, value.unit);
        if (!base) return logarithm;
        const below = withoutUnit(c, 'log', c.scalar(base), base);
        const divisor = c.elementwise(opcode.log, [below], 1, 'bare');
        return c.elementwise(opcode.divide, [logarithm, divisor], value.ref.length, value.unit);
      },
    ),
  ],
  ['pow', rule('pow(x, y)', 'x ^ y', 2, (c, [x, y]) => c.power(x!, y!))],
  ['tanh', plain('tanh', opcode.tanh, 'hyperbolic tangent of a number without unit')],
  [
    'atan2',
    rule('atan2(y, x)', 'angle of the vector (x, y), rad', 2, (c, [y, x], call) => {
      const [a, b] = [c.scalar(y!), c.scalar(x!)];
      c.commonUnit(a, b, call, 'take the angle of');
      return c.elementwise(opcode.atan2, [a, b], 1, radian);
    }),
  ],
  [
    'min',
    rule('min(a, b, ...)', 'least of two or more, element by element', [2, 16], (c, p, call) =>
      extremum(c, p, call, opcode.min),
    ),
  ],
  [
    'max',
    rule('max(a, b, ...)', 'greatest of two or more, element by element', [2, 16], (c, p, call) =>
      extremum(c, p, call, opcode.max),
    ),
  ],
  [
    'clamp',
    rule('clamp(x, low, high)', 'x limited to [low, high], element by element', 3, (c, p, call) => {
      const values = p.map((node) => c.number(node));
      const unit = commonUnit(c, values, p, 'clamp');
      return c.elementwise(opcode.clamp, values, c.commonLength(values, call, true), unit);
    }),
  ],
  ['if', rule('if(condition, a, b)', 'a where the condition holds, else b', 3, choose)],
  [
    'norm',
    rule('norm(v)', 'Euclidean length', 1, (c, [v]) => {
      const value = vector(c, v!);
      return {
        kind: 'scalar',
        ref: c.scope.graph.operation(opcode.norm, value.ref.length, [value.ref]),
        unit: value.unit,
      };
    }),
  ],
  [
    'dot',
    rule('dot(a, b)', 'scalar product', 2, (c, [a, b], call) => {
      const [x, y] = [vector(c, a!), vector(c, b!)];
      const length = c.commonLength([x, y], call, false);
      const ref = c.scope.graph.operation(opcode.dot, length, [x.ref, y.ref]);
      return { kind: 'scalar', ref, unit: multiplyUnits(x.unit, y.unit) };
    }),
  ],
  [
    'cross',
    rule('cross(a, b)', 'vector product of 3-vectors', 2, (c, [a, b]) => {
      const [x, y] = [vector(c, a!, 3), vector(c, b!, 3)];
      const ref = c.scope.graph.operation(opcode.cross, 3, [x.ref, y.ref]);
      return { kind: 'vector', ref, unit: multiplyUnits(x.unit, y.unit) };
    }),
  ],
  [
    'distance',
    rule('distance(a, b)', 'between two positions, or things that have one', 2, (c, [a, b], call) => {
      const [x, y] = [position(c, a!), position(c, b!)];
      const unit = c.commonUnit(x, y, call, 'take the distance of');
      const length = c.commonLength([x, y], call, false);
      const difference = c.scope.graph.operation(opcode.subtract, length, [x.ref, y.ref]);
      return { kind: 'scalar', ref: c.scope.graph.operation(opcode.norm, length, [difference]), unit };
    }),
  ],
  [
    'angle',
    rule('angle(a, b)', 'rad: between 3-vectors, or of the rotation between two orientations', 2, angle),
  ],
  ['relative', rule('relative(a, b)', 'pose of b seen from a', 2, relative)],
  [
    'rotate',
    rule('rotate(q, v)', '3-vector v turned by the quaternion q', 2, (c, [q, v]) => {
      const [turn, value] = [orientation(c, q!), vector(c, v!, 3)];
      return {
        kind: 'vector',
        ref: c.scope.graph.operation(opcode.rotate, 3, [turn, value.ref]),
        unit: value.unit,
      };
    }),
  ],
  [
    'inverse',
    rule('inverse(q)', 'the opposite rotation', 1, (c, [q]) => ({
      kind: 'quaternion',
      ref: c.scope.graph.operation(opcode.quaternionConjugate, 4, [orientation(c, q!)]),
    })),
  ],
  [
    'yaw',
    rule('yaw(q)', 'rotation about the vertical, rad in (-pi, pi]', 1, (c, [q]) =>
      c.scope.reads.yaw(orientation(c, q!)),
    ),
  ],
  [
    'contact',
    rule('contact(a, b)', 'true while they touch; contact(a): while a touches anything', [1, 2], (c, p) => ({
      kind: 'boolean',
      ref: c.scope.graph.read(opcode.contact, 1, contactSides(c, p)),
    })),
  ],
  [
    'force',
    rule('force(a, b)', 'sum of the normal contact forces, N; force(a): from anything', [1, 2], (c, p) => ({
      kind: 'scalar',
      ref: c.scope.graph.read(opcode.contactForce, 1, contactSides(c, p)),
      unit: newton,
    })),
  ],
  ...entityKinds.map((kind) => [kind, qualifier(kind)] as const),
]);

export const functionNames: readonly string[] = [...functions.keys()];

export function callFunction(checker: Checking, call: Call): Value {
  const found = functions.get(call.name);
  if (!found) {
    return checker.fail(call, `unknown function "${call.name}"${nearestHint(call.name, functionNames)}`);
  }
  const count = call.parameters.length;
  if (count < found.least || count > found.most) {
    const expected = found.least === found.most ? `${found.least}` : `${found.least} to ${found.most}`;
    return checker.fail(call, `${found.signature}: expected ${expected} arguments, received ${count}`);
  }
  return found.check(checker, call.parameters, call);
}

function plain(name: string, op: number, summary: string): FunctionRule {
  return rule(`${name}(x)`, summary, 1, (c, [x]) => {
    const value = withoutUnit(c, name, c.number(x!), x!);
    return c.elementwise(op, [value], value.ref.length, value.unit);
  });
}

function withoutUnit(c: Checking, name: string, value: NumberValue, node: Node): NumberValue {
  if (!isPlain(value.unit)) {
    c.fail(
      node,
      `${name}() expected a number without unit, received ${describe(value)}; divide by a scale such as 0.1 m`,
    );
  }
  return { ...value, unit: value.unit === 'bare' ? 'bare' : one };
}

function qualifier(kind: EntityKind): FunctionRule {
  return rule(`${kind}(name)`, `the ${kind} of that name, where several kinds share it`, 1, (c, [name]) => {
    const entity = c.modelName(name!, [kind], `the name of a ${kind}`);
    return { kind: 'entity', entity: { name: entity.name, [kind]: entity[kind]! } };
  });
}

function commonUnit(
  c: Checking,
  values: readonly NumberValue[],
  nodes: readonly Node[],
  doing: string,
): Unit {
  let common = values[0]!;
  for (const [i, value] of values.entries()) {
    common = { ...common, unit: c.commonUnit(common, value, nodes[i]!, doing) };
  }
  return common.unit;
}

function extremum(c: Checking, parameters: readonly Node[], call: Call, op: number): Value {
  const values = parameters.map((node) => c.number(node));
  const unit = commonUnit(c, values, parameters, 'compare');
  c.commonLength(values, call, true);
  return values.reduce((best, value) =>
    c.elementwise(op, [best, value], Math.max(best.ref.length, value.ref.length), unit),
  );
}

function choose(c: Checking, [condition, yes, no]: readonly Node[], call: Call): Value {
  const test = c.condition(condition!);
  const [a, b] = [c.check(yes!), c.check(no!)];
  const select = (x: Ref, y: Ref) => c.scope.graph.operation(opcode.select, x.length, [test, x, y]);
  if (isNumber(a) && isNumber(b)) {
    const unit = c.commonUnit(a, b, call, 'choose between');
    c.commonLength([a, b], call, false);
    return { kind: a.kind, ref: select(a.ref, b.ref), unit };
  }
  if (a.kind === 'boolean' && b.kind === 'boolean') return { kind: 'boolean', ref: select(a.ref, b.ref) };
  if (a.kind === 'quaternion' && b.kind === 'quaternion')
    return { kind: 'quaternion', ref: select(a.ref, b.ref) };
  return c.fail(no!, `if(): expected both choices of one type, received ${describe(a)} and ${describe(b)}`);
}

function vector(c: Checking, node: Node, length?: number): NumberValue {
  const what = length === undefined ? 'a vector' : `a ${length}-vector`;
  const value = c.number(node, what);
  if (value.kind === 'vector' && (length === undefined || value.ref.length === length)) return value;
  return c.fail(node, `expected ${what}, received ${describe(value)}`);
}

function frameOfValue(c: Checking, value: Value): Frame | undefined {
  return value.kind === 'entity' ? frameOf(c.scope.names, value.entity) : undefined;
}

/** A position: a 3-vector, a pose, or anything with a frame. */
function position(c: Checking, node: Node): NumberValue {
  const value = c.check(node);
  const frame = frameOfValue(c, value);
  if (frame) return { kind: 'vector', ref: c.scope.reads.framePosition(frame), unit: metre };
  if (value.kind === 'pose') return { kind: 'vector', ref: value.position, unit: metre };
  if (isNumber(value) && value.kind === 'vector') return value;
  return c.fail(node, `expected a position, received ${describe(value)}`);
}

/** A rotation: a quaternion (four numbers, w first), a pose, or anything with a frame. */
function orientation(c: Checking, node: Node): Ref {
  const ref = asOrientation(c, c.check(node));
  return ref ?? c.fail(node, `expected a quaternion, received ${describe(c.check(node))}`);
}

export function asOrientation(c: Checking, value: Value): Ref | undefined {
  const frame = frameOfValue(c, value);
  if (frame) return c.scope.reads.frameQuaternion(frame);
  if (value.kind === 'pose' || value.kind === 'quaternion')
    return value.kind === 'pose' ? value.quaternion : value.ref;
  return value.kind === 'vector' && value.ref.length === 4 && isPlain(value.unit) ? value.ref : undefined;
}

function angle(c: Checking, [a, b]: readonly Node[]): Value {
  const [x, y] = [c.check(a!), c.check(b!)];
  const three = (value: Value) => value.kind === 'vector' && value.ref.length === 3;
  const op = three(x) && three(y) ? opcode.vectorAngle : opcode.quaternionAngle;
  const refs =
    op === opcode.vectorAngle
      ? [x, y].map((value) => (value as NumberValue).ref)
      : [orientation(c, a!), orientation(c, b!)];
  return { kind: 'scalar', ref: c.scope.graph.operation(op, 1, refs), unit: radian };
}

function relative(c: Checking, [a, b]: readonly Node[]): Value {
  const { graph } = c.scope;
  const [from, to] = [a!, b!].map((node) => {
    const value = c.check(node);
    const frame = frameOfValue(c, value);
    if (frame)
      return {
        position: c.scope.reads.framePosition(frame),
        quaternion: c.scope.reads.frameQuaternion(frame),
      };
    return value.kind === 'pose'
      ? value
      : c.fail(node, `expected a pose or a thing that has one, received ${describe(value)}`);
  }) as [{ position: Ref; quaternion: Ref }, { position: Ref; quaternion: Ref }];
  const back = graph.operation(opcode.quaternionConjugate, 4, [from.quaternion]);
  const offset = graph.operation(opcode.subtract, 3, [to.position, from.position]);
  return {
    kind: 'pose',
    position: graph.operation(opcode.rotate, 3, [back, offset]),
    quaternion: graph.operation(opcode.quaternionMultiply, 4, [back, to.quaternion]),
  };
}

/** Both sides as (kind, id, kind, id); -1 stands for anything. */
function contactSides(c: Checking, parameters: readonly Node[]): number[] {
  const sides = parameters.flatMap((node) => contactSide(c, node));
  return sides.length === 2 ? [...sides, -1, 0] : sides;
}

function contactSide(c: Checking, node: Node): readonly [number, number] {
  const entity: Entity = c.entity(node, 'a body or a geom');
  if (entity.body !== undefined) return [frameKind.body, entity.body];
  if (entity.geom !== undefined) return [frameKind.geom, entity.geom];
  return c.fail(node, `expected a body or a geom, received ${describe({ kind: 'entity', entity })}`);
}
