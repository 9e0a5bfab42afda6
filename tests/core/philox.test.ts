import { describe, expect, it } from 'vitest';
import { PhiloxStream, philox4x32 } from '#core/philox';

// Known answers of the Random123 distribution (kat_vectors, philox4x32 10 rounds).
const vectors = [
  { counter: [0, 0, 0, 0], key: [0, 0], out: [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8] },
  {
    counter: [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
    key: [0xffffffff, 0xffffffff],
    out: [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
  },
  {
    counter: [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
    key: [0xa4093822, 0x299f31d0],
    out: [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
  },
] as const;

describe('Philox4x32-10', () => {
  it.each(vectors)('gives the published words for counter $counter', ({ counter, key, out }) => {
    const words = new Uint32Array(4);
    philox4x32(counter, key, words);
    expect([...words]).toEqual([...out]);
  });

  it('seeks to any position of a stream', () => {
    const stream = new PhiloxStream(7, 1, 2, 3);
    const drawn = Array.from({ length: 23 }, () => stream.uint32());
    for (const position of [0, 1, 4, 7, 22]) {
      stream.seek(position);
      expect(stream.position).toBe(position);
      expect(stream.uint32()).toBe(drawn[position]);
    }
  });

  it('draws normals of mean 0 and variance 1', () => {
    const stream = new PhiloxStream(1);
    let sum = 0;
    let squares = 0;
    const n = 20_000;
    for (let i = 0; i < n; i++) {
      const x = stream.normal();
      sum += x;
      squares += x * x;
    }
    expect(Math.abs(sum / n)).toBeLessThan(0.03);
    expect(Math.abs(squares / n - 1)).toBeLessThan(0.05);
  });
});
