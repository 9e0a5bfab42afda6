import type { ModelNames } from '#core/model';
import { Checker, reservedNames } from '#expr/check';
import { asOrientation, functionNames } from '#expr/functions';
import { Graph, generateCode, type Ref } from '#expr/graph';
import { findEntity, ModelReads, modelSizes, type RobotNames } from '#expr/model';
import { parseExpression } from '#expr/parse';
import { type GroupName, type NamedSlot, opcode, type Program, type Slot } from '#expr/program';
import type { Scope } from '#expr/scope';
import { type ExpressionSource, expressionError } from '#expr/source';
import { formatUnit, one, type Unit, unify } from '#expr/unit';
import { describe, describeEntity, isNumber, refsOf, unitOf, type Value } from '#expr/values';

/** Compiles the expressions of one task to one program: signals by name, then outputs group by group. */

const groupOrder = [
  'signals',
  'observation',
  'reward',
  'success',
  'failure',
  'expert',
  'monitor',
] as const satisfies GroupName[];

interface SignalDefinition {
  readonly source: ExpressionSource;
  value: Value | undefined;
}

export class ExpressionCompiler {
  readonly #names: ModelNames;
  readonly #graph = new Graph();
  readonly #scope: Scope;
  readonly #signals = new Map<string, SignalDefinition>();
  /** Names of the signals being worked out, outermost first. */
  readonly #pending: string[] = [];
  readonly #outputs = new Map<GroupName, Ref[]>(groupOrder.map((group) => [group, []]));
  readonly #named = new Map<GroupName, NamedSlot[]>(groupOrder.map((group) => [group, []]));

