import { describe, expect, it } from 'vitest';
import { type MessageCodec, messageCodec } from '#transport/cdr';
import { readDefinitions } from '#transport/definitionText';
import { standardCodec } from '#transport/messages';
import { bytes } from './golden.js';

const codecOf = (definition: string): MessageCodec => messageCodec('a/B', readDefinitions(definition, 'a/B'));
const hex = (data: Uint8Array): string => Buffer.from(data).toString('hex');

const everything = `bool on
int16[2] pair
uint8[<=4] raw
int64 big
string<=5 text
float32[] rates
uint64[] counts
bool[] flags
C[<=2] inner
===
MSG: a/C
char letter
E none
===
MSG: a/E`;

const message = {
  on: true,
  pair: Int16Array.of(258, -2),
  raw: Uint8Array.of(7, 8),
  big: -1n,
  text: 'é',
  rates: Float32Array.of(0.5),
  counts: BigUint64Array.of(2n ** 64n - 1n),
  flags: [true, false],
  inner: [{ letter: 65, none: {} }],
};

describe('the codec', () => {
  it('pads each number to its size, counts bytes of text, gives empty structs a byte', () => {
    const encoded = codecOf(everything).encode(message);
    expect(hex(encoded)).toBe(
      '00010000' +
        '01000201' +
        'feff0000' +
        '020000000708' +
        '0000ffffffffffffffff' +
        '03000000c3a90000' +
        '010000000000003f' +
        '0100000000000000ffffffffffffffff' +
        '020000000100' +
        '0000' +
        '010000004100',
    );
    expect(codecOf(everything).decode(encoded)).toEqual(message);
  });

  it('reads the other byte order', () => {
    const codec = codecOf(
      'bool on\nint16[2] pair\nuint8[<=4] raw\nint64 big\nstring<=5 text\nfloat64[] x\nuint32 n',
    );
    const received = bytes(
      '00000000' +
        '01000102' +
        'fffe0000' +
        '000000020708' +
        '0000ffffffffffffffff' +
        '00000003c3a90000' +
        '0000000200000000' +
        '3ff8000000000000c000000000000000' +
        '00000007',
    );
    const value = { ...message, x: Float64Array.of(1.5, -2), n: 7 };
    const { on, pair, raw, big, text, x, n } = value;
    expect(codec.decode(received)).toEqual({ on, pair, raw, big, text, x, n });
  });

  it('reads any place in memory, Buffers, and texts of length 0', () => {
    const codec = codecOf('float64[] x\nstring text\nuint8[] raw');
    const value = {
      x: Float64Array.from({ length: 20 }, (_, i) => i),
      text: 'ß'.repeat(50),
      raw: Uint8Array.of(1),
    };
    const encoded = codec.encode(value);
    const shifted = Buffer.concat([Buffer.of(9), encoded]).subarray(1);
    expect(codec.decode(shifted)).toEqual(value);
    expect(codec.decode(bytes('0001000000000000000000000000000000'.slice(0, 32)))).toMatchObject({
      text: '',
    });
  });

  it('copies, unless it is to borrow', () => {
    const codec = codecOf('uint8[] raw\nint8[2] pair\nfloat64[] x');
    const encoded = codec.encode({ raw: [1, 2], pair: [3, 4], x: [5] });
    const [copied, borrowed] = [codec.decode(encoded), codec.decodeBorrow(encoded)];
    expect(borrowed).toEqual(copied);
    encoded.fill(9, 4);
    expect(copied).toEqual({ raw: Uint8Array.of(1, 2), pair: Int8Array.of(3, 4), x: Float64Array.of(5) });
    expect(borrowed).toMatchObject({ raw: Uint8Array.of(9, 9), pair: Int8Array.of(9, 9) });
    expect(borrowed['x']).toEqual(Float64Array.of(5));
  });

  it('writes into memory that is given, over what was there, and into new memory where it is too small', () => {
    const codec = standardCodec('sensor_msgs/msg/JointState');
    const value = { ...codec.create(), name: ['a', 'bc'], position: [1, 2] };
    const expected = codec.encode(value);
    const out = new Uint8Array(200).fill(0xff);
    const written = codec.encode(value, out);
    expect(written.buffer).toBe(out.buffer);
    expect(hex(written)).toBe(hex(expected));
    const small = codec.encode(value, new Uint8Array(30));
    expect(hex(small)).toBe(hex(expected));
    expect(codec.encode(value).buffer.byteLength).toBe(expected.length);
  });

  it('takes arrays of numbers of any kind', () => {
    const codec = codecOf('float64[] x');
    const numbers = Array.from({ length: 40 }, (_, i) => i / 4);
    const expected = hex(codec.encode({ x: numbers }));
    for (const x of [Float32Array.from(numbers), Float64Array.from(numbers)])
      expect(hex(codec.encode({ x }))).toBe(expected);
  });
});

