import { decode as peerDecode, encode as peerEncode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VernierError } from '#core/errors';
import type { MessageMap, MessageValue } from '#transport/zeromq/message';
import { decodeMessage } from '#transport/zeromq/msgpackReader';
import { encodeMessage } from '#transport/zeromq/msgpackWriter';
import { arrayFromBytes, float32Array, NdArray } from '#transport/zeromq/ndarray';
import { decodeNpy, npyHeader } from '#transport/zeromq/npy';
import golden from './msgpackGolden.json' with { type: 'json' };

// The golden bytes were made by Python (`made` in the file) with the packers of openpi_client.msgpack_numpy and of
// GR00T's MsgSerializer.
const bytesOf = (base64: string): Uint8Array => new Uint8Array(Buffer.from(base64, 'base64'));
const value = (bytes: Uint8Array): MessageValue => decodeMessage(bytes).value;
const plainly = (inner: MessageValue): unknown =>
  JSON.parse(
    JSON.stringify(inner, (_, v: unknown) =>
      v instanceof Uint8Array ? { bytes: [...v] } : typeof v === 'bigint' ? String(v) : v,
    ),
  );

/** What went wrong, which must be a refusal. */
function refusal(attempt: () => unknown): string {
  try {
    attempt();
  } catch (error) {
    if (error instanceof VernierError && error.code === 'DATA') return error.message;
    throw error;
  }
  throw new Error('nothing was refused');
}

describe.each(['openpi', 'groot'] as const)('arrays as %s sends them', (encoding) => {
  it.each(golden.arrays)('$dtype $shape', ({ dtype, shape, values, ...bytes }) => {
    const { value: array, arrays } = decodeMessage(bytesOf(bytes[encoding]));
    expect(arrays).toBe(encoding);
    if (!(array instanceof NdArray)) throw new Error('not an array');
    expect([array.dtype, array.shape, [...array.data].map(Number)]).toEqual([dtype, shape, values]);
    expect(Buffer.from(encodeMessage(array, encoding)).toString('base64')).toBe(bytes[encoding]);
  });

  it('are aligned wherever they stand', () => {
    for (let shift = 0; shift < 9; shift++) {
      const sent = { pad: 'x'.repeat(shift), array: float32Array([3], Float32Array.of(1, -2, 0.5)) };
      const bytes = encodeMessage(sent, encoding);
      for (const given of [bytes, Buffer.from(bytes)]) {
        const { array } = value(given) as { array: NdArray };
        expect([...array.data]).toEqual([1, -2, 0.5]);
      }
    }
  });
});

it('an array in Fortran order comes in C order', () => {
  const array = value(bytesOf(golden.fortran.groot)) as NdArray;
  expect([array.shape, [...array.data]]).toEqual([golden.fortran.shape, golden.fortran.values]);
});

it('a scalar of numpy is a number', () => {
  expect(value(bytesOf(golden.scalar))).toBe(1.5);
});

it('plain values are the bytes of Python', () => {
  for (const base64 of [golden.plain, golden.big])
    expect(Buffer.from(encodeMessage(value(bytesOf(base64)), 'groot')).toString('base64')).toBe(base64);
  expect(value(bytesOf(golden.big))).toEqual([2n ** 64n - 1n, -(2n ** 63n), 2n ** 53n, 4294967296]);
});

// The other implementation refuses this one.
const key = fc.string().filter((name) => name !== '__proto__');
const arbitrary = fc.letrec<{ value: MessageValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger(),
    fc.double({ noNaN: true }).filter((x) => !Number.isInteger(x) || Number.isSafeInteger(x)),
    fc.string({ unit: 'grapheme' }),
    fc.uint8Array(),
    fc.array(tie('value'), { maxLength: 20 }),
    fc.dictionary(key, tie('value'), { maxKeys: 20 }).map((map) => ({ ...map }) as MessageMap),
  ),
})).value;

it('says the same as another implementation, both ways', () => {
  fc.assert(
    fc.property(arbitrary, (sent) => {
      const ours = encodeMessage(sent, 'openpi');
      expect(plainly(peerDecode(ours) as MessageValue)).toEqual(plainly(sent));
      expect(plainly(value(peerEncode(sent)))).toEqual(plainly(sent));
    }),
    { numRuns: 300 },
  );
  const long = Array.from({ length: 3000 }, (_, i) => (i % 3 === 0 ? i / 7 : i * 1000));
  for (let shift = 0; shift < 9; shift++) {
    const sent = ['x'.repeat(shift), ...long];
    expect(peerDecode(encodeMessage(sent, 'openpi'))).toEqual(sent);
  }
});

