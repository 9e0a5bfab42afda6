import { VernierError } from '#core/errors';
import type { ElementType, FieldDefinition, StructDefinition } from '#transport/messageDefinition';
import type { Message, MessageValue } from '#transport/messageValue';
import { type NumberArray, numberFacts } from '#transport/numberKinds';

/** Bytes of arrays of fixed length that a new message may hold. */
const largest = 2 ** 26;

/** A message as its definition starts it: defaults, else zeros, empty texts and empty sequences.
 * @throws DATA where the arrays of fixed length in the type take more than 64 MiB */
export function initialMessage(struct: StructDefinition): Message {
  if (struct.leastSize > largest)
    throw new VernierError(
      'DATA',
      `${struct.type} takes ${struct.leastSize} bytes, expected at most ${largest}`,
    );
  return initialStruct(struct);
}

function initialStruct({ fields }: StructDefinition): Message {
  return Object.fromEntries(fields.map((field) => [field.name, initialField(field)]));
}

function initialField({ element, array, initial }: FieldDefinition): MessageValue {
  if (!array) return (initial as MessageValue | undefined) ?? initialElement(element);
  const given = initial as readonly MessageValue[] | undefined;
  const length = given?.length ?? (array.kind === 'fixed' ? array.length : 0);
  const ArrayType = element.kind === 'number' ? numberFacts(element.number).array : undefined;
  if (!ArrayType) return given ? [...given] : Array.from({ length }, () => initialElement(element));
  const numbers: NumberArray = new ArrayType(length);
  for (const [i, value] of (given ?? []).entries()) numbers[i] = value as never;
  return numbers;
}

function initialElement(element: ElementType): MessageValue {
  if (element.kind === 'struct') return initialStruct(element.struct);
  if (element.kind === 'string') return '';
  if (element.number === 'bool') return false;
  return element.number === 'int64' || element.number === 'uint64' ? 0n : 0;
}
