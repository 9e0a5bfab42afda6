import { callFunction } from '#expr/functions';
import { constantValues, type Ref, slice } from '#expr/graph';
import { allNames, findEntity } from '#expr/model';
import type { Comparison, Node } from '#expr/parse';
import { opcode } from '#expr/program';
import type { Checking, Scope } from '#expr/scope';
import { type ExpressionSource, expressionError, nearestHint } from '#expr/source';
import {
  divideUnits,
  formatUnit,
  metre,
  multiplyUnits,
  powerUnit,
  second,
  type Unit,
  unify,
} from '#expr/unit';
import { describe, type Entity, isNumber, type NumberValue, type Value } from '#expr/values';

/** Type and unit checking of one expression, straight into the graph. */

export const reservedNames = [
  'ee',
  'arm',
  'gripper',
  'time',
  'step',
  'action',
  'pi',
  'true',
  'false',
] as const;

const arithmetic: Readonly<Record<'+' | '-' | '*' | '/', number>> = {
  '+': opcode.add,
  '-': opcode.subtract,
  '*': opcode.multiply,
  '/': opcode.divide,
};

export class Checker implements Checking {
  readonly scope: Scope;
  readonly source: ExpressionSource;

  constructor(scope: Scope, source: ExpressionSource) {
    this.scope = scope;
    this.source = source;
  }

  check(node: Node): Value {
    const { graph } = this.scope;
    switch (node.kind) {
      case 'number':
        return { kind: 'scalar', ref: graph.constant([node.value]), unit: node.unit };
      case 'name':
        return this.#name(node);
      case 'member':
        return this.#member(node);
      case 'index':
        return this.#index(node);
      case 'call':
        return callFunction(this, node);
      case 'vector':
        return this.#vector(node);
      case 'unary':
        return this.#unary(node);
      case 'binary':
        return this.#binary(node);
      case 'comparison':
        return this.#comparison(node);
      default:
        throw node satisfies never;
    }
  }

  fail(node: { readonly start: number }, message: string): never {
    throw expressionError(this.source, node.start, message);
  }

  number(node: Node, what = 'a number or a vector'): NumberValue {
    return this.asNumber(this.check(node), node, what);
  }

  asNumber(value: Value, node: Node, what = 'a number or a vector'): NumberValue {
    if (isNumber(value)) return value;
    const member =
      value.kind === 'entity' ? [...this.scope.reads.entityMembers(value.entity).keys()][0] : undefined;
    const hint = member && value.kind === 'entity' ? `; write ${value.entity.name}.${member}` : '';
    return this.fail(node, `expected ${what}, received ${describe(value)}${hint}`);
  }

  scalar(node: Node, what = 'a number'): Extract<Value, { kind: 'scalar' }> {
    const value = this.number(node, what);
    return value.kind === 'scalar' ? value : this.fail(node, `expected ${what}, received ${describe(value)}`);
  }

  condition(node: Node): Ref {
    const value = this.check(node);
    if (value.kind === 'boolean') return value.ref;
    return this.fail(node, `expected a condition (true or false), received ${describe(value)}`);
  }

  entity(node: Node, what: string): Entity {
    const value = this.check(node);
    return value.kind === 'entity'
      ? value.entity
      : this.fail(node, `expected ${what}, received ${describe(value)}`);
  }

  modelName(node: Node, kinds: readonly (keyof Entity)[], what: string): Entity {
    if (node.kind !== 'name') return this.fail(node, `expected ${what}`);
    const found = findEntity(this.scope.names, node.name);
    if (found && kinds.some((kind) => found[kind] !== undefined)) return found;
    const candidates = kinds
      .flatMap((kind) => (kind === 'name' ? [] : this.scope.names[kind]))
      .filter((n) => n !== '');
    return this.fail(
      node,
      `unknown name "${node.name}", expected ${what}${nearestHint(node.name, candidates)}`,
    );
  }

