import { createHash } from 'node:crypto';
import type { FieldDefinition, StructDefinition } from '#transport/messageDefinition';
import type { NumberKind } from '#transport/numberKinds';

/** The hash by which ROS 2 tells versions of a type apart.
 * @source REP-2016 (RIHS01): SHA-256 of the type's description as JSON; differs: none. Defaults, constants and comments
 * do not count. */

const elementIds = {
  struct: 1,
  int8: 2,
  uint8: 3,
  char: 3,
  int16: 4,
  uint16: 5,
  int32: 6,
  uint32: 7,
  int64: 8,
  uint64: 9,
  float32: 10,
  float64: 11,
  bool: 15,
  byte: 16,
  string: 17,
  boundedString: 21,
} as const satisfies Readonly<Record<NumberKind | 'struct' | 'string' | 'boundedString', number>>;

/** Added to an element's id. */
const arrayIds = { fixed: 48, boundedSequence: 96, sequence: 144 } as const;

/** @returns `RIHS01_` and 64 hexadecimal digits */
export function typeHash(struct: StructDefinition): string {
  const used = new Map<string, StructDefinition>();
  collectUsed(struct, used);
  const referenced = [...used.values()].sort((a, b) => (a.type < b.type ? -1 : 1));
  const json =
    `{"type_description": ${describe(struct)}, ` +
    `"referenced_type_descriptions": [${referenced.map(describe).join(', ')}]}`;
  return `RIHS01_${createHash('sha256').update(json).digest('hex')}`;
}

function collectUsed({ fields }: StructDefinition, outUsed: Map<string, StructDefinition>): void {
  for (const { element } of fields) {
    if (element.kind !== 'struct' || outUsed.has(element.struct.type)) continue;
    outUsed.set(element.struct.type, element.struct);
    collectUsed(element.struct, outUsed);
  }
}

function describe({ type, fields }: StructDefinition): string {
  const described = fields.map((field) => describeField(field.name, field));
  if (fields.length === 0) described.push(describeField('structure_needs_at_least_one_member', emptyMember));
  return `{"type_name": "${type}", "fields": [${described.join(', ')}]}`;
}

/** What a structure without fields carries. */
const emptyMember: Pick<FieldDefinition, 'element' | 'array'> = {
  element: { kind: 'number', number: 'uint8' },
  array: undefined,
};

function describeField(name: string, { element, array }: Pick<FieldDefinition, 'element' | 'array'>): string {
  const capacity = array?.kind === 'fixed' ? array.length : (array?.bound ?? 0);
  const arrayId = !array
    ? 0
    : arrayIds[array.kind === 'fixed' ? 'fixed' : array.bound === undefined ? 'sequence' : 'boundedSequence'];
  const stringCapacity = element.kind === 'string' ? (element.bound ?? 0) : 0;
  const nested = element.kind === 'struct' ? element.struct.type : '';
  return (
    `{"name": "${name}", "type": {"type_id": ${elementId(element) + arrayId}, "capacity": ${capacity}, ` +
    `"string_capacity": ${stringCapacity}, "nested_type_name": "${nested}"}}`
  );
}

function elementId(element: FieldDefinition['element']): number {
  if (element.kind === 'number') return elementIds[element.number];
  if (element.kind === 'struct') return elementIds.struct;
  return elementIds[element.bound === undefined ? 'string' : 'boundedString'];
}