  constructor(names: ModelNames, robot: RobotNames) {
    this.#names = names;
    const { endEffector } = robot;
    this.#scope = {
      graph: this.#graph,
      names,
      reads: new ModelReads(names, robot, this.#graph),
      endEffector:
        endEffector === undefined ? undefined : { name: names.site[endEffector] || 'ee', site: endEffector },
      hasGripper: robot.gripper !== undefined,
      signalNames: () => [...this.#signals.keys()],
      signal: (name, source, offset) => this.#signal(name, source, offset),
    };
  }

  /** Makes `name` usable in every expression, whichever is compiled first.
   * @throws EXPRESSION when the name cannot be used; `place` is where it is written */
  defineSignal(name: string, source: ExpressionSource, place: ExpressionSource = source): void {
    const refuse = (why: string): never => {
      throw expressionError(place, 0, `a signal cannot be called "${name}": ${why}`);
    };
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
      refuse('expected letters, digits and _, not starting with a digit');
    if ((reservedNames as readonly string[]).includes(name) || ['and', 'or', 'not'].includes(name)) {
      refuse('the word is reserved');
    }
    if (functionNames.includes(name)) refuse('it is the name of a function');
    if (this.#signals.has(name)) refuse('there is one of that name already');
    const entity = findEntity(this.#names, name);
    if (entity) refuse(`the model has ${describeEntity(entity)}`);
    this.#signals.set(name, { source, value: undefined });
  }

  /** Any value. */
  value(source: ExpressionSource): Value {
    return new Checker(this.#scope, source).check(parseExpression(source));
  }

  condition(source: ExpressionSource): Value {
    const value = this.value(source);
    if (value.kind === 'boolean') return value;
    throw expressionError(source, 0, `expected a condition (true or false), received ${describe(value)}`);
  }

  /** A vector of `length` numbers (a scalar where length is undefined) in `unit`. */
  number(source: ExpressionSource, length: number | undefined, unit: Unit): Value {
    const value = this.value(source);
    const fits =
      isNumber(value) &&
      (length === undefined
        ? value.kind === 'scalar'
        : value.kind === 'vector' && value.ref.length === length) &&
      unify(value.unit, unit) !== undefined;
    if (fits) return value;
    const shape = length === undefined ? 'a number' : `a ${length}-vector`;
    const inUnit = unit === 'unknown' ? '' : ` in ${formatUnit(unit)}`;
    const hint =
      value.kind === 'entity' && this.#scope.reads.entityMembers(value.entity).has('position')
        ? `; write ${value.entity.name}.position`
        : '';
    throw expressionError(source, 0, `expected ${shape}${inUnit}, received ${describe(value)}${hint}`);
  }

  orientation(source: ExpressionSource): Value {
    const value = this.value(source);
    const ref = asOrientation(new Checker(this.#scope, source), value);
    if (ref) return { kind: 'quaternion', ref };
    throw expressionError(source, 0, `expected a quaternion, received ${describe(value)}`);
  }

  /** How a body stands in the world, by its id. */
  bodyOrientation(body: number): Value {
    const name = this.#names.body[body] || 'body';
    return this.#scope.reads.entityMembers({ name, body }).get('quaternion')!();
  }

  /** A term of a reward: a number of any unit, or a condition that counts 1. */
  term(source: ExpressionSource, weight: number): Value {
    const value = this.value(source);
    if (value.kind !== 'scalar' && value.kind !== 'boolean') {
      throw expressionError(source, 0, `expected a number or a condition, received ${describe(value)}`);
    }
    return this.scaled(value, weight);
  }

  scaled(value: Value, factor: number): Value {
    if (factor === 1 || !('ref' in value)) return value;
    const ref = this.#graph.operation(opcode.multiply, value.ref.length, [
      value.ref,
      this.#graph.constant([factor]),
    ]);
    if (isNumber(value)) return { ...value, ref };
    return { kind: ref.length === 1 ? 'scalar' : 'vector', ref, unit: one };
  }

  /** The robustness of a predicate: a number, or a condition, of which there is no measure: it counts +inf or -inf. */
  robustness(source: ExpressionSource, mayBeCondition: boolean): Value {
    const value = this.value(source);
    if (value.kind === 'scalar') return value;
    if (value.kind === 'boolean' && mayBeCondition) {
      const [most, least] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
      const operands = [value.ref, this.#graph.constant([most]), this.#graph.constant([least])];
      return { kind: 'scalar', ref: this.#graph.operation(opcode.select, 1, operands), unit: one };
    }
    const expected = mayBeCondition ? 'a number or a condition' : 'numbers to compare';
    throw expressionError(source, 0, `expected ${expected}, received ${describe(value)}`);
  }

  /** Puts a value at the end of a group; the slot is relative to the group. @throws EXPRESSION when it has no numbers */
  output(group: GroupName, name: string, value: Value, source: ExpressionSource): Slot {
    const refs = refsOf(value);
    if (refs.length === 0) {
      const members =
        value.kind === 'entity' ? [...this.#scope.reads.entityMembers(value.entity).keys()] : [];
      const hint = members.length > 0 ? `; write ${source.text.trim()}.${members[0]}` : '';
      throw expressionError(
        source,
        0,
        `expected a number, vector, quaternion, pose or condition, received ${describe(value)}${hint}`,
      );
    }
    const outputs = this.#outputs.get(group)!;
    const offset = outputs.reduce((sum, ref) => sum + ref.length, 0);
    const length = refs.reduce((sum, ref) => sum + ref.length, 0);
    outputs.push(...refs);
    this.#named.get(group)!.push({ name, offset, length, unit: unitOf(value) });
    return { offset, length };
  }

  /** Puts every signal that has numbers into the group `signals`, and so checks them all. `success` and `failure` are
   * left out: they have groups of their own. */
  outputSignals(): void {
    for (const [name, { source }] of this.#signals) {
      const value = this.#signal(name, source, 0)!;
      if (name !== 'success' && name !== 'failure' && refsOf(value).length > 0) {
        this.output('signals', name, value, source);
      }
    }
  }

  finish(): Program {
    const refs = groupOrder.flatMap((group) => this.#outputs.get(group)!);
    let offset = 0;
    const slots = groupOrder.map((group): [GroupName, Slot] => {
      const length = this.#outputs.get(group)!.reduce((sum, ref) => sum + ref.length, 0);
      offset += length;
      return [group, { offset: offset - length, length }];
    });
    return {
      code: generateCode(refs, modelSizes(this.#names)),
      outputs: offset,
      groups: Object.fromEntries(slots) as Record<GroupName, Slot>,
      signalNames: this.#named.get('signals')!,
      observationNames: this.#named.get('observation')!,
      rewardNames: this.#named.get('reward')!,
    };
  }

  #signal(name: string, source: ExpressionSource, offset: number): Value | undefined {
    const definition = this.#signals.get(name);
    if (!definition) return undefined;
    if (definition.value) return definition.value;
    if (this.#pending.includes(name)) {
      const cycle = [...this.#pending.slice(this.#pending.indexOf(name)), name].join(' -> ');
      throw expressionError(source, offset, `expected signals without a cycle, received ${cycle}`);
    }
    this.#pending.push(name);
    try {
      definition.value = this.value(definition.source);
    } finally {
      this.#pending.pop();
    }
    return definition.value;
  }
}
