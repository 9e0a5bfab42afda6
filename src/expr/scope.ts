import type { ModelNames } from '#core/model';
import type { Graph, Ref } from '#expr/graph';
import type { ModelReads } from '#expr/model';
import type { Node } from '#expr/parse';
import type { ExpressionSource } from '#expr/source';
import type { Unit } from '#expr/unit';
import type { Entity, NumberValue, Value } from '#expr/values';

/** What the names in an expression stand for. */
export interface Scope {
  readonly graph: Graph;
  readonly names: ModelNames;
  readonly reads: ModelReads;
  readonly endEffector: Entity | undefined;
  readonly hasGripper: boolean;
  /** Names of the signals, for the hint of an unknown name. */
  signalNames(): readonly string[];
  /** The value of a signal; `undefined` when there is none of that name. */
  signal(name: string, source: ExpressionSource, offset: number): Value | undefined;
}

/** What the rules of the functions ask of the checker of an expression. Everything that returns a value reports a
 * mistake at the node instead when the value is not as asked. */
export interface Checking {
  readonly scope: Scope;
  check(node: Node): Value;
  fail(node: { readonly start: number }, message: string): never;
  /** A number or vector. */
  number(node: Node, what?: string): NumberValue;
  scalar(node: Node, what?: string): Extract<Value, { kind: 'scalar' }>;
  condition(node: Node): Ref;
  /** The entity a name stands for, alone or behind a qualifier. */
  entity(node: Node, what: string): Entity;
  /** A name of the model of one of the kinds. */
  modelName(node: Node, kinds: readonly (keyof Entity)[], what: string): Entity;
  /** The unit both have, or an error at `place`. */
  commonUnit(a: NumberValue, b: NumberValue, place: { readonly start: number }, doing: string): Unit;
  /** Length of an element-wise result; a scalar goes with any vector where `broadcast` says so. */
  commonLength(values: readonly NumberValue[], place: { readonly start: number }, broadcast: boolean): number;
  /** `base ^ exponent`. */
  power(base: Node, exponent: Node): NumberValue;
  elementwise(op: number, values: readonly NumberValue[], length: number, unit: Unit): NumberValue;
}
