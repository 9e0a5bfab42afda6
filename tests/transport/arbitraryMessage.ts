import fc from 'fast-check';
import type { ElementType, FieldDefinition, StructDefinition } from '#transport/messageDefinition';
import { numberFacts } from '#transport/numberKinds';

/** Messages of a type as `decode` returns them: sequences of up to three elements, numbers of the whole range. */
export function arbitraryMessage(struct: StructDefinition): fc.Arbitrary<Record<string, unknown>> {
  const fields = struct.fields.map((field) => [field.name, arbitraryField(field)] as const);
  return fc.record(Object.fromEntries(fields), { noNullPrototype: true });
}

function arbitraryField({ element, array }: FieldDefinition): fc.Arbitrary<unknown> {
  const one = arbitraryElement(element);
  if (!array) return one;
  const isFixed = array.kind === 'fixed';
  const maxLength = isFixed ? array.length : Math.min(array.bound ?? 3, 3);
  const many = fc.array(one, { minLength: isFixed ? array.length : 0, maxLength });
  const ArrayType = element.kind === 'number' ? numberFacts(element.number).array : undefined;
  if (!ArrayType) return many;
  return many.map((values) => Object.assign(new ArrayType(values.length), values));
}

function arbitraryElement(element: ElementType): fc.Arbitrary<unknown> {
  if (element.kind === 'struct') return arbitraryMessage(element.struct);
  if (element.kind === 'string') {
    const text = fc.string({ unit: 'binary', maxLength: 60 }).map((value) => value.replaceAll('\0', ''));
    const { bound } = element;
    return bound === undefined ? text : text.filter((value) => Buffer.byteLength(value) <= bound);
  }
  if (element.number === 'bool') return fc.boolean();
  if (element.number === 'float32') return fc.float();
  const { range } = numberFacts(element.number);
  if (!range) return fc.double();
  const [min, max] = range;
  return typeof min === 'bigint' ? fc.bigInt(min, max as bigint) : fc.integer({ min, max: max as number });
}
