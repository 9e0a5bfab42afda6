import type { NumberArray } from '#transport/numberKinds';

/** What a message holds in JavaScript: int64 and uint64 as bigint, every other number as number; arrays of numbers as
 * typed arrays (`byte` and `char` as Uint8Array), of bool, text and structs as arrays. */
export type MessageValue =
  | boolean
  | number
  | bigint
  | string
  | NumberArray
  | readonly MessageValue[]
  | Message;

/** A struct, its fields by name. */
export interface Message {
  readonly [field: string]: MessageValue;
}

/** A mistake within a message; the path to it grows while it is thrown through the structs and arrays around it. */
export class FieldMistake extends Error {
  path = '';

  /** @returns the error itself, with `part` (`.name` or `[3]`) before its path where it is a mistake of a field */
  static within(error: unknown, part: string): unknown {
    if (error instanceof FieldMistake) error.path = part + error.path;
    return error;
  }
}
