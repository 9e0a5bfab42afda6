import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VernierError } from '#core/errors';
import { readDefinitions } from '#transport/definitionText';
import type { StructDefinition } from '#transport/messageDefinition';

const parse = (text: string): StructDefinition => readDefinitions(text, 'a/B').struct('a/B');

describe('a message definition', () => {
  it('has fields, arrays, bounds, defaults, constants and comments', () => {
    const { fields, constants } = parse(`# what it is
bool on true  # set
int16[2] pair [1, -0x2]
uint8[<=4] raw
string<=5 text "a#b"
string[] names ['x, y', "z"]
float32 rate 1e-3
uint64 big 18446744073709551615

int8 LEAST=-128
string NAME = it is   # not this
byte MASK = 0b101\r
`);
    expect(fields.map(({ name, array, initial }) => [name, array, initial])).toEqual([
      ['on', undefined, true],
      ['pair', { kind: 'fixed', length: 2 }, [1, -2]],
      ['raw', { kind: 'sequence', bound: 4 }, undefined],
      ['text', undefined, 'a#b'],
      ['names', { kind: 'sequence', bound: undefined }, ['x, y', 'z']],
      ['rate', undefined, 1e-3],
      ['big', undefined, 18446744073709551615n],
    ]);
    expect(fields[3]!.element).toEqual({ kind: 'string', bound: 5 });
    expect(constants).toEqual({ LEAST: -128, NAME: 'it is', MASK: 5 });
  });

  it('finds types of its own package, of others, and Header', () => {
    const { fields } = parse(`Header header
C c
b/msg/D[] d
===
MSG: std_msgs/Header
string frame_id
===
MSG: a/C
float64 x
===
MSG: b/D
C c
===
MSG: b/C
int8 y`);
    const types = fields.map(({ element }) => element.kind === 'struct' && element.struct.type);
    expect(types).toEqual(['std_msgs/msg/Header', 'a/msg/C', 'b/msg/D']);
  });

  it.each([
    ['float64', 'a/msg/B:1:1: expected "type name", received "float64"'],
    ['\n  float64 2x', 'a/msg/B:2:3: expected "type name"'],
    ['int8 x\nint8 x', 'a/msg/B:2:1: x is declared twice'],
    ['int8[<=] x', 'a/msg/B:1:1: "int8[<=]" is no type'],
    ['int8[0] x', 'the size 0 is not in 1 to 4294967295'],
    ['int8[4294967296] x', 'the size 4294967296 is not in'],
    ['int8<=3 x', 'only a string has a bound'],
    ['wstring x', 'wstring is refused'],
    ['uint8 x 256', '256 is no uint8'],
    ['int8 X=1.5', '1.5 is no int8'],
    ['string<=2 x "é!"', '"é!" is no string'],
    ['string x "open', '"open is no string'],
    ['bool x maybe', 'maybe is no bool'],
    ['int8[2] x [1]', 'expected 2 defaults, received 1'],
    ['int8[] x 1', 'expected a default like [1, 2]'],
    ['int8[2] X=1', 'the constant X is an array'],
    ['C X=1', 'a constant is a number or a string, received C'],
    ['C c', 'a/msg/B: the definition of a/msg/C is missing'],
    ['B b', 'a/msg/B contains itself'],
    ['C c 1\n===\nMSG: a/C\nint8 x', 'a/msg/C takes no default'],
    ['int8 x\n===\nfoo', 'a/B: expected "MSG: package/Type" behind a line of ='],
    ['int8 x\n===\nSRV: a/S\nint8 x', 'a/S: expected 2 parts between ---, received 1'],
  ])('%j is refused', (text, mistake) => {
    expect(() => parse(text)).toThrow(
      expect.objectContaining({ code: 'DATA', message: expect.stringContaining(mistake) }),
    );
  });

  it('may not be nested without end', () => {
    const chain = (length: number): string =>
      Array.from(
        { length },
        (_, i) => `===\nMSG: a/T${i}\n${i + 1 < length ? `T${i + 1} x\nT${i + 1} y` : 'int8 x'}`,
      ).join('\n');
    expect(parse(`T0 x\n${chain(31)}`).depth).toBe(32);
    expect(() => parse(`T0 x\n${chain(32)}`)).toThrow('types are nested more than 32 deep');
    expect(() => parse(`T0 x\n${chain(20_000)}`)).toThrow('types are nested more than 32 deep');
  });

  it('may not have lines without end', () => {
    expect(parse(`int8 x # ${'"'.repeat(1_000_000)}`).fields).toHaveLength(1);
    for (const text of [`string[] x ["${'a'.repeat(1_000_000)}`, 'a'.repeat(1_000_000)])
      expect(() => parse(`int8 y\n${text}`)).toThrow(/^a\/msg\/B:2:1: a line of \d+ characters/);
  });

  it('of any text is read or refused', () => {
    const word = fc.constantFrom(
      'int8',
      'string',
      'a/B',
      'C',
      '[',
      ']',
      '<=',
      '3',
      'x',
      'y',
      ' ',
      '\n',
      '=',
      '#',
      '"',
      "'",
      '\\',
      '---',
      '===\n',
      'MSG: a/C\n',
      'SRV: a/D\n',
      '\0',
      'é',
    );
    const text = fc.array(word, { maxLength: 40 }).map((words) => words.join(''));
    fc.assert(
      fc.property(fc.oneof(text, fc.string({ unit: 'binary' })), (definition) => {
        try {
          parse(definition);
        } catch (error) {
          expect(error).toBeInstanceOf(VernierError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