  commonUnit(a: NumberValue, b: NumberValue, place: { readonly start: number }, doing: string): Unit {
    const unit = unify(a.unit, b.unit);
    if (unit !== undefined) return unit;
    return this.fail(
      place,
      `cannot ${doing} ${formatUnit(a.unit)} and ${formatUnit(b.unit)}: expected the same unit`,
    );
  }

  commonLength(
    values: readonly NumberValue[],
    place: { readonly start: number },
    broadcast: boolean,
  ): number {
    const vectors = values.filter((value) => value.kind === 'vector');
    const first = vectors[0];
    if (!first) return 1;
    const odd =
      vectors.find((vector) => vector.ref.length !== first.ref.length) ??
      (broadcast ? undefined : values.find((value) => value.kind === 'scalar'));
    if (!odd) return first.ref.length;
    return this.fail(
      place,
      `expected vectors of one length, received ${describe(first)} and ${describe(odd)}`,
    );
  }

  elementwise(op: number, values: readonly NumberValue[], length: number, unit: Unit): NumberValue {
    const ref = this.scope.graph.operation(
      op,
      length,
      values.map((value) => value.ref),
    );
    return { kind: values.some((value) => value.kind === 'vector') ? 'vector' : 'scalar', ref, unit };
  }

  #name(node: Extract<Node, { kind: 'name' }>): Value {
    const { names } = this.scope;
    if (!node.quoted) {
      const reserved = this.#reserved(node);
      if (reserved) return reserved;
      const signal = this.scope.signal(node.name, this.source, node.start);
      if (signal) return signal;
    }
    const entity = findEntity(names, node.name);
    if (entity) return this.#entityValue(entity);
    const candidates = [...this.scope.signalNames(), ...reservedNames, ...allNames(names)];
    return this.fail(
      node,
      `unknown name "${node.name}", expected a signal, a name of the model or one of ${reservedNames.join(', ')}${nearestHint(node.name, candidates)}`,
    );
  }

  #entityValue(entity: Entity): Value {
    const onlySensor = Object.keys(entity).length === 2 && entity.sensor !== undefined;
    return onlySensor ? this.scope.reads.sensor(entity.sensor!) : { kind: 'entity', entity };
  }

  #reserved(node: Extract<Node, { kind: 'name' }>): Value | undefined {
    const { graph, reads } = this.scope;
    switch (node.name) {
      case 'ee':
        if (this.scope.endEffector) return { kind: 'entity', entity: this.scope.endEffector };
        return this.fail(node, '`ee` is not known: expected `end_effector` in the robot file');
      case 'arm':
        return { kind: 'arm' };
      case 'gripper':
        if (this.scope.hasGripper) return { kind: 'gripper' };
        return this.fail(node, '`gripper` is not known: expected `gripper` in the robot file');
      case 'time':
        return { kind: 'scalar', ref: graph.read(opcode.time, 1, []), unit: second };
      case 'step':
        return { kind: 'scalar', ref: graph.read(opcode.step, 1, []), unit: 'bare' };
      case 'action':
        return reads.action();
      case 'pi':
        return { kind: 'scalar', ref: graph.constant([Math.PI]), unit: 'bare' };
      case 'true':
      case 'false':
        return { kind: 'boolean', ref: graph.constant([node.name === 'true' ? 1 : 0]) };
      default:
        return undefined;
    }
  }

  #member(node: Extract<Node, { kind: 'member' }>): Value {
    // Recorded signals bear names with dots: `ee.position`.
    const dotted = dottedName(node);
    const recorded = dotted === undefined ? undefined : findEntity(this.scope.names, dotted);
    if (recorded) return this.#entityValue(recorded);
    const object = this.check(node.object);
    const members = this.#members(object);
    const member = members.get(node.member);
    if (member) return member();
    const known = [...members.keys()];
    const expected = known.length > 0 ? `, expected one of ${known.join(', ')}` : ', it has none';
    return this.fail(
      { start: node.memberStart },
      `${describe(object)} has no member "${node.member}"${expected}${nearestHint(node.member, known)}`,
    );
  }

  #members(object: Value): ReadonlyMap<string, () => Value> {
    switch (object.kind) {
      case 'vector':
        return components(object.ref, object.unit, ['x', 'y', 'z', 'w']);
      case 'quaternion': {
        const members = components(object.ref, 'bare', ['w', 'x', 'y', 'z']);
        return new Map([...members, ['yaw', () => this.scope.reads.yaw(object.ref)]]);
      }
      case 'pose':
        return new Map<string, () => Value>([
          ['position', () => ({ kind: 'vector', ref: object.position, unit: metre })],
          ['quaternion', () => ({ kind: 'quaternion', ref: object.quaternion })],
          ['yaw', () => this.scope.reads.yaw(object.quaternion)],
        ]);
      case 'entity':
        return this.scope.reads.entityMembers(object.entity);
      case 'arm':
        return this.scope.reads.armMembers();
      case 'gripper':
        return this.scope.reads.gripperMembers();
      case 'boolean':
      case 'scalar':
        return new Map();
      default:
        throw object satisfies never;
    }
  }

  #index(node: Extract<Node, { kind: 'index' }>): Value {
    const object = this.number(node.object, 'a vector');
    if (object.kind === 'scalar') return this.fail(node, `expected a vector, received ${describe(object)}`);
    const [index] = constantValues(this.scalar(node.index).ref);
    const last = object.ref.length - 1;
    if (index === undefined || !Number.isInteger(index) || index < 0 || index > last) {
      const received = index === undefined ? 'an expression' : String(index);
      return this.fail(node.index, `expected a whole number from 0 to ${last}, received ${received}`);
    }
    return { kind: 'scalar', ref: slice(object.ref, index, 1), unit: object.unit };
  }

  #vector(node: Extract<Node, { kind: 'vector' }>): Value {
    if (node.items.length === 0) return this.fail(node, 'expected at least one entry in a vector');
    const items = node.items.map((item) => this.scalar(item));
    let common = items[0]!;
    for (const [i, item] of items.entries()) {
      common = { ...common, unit: this.commonUnit(common, item, node.items[i]!, 'put in one vector') };
    }
    const ref = this.scope.graph.pack(items.map((item) => item.ref));
    return { kind: 'vector', ref, unit: common.unit };
  }

  #unary(node: Extract<Node, { kind: 'unary' }>): Value {
    if (node.operator === 'not') {
      return {
        kind: 'boolean',
        ref: this.scope.graph.operation(opcode.not, 1, [this.condition(node.operand)]),
      };
    }
    const operand = this.number(node.operand);
    return this.elementwise(opcode.negate, [operand], operand.ref.length, operand.unit);
  }

  #binary(node: Extract<Node, { kind: 'binary' }>): Value {
    const { graph } = this.scope;
    switch (node.operator) {
      case 'and':
      case 'or': {
        const op = node.operator === 'and' ? opcode.and : opcode.or;
        const ref = graph.operation(op, 1, [this.condition(node.left), this.condition(node.right)]);
        return { kind: 'boolean', ref };
      }
      case '^':
        return this.power(node.left, node.right);
      case '+':
      case '-':
        return this.#sum(node, node.operator);
      case '*':
      case '/':
        return this.#product(node, node.operator);
      default:
        throw node.operator satisfies never;
    }
  }

  #sum(node: Extract<Node, { kind: 'binary' }>, operator: '+' | '-'): Value {
    const [left, right] = [this.number(node.left), this.number(node.right)];
    const place = { start: node.operatorStart };
    const length = this.commonLength([left, right], place, false);
    const unit = this.commonUnit(left, right, place, operator === '+' ? 'add' : 'subtract');
    return this.elementwise(arithmetic[operator], [left, right], length, unit);
  }

  #product(node: Extract<Node, { kind: 'binary' }>, operator: '*' | '/'): Value {
    const [a, b] = [this.check(node.left), this.check(node.right)];
    if (operator === '*' && a.kind === 'quaternion' && b.kind === 'quaternion') {
      return {
        kind: 'quaternion',
        ref: this.scope.graph.operation(opcode.quaternionMultiply, 4, [a.ref, b.ref]),
      };
    }
    const [left, right] = [this.asNumber(a, node.left), this.asNumber(b, node.right)];
    const length = this.commonLength([left, right], { start: node.operatorStart }, true);
    const unit = (operator === '*' ? multiplyUnits : divideUnits)(left.unit, right.unit);
    return this.elementwise(arithmetic[operator], [left, right], length, unit);
  }

  power(left: Node, right: Node): NumberValue {
    const base = this.number(left);
    const exponent = this.scalar(right, 'an exponent without unit');
    const [value] = constantValues(exponent.ref);
    if (value === undefined && typeof base.unit !== 'string') {
      return this.fail(right, `expected a constant exponent, since the base is ${describe(base)}`);
    }
    if (exponent.unit !== 'bare' && unify(exponent.unit, divideUnits(metre, metre)) === undefined) {
      return this.fail(right, `expected an exponent without unit, received ${describe(exponent)}`);
    }
    const unit = value === undefined ? base.unit : powerUnit(base.unit, value);
    return this.elementwise(opcode.power, [base, exponent], base.ref.length, unit);
  }

  #comparison(node: Extract<Node, { kind: 'comparison' }>): Value {
    const values = node.operands.map((operand) => this.check(operand));
    const pairs = node.operators.map(({ operator, start }, i) =>
      this.#compare(
        operator,
        start,
        [values[i]!, node.operands[i]!],
        [values[i + 1]!, node.operands[i + 1]!],
      ),
    );
    const ref = pairs.reduce((all, pair) => this.scope.graph.operation(opcode.and, 1, [all, pair]));
    return { kind: 'boolean', ref };
  }

  #compare(operator: Comparison, start: number, [a, left]: [Value, Node], [b, right]: [Value, Node]): Ref {
    const equality = operator === '==' || operator === '!=';
    if (!(equality && a.kind === 'boolean' && b.kind === 'boolean')) {
      for (const [value, node] of [[a, left] as const, [b, right] as const]) {
        const number = this.asNumber(value, node, 'a number');
        if (number.kind === 'vector') {
          return this.fail(
            node,
            `expected a number to compare, received ${describe(value)}; take a component or norm()`,
          );
        }
      }
      this.commonUnit(a as NumberValue, b as NumberValue, { start }, 'compare');
    }
    const refs = [a, b].map((value) => (value as Extract<Value, { ref: Ref }>).ref);
    const swapped = operator === '>' || operator === '>=';
    return this.scope.graph.operation(comparisonCodes[operator], 1, swapped ? refs.reverse() : refs);
  }
}

/** `a.b.c` where nothing but names stands in it. */
function dottedName(node: Node): string | undefined {
  if (node.kind === 'name') return node.quoted ? undefined : node.name;
  if (node.kind !== 'member') return undefined;
  const object = dottedName(node.object);
  return object === undefined ? undefined : `${object}.${node.member}`;
}

/** a > b runs as b < a. */
const comparisonCodes: Readonly<Record<Comparison, number>> = {
  '<': opcode.less,
  '>': opcode.less,
  '<=': opcode.lessEqual,
  '>=': opcode.lessEqual,
  '==': opcode.equal,
  '!=': opcode.notEqual,
};

function components(ref: Ref, unit: Unit, labels: readonly string[]): Map<string, () => Value> {
  return new Map(
    labels
      .slice(0, ref.length)
      .map((label, i) => [label, () => ({ kind: 'scalar', ref: slice(ref, i, 1), unit })]),
  );
}
