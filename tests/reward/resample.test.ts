import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type Filter, resample } from '#reward/backends/resample';

interface Case {
  readonly width: number;
  readonly height: number;
  readonly rgb: readonly number[];
  readonly toWidth: number;
  readonly toHeight: number;
  readonly expected: Readonly<Record<Filter, readonly number[]>>;
}
const file = new URL('pillowResize.json', import.meta.url);
const { cases, generator } = JSON.parse(readFileSync(file, 'utf8')) as { cases: Case[]; generator: string };

describe('resampling', () => {
  it.each(cases)(`$width x $height to $toWidth x $toHeight has the bytes of ${generator}`, (vector) => {
    const { width, height, toWidth, toHeight, expected } = vector;
    for (const [filter, bytes] of Object.entries(expected)) {
      const result = resample(
        { width, height, rgb: Uint8Array.from(vector.rgb) },
        toWidth,
        toHeight,
        filter as Filter,
      );
      expect([...result.rgb], filter).toEqual(bytes);
    }
  });
});
