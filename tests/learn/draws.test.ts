import { describe, expect, it } from 'vitest';
import { Draws } from '#core/draws';
import { PhiloxStream } from '#core/philox';

describe('bulk draws', () => {
  it('are the words of the same Philox stream', () => {
    const words = new PhiloxStream(9, 4);
    const out = new Float32Array(10);
    new Draws(9, 4).uniforms(out);
    for (let i = 0; i < 10; i++) expect(out[i]).toBe(Math.fround(words.uniform()));
  });

  it('continue from a position', () => {
    const a = new Draws(1, 1);
    const b = new Draws(1, 1);
    const skip = new Float32Array(7);
    a.normals(skip);
    b.position = a.position;
    const [x, y] = [new Float32Array(9), new Float32Array(9)];
    a.normals(x);
    b.normals(y);
    expect(x).toEqual(y);
  });

  it('give normals of mean 0 and variance 1', () => {
    const out = new Float32Array(40_000);
    new Draws(3, 0).normals(out);
    const mean = out.reduce((s, x) => s + x, 0) / out.length;
    const variance = out.reduce((s, x) => s + (x - mean) ** 2, 0) / out.length;
    expect(Math.abs(mean)).toBeLessThan(0.02);
    expect(Math.abs(variance - 1)).toBeLessThan(0.03);
  });

  it('give distinct members, every pair equally often', () => {
    const draws = new Draws(5, 0);
    const pair = new Int32Array(2);
    const counts = new Map<string, number>();
    for (let i = 0; i < 12_000; i++) {
      draws.distinct(pair, 4);
      expect(pair[0]).not.toBe(pair[1]);
      counts.set(`${pair}`, (counts.get(`${pair}`) ?? 0) + 1);
    }
    expect(counts.size).toBe(12);
    for (const n of counts.values()) expect(Math.abs(n - 1000)).toBeLessThan(150);
  });
});
