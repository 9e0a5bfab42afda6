import { appendFileSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { momentKey, requestKey, ScoreCache } from '#reward/service/scoreCache';
import { squareAt } from './pictures.js';

const folder = mkdtempSync(join(tmpdir(), 'vernier-scores-'));
afterAll(() => rmSync(folder, { recursive: true }));

const key = (x: number): string => momentKey({ model: 'm', prompt: 'p' }, squareAt(x));
const answer = (phi: number) => ({ phi: Float64Array.of(phi), confidence: Float64Array.of(0.5) });
const open = (file?: string, entries?: number): ScoreCache =>
  new ScoreCache(file, (error) => expect.unreachable(String(error)), entries);

/** A log of answers 0 .. n - 1. */
function logOf(name: string, n: number): string {
  const file = join(folder, name);
  const cache = open(file);
  for (let x = 0; x < n; x++) cache.put(key(x), answer(x / 10));
  cache.close();
  return file;
}

describe('the cache of scores', () => {
  it('keeps the latest in memory, and all of them in its log', () => {
    const inMemory = open(undefined, 2);
    for (let x = 0; x < 3; x++) inMemory.put(key(x), answer(x));
    inMemory.get(key(1));
    inMemory.put(key(3), answer(3));
    expect([0, 1, 2, 3].map((x) => inMemory.get(key(x))?.phi[0])).toEqual([undefined, 1, undefined, 3]);

    const logged = open(join(folder, 'small.log'), 2);
    for (let x = 0; x < 6; x++) logged.put(key(x), answer(x));
    expect([0, 1, 2, 3, 4, 5].map((x) => logged.get(key(x))?.phi[0])).toEqual([0, 1, 2, 3, 4, 5]);
    logged.close();
  });

  it('is there again after the process has gone, whole episodes and missing numbers too', () => {
    const file = logOf('again.log', 5);
    const first = open(file);
    const long = { phi: Float64Array.of(0.1, Number.NaN, 0.3), confidence: Float64Array.of(1, 0, 0.2) };
    first.put(key(9), long);
    first.close();
    const second = open(file);
    expect(second.get(key(4))).toEqual(answer(0.4));
    expect(second.get(key(9))).toEqual(long);
    expect(second.get(key(6))).toBeUndefined();
    second.close();
  });

  it('loses the last entry alone where the file ends anywhere within it', () => {
    const whole = readFileSync(logOf('torn.log', 3));
    const before = readFileSync(logOf('before.log', 2)).length;
    for (let length = before; length < whole.length; length++) {
      const file = join(folder, 'torn.log');
      writeFileSync(file, whole);
      truncateSync(file, length);
      const cache = open(file);
      expect([0, 1, 2].map((x) => cache.get(key(x))?.phi[0])).toEqual([0, 0.1, undefined]);
      cache.put(key(7), answer(0.7));
      cache.close();
      const after = open(file);
      expect([1, 2, 7].map((x) => after.get(key(x))?.phi[0])).toEqual([0.1, undefined, 0.7]);
      after.close();
    }
  });

  it('drops an entry whose bytes have changed, and refuses another kind of file', () => {
    const file = logOf('changed.log', 2);
    const bytes = readFileSync(file);
    bytes[bytes.length - 3]! ^= 1;
    writeFileSync(file, bytes);
    const cache = open(file);
    expect([0, 1].map((x) => cache.get(key(x))?.phi[0])).toEqual([0, undefined]);
    cache.close();
    const other = join(folder, 'other');
    appendFileSync(other, 'something else altogether');
    expect(() => open(other)).toThrow(/is no log of scores/);
  });

  it('tells questions apart by pictures, model, words and what stands around', () => {
    const identity = { model: 'm', prompt: 'p' };
    const request = { moments: [squareAt(1), squareAt(2)], instruction: 'go' };
    const keys = [
      key(1),
      key(2),
      momentKey({ ...identity, model: 'n' }, squareAt(1)),
      momentKey({ ...identity, prompt: 'q' }, squareAt(1)),
      requestKey(identity, request),
      requestKey(identity, { ...request, moments: [...request.moments].reverse() }),
      requestKey(identity, { ...request, instruction: 'stop' }),
      requestKey(identity, { ...request, goal: squareAt(3) }),
      requestKey(identity, { ...request, start: squareAt(3) }),
    ];
    expect(new Set(keys).size).toBe(keys.length);
    expect(requestKey(identity, { ...request, moments: [squareAt(1), squareAt(2)] })).toBe(keys[4]);
  });
});
