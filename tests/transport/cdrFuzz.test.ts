import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VernierError } from '#core/errors';
import type { MessageCodec } from '#transport/cdr';
import { standardCodec, standardDefinitions } from '#transport/messages';
import { arbitraryMessage } from './arbitraryMessage.js';
import { bytes, goldenVectors } from './golden.js';

const codecs = standardDefinitions.types.map(standardCodec);

describe('messages of every type', () => {
  it.each(codecs)('$type come back as they were sent', (codec) => {
    const out = new Uint8Array(64).fill(0xff);
    fc.assert(
      fc.property(arbitraryMessage(codec.definition), (message) => {
        const encoded = codec.encode(message);
        expect(codec.decode(encoded)).toEqual(message);
        expect(codec.encode(message, out)).toEqual(encoded);
      }),
      { numRuns: 25 },
    );
  });
});

/** Values in a message, and what an element of an array of numbers counts. */
function size(value: unknown): number {
  if (ArrayBuffer.isView(value)) return 1 + value.byteLength;
  if (typeof value === 'string') return 1 + value.length;
  if (typeof value !== 'object' || value === null) return 1;
  return Object.values(value).reduce((sum: number, inner) => sum + size(inner), 1);
}

/** A message no larger than its bytes allow, or an error of the codec's own. */
function decodeOrRefuse(codec: MessageCodec, received: Uint8Array): boolean {
  try {
    const message = codec.decode(received);
    expect(size(message)).toBeLessThan(16 + 8 * received.length);
    codec.encode(message);
    return true;
  } catch (error) {
    expect(error).toBeInstanceOf(VernierError);
    expect(error).toMatchObject({ code: 'DATA' });
    return false;
  }
}

describe('hostile bytes', () => {
  it('are a message or an error', () => {
    const header = fc.constantFrom([0, 0, 0, 0], [0, 1, 0, 0]);
    const word = fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom([0, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1], [2, 0, 0, 0]) },
      fc.constantFrom([255, 255, 255, 255], [255, 255, 255, 127], [0, 0, 0, 128], [0, 0, 1, 0]),
      fc.array(fc.nat(255), { minLength: 1, maxLength: 5 }),
    );
    const received = fc
      .tuple(header, fc.array(word, { maxLength: 60 }))
      .map(([start, words]) => Uint8Array.from([...start, ...words.flat()]));
    fc.assert(
      fc.property(fc.constantFrom(...codecs), received, (codec, data) => {
        decodeOrRefuse(codec, data);
      }),
      { numRuns: 20_000 },
    );
  });

  it.each(goldenVectors)('made of %s: every truncation, every bit', (type, { cdr }) => {
    const codec = standardCodec(type);
    const sent = bytes(cdr);
    const body = codec.encode(codec.decode(sent)).length;
    for (let length = 0; length < body; length++)
      expect(decodeOrRefuse(codec, sent.subarray(0, length))).toBe(false);
    for (let bit = 0; bit < 8 * sent.length; bit++) {
      const flipped = sent.slice();
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      decodeOrRefuse(codec, flipped);
    }
  });

  it.each(goldenVectors)('made of %s: huge lengths anywhere', (type, { cdr }) => {
    const codec = standardCodec(type);
    const sent = bytes(cdr);
    for (let at = 4; at + 4 <= sent.length; at++) {
      for (const length of [0xffff_ffff, 0x7fff_ffff, 0x8000_0000, 0x0100_0000, sent.length]) {
        const changed = sent.slice();
        new DataView(changed.buffer).setUint32(at, length, true);
        decodeOrRefuse(codec, changed);
      }
    }
  });

  it('do not make other types of a message', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...goldenVectors),
        fc.constantFrom(...codecs),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }),
        ([, { cdr }], codec, changes) => {
          const received = bytes(cdr);
          for (const [at, byte] of changes) received[4 + (at % (received.length - 4))] = byte;
          decodeOrRefuse(codec, received);
        },
      ),
      { numRuns: 20_000 },
    );
  });
});