describe('hostile bytes', () => {
  it.each<[string, number[], RegExp]>([
    ['a list of four billion', [0xdd, 0xff, 0xff, 0xff, 0xff], /4294967295 values are announced/],
    ['a map of four billion', [0xdf, 0xff, 0xff, 0xff, 0xff], /8589934590 values are announced/],
    ['four gigabytes of text', [0xdb, 0xff, 0xff, 0xff, 0xff, 0x61], /4294967295 bytes are announced, 1 are/],
    ['four gigabytes of bytes', [0xc6, 0xff, 0xff, 0xff, 0xff], /4294967295 bytes are announced, 0 are/],
    ['nothing', [], /1 bytes are announced, 0 are left, at byte 0/],
    ['a second value', [0xc0, 0xc0], /1 bytes follow/],
    ['an extension type', [0xd4, 0x01, 0x00], /type 0xd4 are not read, at byte 0/],
    ['the tag that means nothing', [0xc1], /0xc1/],
    ['text that is none', [0xa1, 0xff], /not UTF-8/],
    ['a number as key', [0x81, 0x01, 0x01], /neither text nor bytes/],
    ['a key twice', [0x82, 0xa1, 0x61, 0x01, 0xa1, 0x61, 0x02], /"a" stands twice/],
    ['a deep nest', [...new Array(40).fill(0x91), 0xc0], /more than 32 deep/],
    [
      'a hundred thousand values',
      [0xdd, 0, 2, 0, 0, ...new Array(0x20000).fill(0xc0)],
      /more than 100000 values/,
    ],
  ])('%s', (_, bytes, message) => {
    expect(refusal(() => decodeMessage(Uint8Array.from(bytes)))).toMatch(message);
  });

  const openpi = (dtype: unknown, shape: unknown, data: unknown) =>
    encodeMessage({ __ndarray__: true, data, dtype, shape } as MessageMap, 'openpi');
  it.each<[string, Uint8Array, RegExp]>([
    ['objects', openpi('|O', [1], new Uint8Array(8)), /dtype "\|O" are not read/],
    ['structures', openpi([['a', '<f4']], [1], new Uint8Array(4)), /text `dtype`/],
    ['a name of Object', openpi('constructor', [1], new Uint8Array(4)), /"constructor" are not read/],
    ['other byte order', openpi('>f4', [1], new Uint8Array(4)), />f4/],
    ['too few bytes', openpi('<f4', [3], new Uint8Array(8)), /\[3\] needs 12 bytes, received 8/],
    ['a negative shape', openpi('<f4', [-1, -4], new Uint8Array(16)), /not the shape/],
    ['a shape that overflows', openpi('|u1', [2 ** 40, 2 ** 40], new Uint8Array(0)), /not the shape/],
    ['a broken shape', openpi('<f4', [1.5], new Uint8Array(6)), /not the shape/],
    ['a shape of maps', openpi('<f4', [{}], new Uint8Array(0)), /\[object\] is not the shape/],
    ['too many dimensions', openpi('|u1', new Array(33).fill(1), new Uint8Array(1)), /not the shape/],
    ['no npy', encodeMessage({ __ndarray_class__: true }, 'groot'), /bytes `as_npy`/],
    [
      'pickle in an npy',
      encodeMessage(
        {
          __ndarray_class__: true,
          as_npy: npyOf("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"),
        },
        'groot',
      ),
      /dtype "\|O" are not read/,
    ],
    [
      'a structure in an npy',
      encodeMessage(
        {
          __ndarray_class__: true,
          as_npy: npyOf("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (), }"),
        },
        'groot',
      ),
      /its header is/,
    ],
  ])('an array of %s', (_, bytes, message) => {
    expect(refusal(() => decodeMessage(bytes))).toMatch(message);
  });

  it('__proto__ is a key like others', () => {
    const written = value(
      Uint8Array.of(0x81, 0xa9, ...Buffer.from('__proto__'), 0x81, 0xa1, 0x61, 0x01),
    ) as MessageMap;
    expect(Object.keys(written)).toEqual(['__proto__']);
    expect((written as { a?: unknown }).a).toBe(undefined);
    expect(({} as { a?: unknown }).a).toBe(undefined);
  });

  it('never does more than refuse, whatever the bytes', () => {
    const attempt = (bytes: Uint8Array): void => {
      try {
        decodeMessage(bytes);
      } catch (error) {
        if (!(error instanceof VernierError) || error.code !== 'DATA') throw error;
      }
    };
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), attempt), { numRuns: 3000 });
    const valid = [
      ...golden.arrays.flatMap((a) => [a.openpi, a.groot]),
      golden.plain,
      golden.fortran.groot,
    ].map(bytesOf);
    const edits = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(fc.constantFrom(...valid), edits, fc.nat({ max: 30 }), (bytes, changed, cut) => {
        const copy = bytes.slice(0, Math.max(0, bytes.length - cut));
        for (const [at, byte] of changed) if (copy.length > 0) copy[at % copy.length] = byte;
        attempt(copy);
      }),
      { numRuns: 5000 },
    );
  });
});

/** An npy file of this header and no data. */
function npyOf(header: string): Uint8Array {
  const text = Buffer.from(header, 'latin1');
  return Uint8Array.from([
    0x93,
    0x4e,
    0x55,
    0x4d,
    0x50,
    0x59,
    1,
    0,
    text.length & 255,
    text.length >> 8,
    ...text,
  ]);
}

it('an npy file keeps every array', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 4 }), { maxLength: 4 }), fc.boolean(), (shape, wide) => {
      const size = shape.reduce((product, n) => product * n, 1) * (wide ? 8 : 4);
      const bytes = Uint8Array.from({ length: size }, (_, i) => (i * 31) & 63);
      const array = arrayFromBytes(wide ? '<f8' : '<i4', shape, bytes);
      expect(decodeNpy(Buffer.concat([npyHeader(array), array.bytes]))).toEqual(array);
    }),
  );
});
