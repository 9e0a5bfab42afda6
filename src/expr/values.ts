import type { Ref } from '#expr/graph';
import { formatUnit, type Unit } from '#expr/unit';

/** What a checked expression is: its type together with where its numbers come from. */
export type Value =
  | { readonly kind: 'boolean'; readonly ref: Ref }
  | { readonly kind: 'scalar'; readonly ref: Ref; readonly unit: Unit }
  | { readonly kind: 'vector'; readonly ref: Ref; readonly unit: Unit }
  | { readonly kind: 'quaternion'; readonly ref: Ref }
  | { readonly kind: 'pose'; readonly position: Ref; readonly quaternion: Ref }
  /** Something of the model: its members are values, it is none itself. */
  | { readonly kind: 'entity'; readonly entity: Entity }
  | { readonly kind: 'arm' }
  | { readonly kind: 'gripper' };

/** Everything in the model that bears one name; a qualifier such as site(x) leaves one of them. */
export interface Entity {
  readonly name: string;
  readonly body?: number;
  readonly site?: number;
  readonly geom?: number;
  readonly joint?: number;
  readonly actuator?: number;
  readonly sensor?: number;
}

export const entityKinds = ['body', 'site', 'geom', 'joint', 'actuator', 'sensor'] as const;
export type EntityKind = (typeof entityKinds)[number];

export type NumberValue = Extract<Value, { readonly kind: 'scalar' | 'vector' }>;

export function isNumber(value: Value): value is NumberValue {
  return value.kind === 'scalar' || value.kind === 'vector';
}

/** `a length-3 vector in m`, `body "peg"`: for messages. */
export function describe(value: Value): string {
  switch (value.kind) {
    case 'boolean':
      return 'a condition (true or false)';
    case 'scalar':
      return `a number${inUnit(value.unit)}`;
    case 'vector':
      return `a ${value.ref.length}-vector${inUnit(value.unit)}`;
    case 'quaternion':
      return 'a quaternion';
    case 'pose':
      return 'a pose';
    case 'entity':
      return describeEntity(value.entity);
    case 'arm':
      return 'the arm';
    case 'gripper':
      return 'the gripper';
    default:
      throw value satisfies never;
  }
}

export function describeEntity(entity: Entity): string {
  const kinds = entityKinds.filter((kind) => entity[kind] !== undefined);
  return `${kinds.join(' and ')} "${entity.name}"`;
}

function inUnit(unit: Unit): string {
  if (unit === 'bare') return '';
  return unit === 'unknown' ? ' of unknown unit' : ` in ${formatUnit(unit)}`;
}

/** The numbers of a value as it is put out; an entity has none. */
export function refsOf(value: Value): readonly Ref[] {
  switch (value.kind) {
    case 'boolean':
    case 'scalar':
    case 'vector':
    case 'quaternion':
      return [value.ref];
    case 'pose':
      return [value.position, value.quaternion];
    default:
      return [];
  }
}

/** The unit of a value as a text. */
export function unitOf(value: Value): string {
  if (isNumber(value)) return formatUnit(value.unit);
  return value.kind === 'pose' ? 'm, 1' : '1';
}
