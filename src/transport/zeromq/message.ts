import type { NdArray } from '#transport/zeromq/ndarray';

/** What a message holds. */
export type MessageValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | NdArray
  | readonly MessageValue[]
  | MessageMap;

/** Keys that are undefined are not written. */
export interface MessageMap {
  readonly [key: string]: MessageValue | undefined;
}

export function isMap(value: MessageValue | undefined): value is MessageMap {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}