describe('writing refuses', () => {
  const codec = codecOf(everything);
  it.each([
    [{ on: 1 }, 'a/msg/B: on: expected a boolean, received a value of type number'],
    [{ pair: [1] }, 'a/msg/B: pair: expected 2 elements, received 1'],
    [{ pair: [1, 40_000] }, 'a/msg/B: pair[1]: 40000 is no int16'],
    [{ pair: [1, 0.5] }, 'pair[1]: 0.5 is no int16'],
    [{ pair: 3 }, 'pair: expected an array of numbers'],
    [{ pair: new DataView(new ArrayBuffer(2)) }, 'pair: expected an array of numbers'],
    [{ raw: new Uint8Array(5) }, 'raw: expected at most 4 elements, received 5'],
    [{ raw: [Number.NaN] }, 'raw[0]: NaN is no uint8'],
    [{ big: 1 }, 'big: expected a bigint (int64), received a value of type number'],
    [{ big: 2n ** 63n }, 'big: 9223372036854775808 is no int64'],
    [{ text: 'éàü' }, 'text: a text of 6 bytes, at most 5 are allowed'],
    [{ text: 'a\0' }, 'text: a text with a NUL inside'],
    [{ text: '\ud800' }, 'text: a text with half a surrogate pair'],
    [{ text: undefined }, 'text: is missing, expected a string'],
    [{ rates: [1e39] }, 'rates[0]: 1e+39 is no float32'],
    [{ flags: [true, null] }, 'flags[1]: expected a boolean, received null'],
    [{ inner: {} }, 'inner: expected an array, received a value of type object'],
    [
      {
        inner: [
          { letter: 65, none: {} },
          { letter: -1, none: {} },
        ],
      },
      'inner[1].letter: -1 is no char',
    ],
    [{ inner: [{ letter: 65, none: { x: 1 } }] }, 'inner[0].none.x: is no field'],
    [{ inner: [[]] }, 'inner[0]: expected an object, received an array'],
    [{ extra: 1 }, 'extra: is no field (expected: on, pair'],
  ] as const)('%#: $1', (change, mistake) => {
    expect(() => codec.encode({ ...message, ...change })).toThrow(
      expect.objectContaining({ code: 'DATA', message: expect.stringContaining(mistake) }),
    );
  });

  it('what is no message', () => {
    for (const value of [undefined, null, 3, 'x', []])
      expect(() => codec.encode(value)).toThrow(/^a\/msg\/B: /);
  });
});

describe('reading refuses', () => {
  it.each([
    ['bool b', '000100', '3 bytes hold no header (byte 0)'],
    ['bool b', '0003000001', 'the bytes are not plain CDR (encapsulation 3)'],
    ['bool b', '0001000002', 'b: 2 is no bool (byte 5)'],
    ['bool b', '00010000', 'b: 1 bytes reach behind the 4 bytes of the message (byte 4)'],
    ['bool b', '000100000100000000', '4 bytes are left over, as of a type with more fields (byte 5)'],
    ['float64 x', '0001000000000000000000', 'x: 8 bytes reach behind the 11 bytes'],
    ['float64[] x', '00010000ffffffff', 'x: 4294967295 elements reach behind the 8 bytes'],
    ['float64[4294967295] x', '00010000ffffffff', 'x: 4294967295 elements reach behind the 8 bytes'],
    ['int8[<=2] x', '0001000003000000010203', 'x: 3 elements, at most 2 are allowed'],
    ['string s', '000100000300000061ff00', 's: a text that is not UTF-8'],
    ['string s', '0001000003000000610000', 's: a text with a NUL inside'],
    ['string s', '00010000030000006162630', 's: a text without a NUL behind it'],
    ['string s', '00010000ffffffff6100', 's: 4294967295 bytes reach behind'],
    ['string<=1 s', '0001000003000000616200', 's: a text of 2 bytes, at most 1 are allowed'],
    ['string[] s', '00010000020000000500000061626364', 's[0]: 5 bytes reach behind'],
    [
      'C[] c\n===\nMSG: a/C\nint8 x\nC2 y\n===\nMSG: a/C2\nbool z',
      '00010000020000000100'.concat('0102'),
      'c[1].y.z: 2 is no bool',
    ],
  ])('%j of %s', (definition, received, mistake) => {
    expect(() => codecOf(definition).decode(bytes(received))).toThrow(
      expect.objectContaining({ code: 'DATA', message: expect.stringContaining(mistake) }),
    );
  });

  it('a type that doubles at every level at once', () => {
    const levels = Array.from(
      { length: 31 },
      (_, i) => `===\nMSG: a/T${i}\n${i < 30 ? `T${i + 1}[1000] x` : 'int8 x'}`,
    );
    const codec = codecOf(`T0 x\n${levels.join('\n')}`);
    expect(() => codec.decode(new Uint8Array(1000).fill(1, 1, 2))).toThrow('x.x: 1000 elements reach behind');
    expect(() => codec.create()).toThrow('expected at most 67108864');
  });
});
