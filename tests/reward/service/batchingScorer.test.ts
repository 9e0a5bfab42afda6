import { describe, expect, it } from 'vitest';
import { BatchingScorer, type BreakerChange } from '#reward/service/batchingScorer';
import { ScoreCache } from '#reward/service/scoreCache';
import { BrightnessScorer, brightness, squareAt } from './pictures.js';

const breaker = { failures: 2, pauseMs: 0 };

function service(
  scorer: BrightnessScorer,
  options: Partial<{ batch: number; deadlineMs: number; pauseMs: number }> = {},
) {
  const { batch = 4, deadlineMs = 1, pauseMs = 0 } = options;
  const changes: BreakerChange[] = [];
  const cache = new ScoreCache(undefined, () => {});
  const batching = new BatchingScorer(
    scorer,
    cache,
    { batch, deadlineMs, breaker: { ...breaker, pauseMs } },
    (change) => changes.push(change),
  );
  return { batching, changes };
}

const episode = (...xs: number[]) => ({ moments: xs.map(squareAt), instruction: '' });
const valuesAt = (...xs: number[]): number[] => xs.map((x) => brightness(squareAt(x).views[0]!));

describe('scores in batches', () => {
  it('are asked for over episodes, at most so many pictures at a time, each picture once', async () => {
    const scorer = new BrightnessScorer();
    const { batching } = service(scorer);
    const answers = await Promise.all([
      batching.score(episode(1, 2, 3)),
      batching.score(episode(3, 4)),
      batching.score(episode(5, 6, 1)),
    ]);
    expect(answers.map(({ phi }) => [...phi])).toEqual([
      valuesAt(1, 2, 3),
      valuesAt(3, 4),
      valuesAt(5, 6, 1),
    ]);
    expect(scorer.asked).toEqual([4, 2]);
    expect(batching.spent).toMatchObject({ calls: 2, moments: 6 });
  });

  it('known before cost no call', async () => {
    const scorer = new BrightnessScorer();
    const { batching } = service(scorer);
    await batching.score(episode(1, 2));
    const again = await batching.score(episode(2, 1, 2));
    expect(again).toMatchObject({ hits: 3, unanswered: 0 });
    expect([...again.phi]).toEqual(valuesAt(2, 1, 2));
    expect(scorer.asked).toEqual([2]);
  });

  it('of whole episodes are known again for the same episode only', async () => {
    const scorer = new BrightnessScorer('episode');
    const { batching } = service(scorer, { batch: 100 });
    await Promise.all([batching.score(episode(1, 2)), batching.score(episode(3, 4, 5))]);
    expect(scorer.asked).toEqual([5]);
    expect(await batching.score(episode(3, 4, 5))).toMatchObject({ hits: 3 });
    expect(await batching.score(episode(3, 4))).toMatchObject({ hits: 0 });
    expect(scorer.asked).toEqual([5, 2]);
  });

  it('that cannot be read are missing, are not kept, and are no failure', async () => {
    const scorer = new BrightnessScorer();
    const { batching, changes } = service(scorer);
    const black = { views: [{ ...squareAt(0).views[0]!, rgb: new Uint8Array(3 * 64), hash: 'black' }] };
    const request = { moments: [squareAt(1), black], instruction: '' };
    for (let i = 0; i < 4; i++) {
      const { phi, unanswered } = await batching.score(request);
      expect([...phi]).toEqual([...valuesAt(1), Number.NaN]);
      expect(unanswered).toBe(0);
    }
    expect(scorer.asked).toEqual([2, 1, 1, 1]);
    expect(changes).toEqual([]);
  });

  it('of a newer model are asked for again', async () => {
    const scorer = new BrightnessScorer();
    const { batching } = service(scorer);
    await batching.score(episode(1, 2));
    scorer.model = 'brightness 2';
    expect(await batching.score(episode(1, 2))).toMatchObject({ hits: 0 });
    expect(scorer.asked).toEqual([2, 2]);
  });
});

describe('a model that fails', () => {
  it('is left alone, told once each way, and asked again after the pause', async () => {
    const scorer = new BrightnessScorer();
    const { batching, changes } = service(scorer, { pauseMs: 50 });
    await batching.score(episode(1));
    scorer.failing = true;
    for (const x of [2, 3]) {
      const { phi, unanswered } = await batching.score(episode(x, 1));
      expect([...phi]).toEqual([Number.NaN, ...valuesAt(1)]);
      expect(unanswered).toBe(1);
    }
    expect(changes).toEqual([{ opened: true, why: 'the model is gone' }]);
    scorer.failing = false;
    while (batching.available === false) await new Promise((resume) => setTimeout(resume, 5));
    expect([...(await batching.score(episode(4))).phi]).toEqual(valuesAt(4));
    expect(changes).toEqual([{ opened: true, why: 'the model is gone' }, { opened: false }]);
  });

  it('is not asked while the breaker is open', async () => {
    const scorer = new BrightnessScorer();
    const { batching } = service(scorer, { pauseMs: 1e9 });
    scorer.failing = true;
    for (const x of [1, 2, 3, 4]) await batching.score(episode(x));
    expect(scorer.asked).toEqual([1, 1]);
    expect(batching.available).toBe(false);
  });
});
