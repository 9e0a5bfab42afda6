import { describe, expect, it } from 'vitest';
import { corridor, learn, scoreReward } from './corridor.js';

const seeds = [1, 2, 3];

describe('a score that praises the wrong place', () => {
  it('is no trouble where there is none of it', () => {
    for (const seed of seeds) expect(learn(undefined, seed).success).toBe(1);
  });

  it('raises the return and not success when it is added as it is, and the alarm goes off', () => {
    for (const seed of seeds) {
      const hacked = learn(scoreReward({ kind: 'bonus' }), seed);
      expect(hacked.success).toBe(0);
      expect(hacked.shapedReturn).toBeGreaterThan(0.15 * (corridor.horizon - corridor.start));
      expect(hacked.warnings.length).toBeGreaterThan(0);
      const { added, success } = hacked.warnings[0]!;
      expect(added[1]).toBeGreaterThan(added[0]);
      expect(success[1]).toBeLessThan(success[0] + 0.1);
    }
  });

  it('does no harm behind the outcome gate', () => {
    for (const seed of seeds) {
      const gated = learn(scoreReward({ kind: 'bonus' }, { gate: 1 }), seed);
      expect(gated.success).toBe(1);
    }
  });

  it('does no harm as a potential', () => {
    for (const seed of seeds) {
      const shaped = learn(scoreReward({ kind: 'potential', veto: undefined }), seed);
      expect(shaped).toMatchObject({ success: 1, warnings: [] });
    }
  });

  it('cannot outweigh success below a cap', () => {
    for (const seed of seeds) {
      const capped = learn(scoreReward({ kind: 'bonus' }, { cap: 0.9 }), seed, 20000);
      expect(capped.success).toBe(1);
    }
  });
});
