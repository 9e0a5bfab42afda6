import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { VernierError } from '#core/errors';
import { type Demos, loadDemos, saveDemos } from '#data/demos';

const folder = mkdtempSync(join(tmpdir(), 'vernier-demos-'));
const episode = { seed: 1, environment: 0, terminated: true, truncated: false, success: true };

function demos(over: Partial<Demos> = {}): Demos {
  return {
    task: 'toy',
    taskHash: 'abc',
    robotHash: 'def',
    controlPeriod: 0.05,
    observationFields: [{ name: 'x', length: 2, unit: 'm' }],
    actionNames: ['x'],
    O: 2,
    A: 1,
    episodes: [
      { ...episode, episode: 0, length: 2 },
      { ...episode, episode: 1, length: 1 },
    ],
    observation: Float32Array.from({ length: 10 }, (_, i) => i),
    action: Float32Array.of(0.1, 0.2, 0.3),
    reward: Float32Array.of(0, 1, 1),
    ...over,
  };
}

function failure(action: () => unknown): VernierError {
  try {
    action();
  } catch (error) {
    if (error instanceof VernierError) return error;
    throw error;
  }
  throw new Error('expected a VernierError');
}

describe('demonstration files', () => {
  it('come back as they were saved', () => {
    const path = join(folder, 'same.vrn');
    saveDemos(path, demos());
    expect(loadDemos(path, { taskHash: 'abc', O: 2, A: 1 })).toEqual(demos());
  });

  it.each([
    ['another version of the task', { taskHash: 'other', O: 2, A: 1 }, /hash abc, the task has other/],
    ['another observation', { taskHash: 'abc', O: 3, A: 1 }, /observations have 2 numbers, the task has 3/],
    ['another action', { taskHash: 'abc', O: 2, A: 4 }, /actions have 1 numbers, the task has 4/],
  ])('of %s are refused', (_, expected, message) => {
    const path = join(folder, 'other.vrn');
    saveDemos(path, demos());
    const error = failure(() => loadDemos(path, expected));
    expect(error.code).toBe('DATA');
    expect(error.message).toMatch(message);
    expect(error.message).toContain(path);
    expect(error.hint).toMatch(/vernier demos/);
  });

  it.each([
    [
      'NaN',
      { observation: Float32Array.from([0, 1, 2, 3, 4, 5, 6, Number.NaN, 8, 9]) },
      /episode 1 holds NaN/,
    ],
    ['infinity', { action: Float32Array.of(0.1, Number.POSITIVE_INFINITY, 0.3) }, /episode 0 holds Infinity/],
    ['too few rewards', { reward: Float32Array.of(0, 1) }, /reward holds 2 numbers, the episodes need 3/],
    ['no episodes', { episodes: [] }, /no episodes/],
  ])('with %s are one DATA error', (_, over, message) => {
    const error = failure(() => saveDemos(join(folder, 'bad.vrn'), demos(over)));
    expect(error.code).toBe('DATA');
    expect(error.message).toMatch(message);
  });

  it('that are torn or foreign are DATA errors, a missing one an IO error with what to do', () => {
    const path = join(folder, 'torn.vrn');
    saveDemos(path, demos());
    const bytes = readFileSync(path);
    writeFileSync(path, bytes.subarray(0, bytes.length - 40));
    expect(failure(() => loadDemos(path)).message).toMatch(/checksum/);
    bytes[bytes.length - 50]! ^= 1;
    writeFileSync(path, bytes);
    expect(failure(() => loadDemos(path)).code).toBe('DATA');
    writeFileSync(path, 'not a file of ours');
    expect(failure(() => loadDemos(path)).message).toMatch(/not a Vernier file/);
    const missing = failure(() => loadDemos(join(folder, 'missing.vrn')));
    expect([missing.code, missing.hint]).toEqual(['IO', expect.stringContaining('vernier demos')]);
  });
});
