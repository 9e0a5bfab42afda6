import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { afterHop, fuseEpisode, fuseHops, type Hops, hopBetween } from '#reward/hopFusion';

const share = fc.double({ min: 0, max: 1, noNaN: true });
const hop = fc.double({ min: -1, max: 1, noNaN: true });
const perhapsHop = fc.oneof(hop, fc.constant(Number.NaN));

/** What a perfect judge says on the way through `progress`. */
function hopsAlong(progress: readonly number[]): Hops[] {
  return progress.slice(1).map((value, t) => ({
    incremental: hopBetween(progress[t]!, value),
    forward: hopBetween(0, value),
    backward: hopBetween(1, value),
  }));
}

describe('hops', () => {
  it('lead from where they start to where they end', () => {
    fc.assert(
      fc.property(share, share, (p, q) => {
        const h = hopBetween(p, q);
        expect(Math.abs(h)).toBeLessThanOrEqual(1);
        expect(afterHop(p, h)).toBeCloseTo(q, 9);
      }),
    );
  });

  it('stay in [0, 1], and go up exactly when the hop is positive', () => {
    fc.assert(
      fc.property(share, hop, (p, h) => {
        const q = afterHop(p, h);
        expect(q).toBeGreaterThanOrEqual(0);
        expect(q).toBeLessThanOrEqual(1);
        if (h > 0) expect(q).toBeGreaterThanOrEqual(p);
        if (h < 0) expect(q).toBeLessThanOrEqual(p);
      }),
    );
  });
});

describe('fusion of hops', () => {
  it('gives back the progress that all three ways agree on, with full confidence', () => {
    fc.assert(
      fc.property(fc.array(share, { minLength: 1, maxLength: 12 }), (rest) => {
        const progress = [0, ...rest];
        const fused = fuseEpisode(hopsAlong(progress), 1);
        for (const [t, { progress: value, confidence }] of fused.entries()) {
          expect(value).toBeCloseTo(progress[t]!, 9);
          expect(confidence).toBeCloseTo(1, 6);
        }
      }),
    );
  });

  it('is a number in [0, 1], or missing where all is, whatever a model says', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ incremental: perhapsHop, forward: perhapsHop, backward: perhapsHop }), {
          maxLength: 10,
        }),
        fc.double({ min: 0.1, max: 10, noNaN: true }),
        (hops, alpha) => {
          for (const { progress, confidence } of fuseEpisode(hops, alpha)) {
            expect(confidence).toBeGreaterThanOrEqual(0);
            expect(confidence).toBeLessThanOrEqual(1);
            if (Number.isNaN(progress)) expect(confidence).toBe(0);
            else expect(progress >= 0 && progress <= 1).toBe(true);
          }
        },
      ),
    );
  });

  it('trusts a moment the less, the more its start and its goal disagree', () => {
    const of = (forward: number, backward: number) =>
      fuseHops({ incremental: 0, forward, backward }, 0.5, 1).confidence;
    const confidences = [-0.5, -0.4, -0.2, 0].map((backward) => of(0.5, backward));
    expect(confidences[0]).toBeCloseTo(1, 9);
    for (let i = 1; i < confidences.length; i++) expect(confidences[i]).toBeLessThan(confidences[i - 1]!);
    // D = |1 - 0.5| / 0.75, w = exp(-D^2)
    expect(of(0.5, 0)).toBeCloseTo(Math.exp(-((0.5 / 0.75) ** 2)), 5);
  });

  it('carries on behind a moment that is missing', () => {
    const missing = { incremental: Number.NaN, forward: Number.NaN, backward: Number.NaN };
    const fused = fuseEpisode([missing, { incremental: 0.5, forward: 0.4, backward: -0.6 }], 1);
    expect(fused[1]!.progress).toBeNaN();
    expect(fused[2]!.progress).toBeCloseTo(0.4, 9);
  });
});
