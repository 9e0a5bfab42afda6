import { describe, expect, it } from 'vitest';
import { Replay } from '#data/replay';
import { LabelBook } from '#reward/labelBook';
import { RewardShaper } from '#reward/rewardShaper';
import { heldBetween, ScoredShaper, type ScoreTrace } from '#reward/scoredShaper';
import type { MethodSpec, ScoredEntry, ValueSource } from '#spec/resolvedReward';
import { replayStep } from './replayStep.js';

const gamma = 0.9;
const potential: MethodSpec = { kind: 'potential', veto: undefined };
const progress: ValueSource = { score: 'progress', confidence: 0 };

function entry(method: MethodSpec, rest: Partial<ScoredEntry> = {}): ScoredEntry {
  const common = { weight: 1, cap: 0.9, gate: undefined, invariant: false };
  return { ...common, name: method.kind, method, sources: [progress], ...rest };
}

const shaperOf = (...scored: ScoredEntry[]): ScoredShaper =>
  new ScoredShaper({ entries: [], scored, factors: [] }, gamma);

const traceOf = (phi: readonly number[], confidence = phi.map(() => 1)): ScoreTrace => ({
  phi: Float64Array.from(phi),
  confidence: Float64Array.from(confidence),
});

/** An episode whose signals are one row of numbers. */
function episode(shaper: ScoredShaper, signals: readonly number[], success = false) {
  return {
    columns: signals.map((value) => shaper.columnsOf(Float64Array.of(0, value))),
    rewards: signals.slice(1).map((_, t) => (success && t === signals.length - 2 ? 1 : 0)),
    success,
    terminated: success,
  };
}

const credits = (shaper: ScoredShaper, phi: readonly number[], success = false, signals = phi): number[] => [
  ...shaper.credit(episode(shaper, signals, success), new Map([['progress', traceOf(phi)]])).credits,
];

describe('aids over scores', () => {
  it.each<[string, MethodSpec, Partial<ScoredEntry>]>([
    ['a potential', potential, { weight: 0.5 }],
    ['a bonus', { kind: 'bonus' }, { weight: 0.1 }],
    ['a bonus behind a gate', { kind: 'bonus' }, { gate: 'success' }],
    ['a process score', { kind: 'process', form: 'delta', margin: 0 }, {}],
    ['a clipped process score', { kind: 'process', form: 'clip', margin: 0.5 }, {}],
  ])('%s credits late what the same numbers would have added at once', (_, method, rest) => {
    const values = [0.1, 0.5, 0.3, 0.8];
    for (const success of [false, true]) {
      const aid = entry(method, rest);
      const { sources: __, ...same } = aid;
      const atOnce = new RewardShaper(
        { entries: [{ ...same, offset: 0, length: 1 }], factors: [] },
        1,
        gamma,
      );
      atOnce.begin(0, Float64Array.of(values[0]!));
      const added = values.slice(1).map((value, t) => {
        const last = success && t === 2;
        return atOnce.step(0, Float64Array.of(value), last ? 1 : 0, last);
      });
      const late = atOnce.finish(0, success).credits;
      expect(credits(shaperOf(aid), values, success)).toEqual(added.map((value, t) => value + late[t]!));
    }
  });

  it('add nothing for what is missing, and nothing at all where all is', () => {
    const nan = Number.NaN;
    expect(credits(shaperOf(entry(potential)), [0.2, nan, 0.4, 0.5])).toEqual([0, 0, gamma * 0.5 - 0.4]);
    expect(credits(shaperOf(entry({ kind: 'bonus' })), [0.2, nan, 0.4])).toEqual([0, 0.4]);
    const delta = entry({ kind: 'process', form: 'delta', margin: 0 });
    expect(credits(shaperOf(delta), [0.1, 0.2, nan, 0.4])).toEqual([0, expect.closeTo(-0.2), 0.4]);
    for (const method of [
      potential,
      { kind: 'bonus' },
      delta.method,
      { ...delta.method, form: 'clip' },
    ] as const)
      expect(credits(shaperOf(entry(method as MethodSpec)), [nan, nan, nan])).toEqual([0, 0]);
    expect([
      ...shaperOf(entry(potential)).credit(episode(shaperOf(entry(potential)), [1, 2]), new Map()).credits,
    ]).toEqual([0]);
  });

  it('leave out what the scorer is not sure of, and what members of an ensemble disagree on', () => {
    const sure = shaperOf(entry(potential, { sources: [{ score: 'progress', confidence: 0.5 }] }));
    const trace = traceOf([0.2, 0.4, 0.6], [1, 0.4, 1]);
    expect([...sure.credit(episode(sure, [0, 0, 0]), new Map([['progress', trace]])).credits]).toEqual([
      0, 0,
    ]);
    const both = shaperOf(entry({ kind: 'potential', veto: 0.1 }, { sources: [progress, { signal: 1 }] }));
    const signals = [0.2, 0.4, 0.9];
    expect(credits(both, [0.2, 0.4, 0.4], false, signals)).toEqual([gamma * 0.4 - 0.2, 0]);
  });

  it('hold a score until the next one that is known', () => {
    const held = heldBetween([0, 2, 4], traceOf([0.1, Number.NaN, 0.3], [1, 1, 0.5]), 7);
    expect([...held.phi]).toEqual([0.1, 0.1, 0.1, 0.1, 0.3, 0.3, 0.3]);
    expect([...held.confidence]).toEqual([1, 1, 1, 1, 0.5, 0.5, 0.5]);
    expect([...heldBetween([0, 2], traceOf([Number.NaN, 0.2]), 4).phi]).toEqual([
      Number.NaN,
      Number.NaN,
      0.2,
      0.2,
    ]);
  });
});

describe('the book of labels', () => {
  const options = { O: 1, A: 1, environments: 1, capacity: 8, nStep: 2, gamma, horizon: 4 };
  const nothing = { hits: 0, unanswered: 0 };

  /** Four steps into the replay and the book. */
  function store(book: LabelBook, shaper: ScoredShaper, replay: Replay, id: number): void {
    for (let t = 0; t < 4; t++) replay.add(0, replayStep(0, { truncated: t === 3 }), 0);
    const posed = { id, samples: [0, 2], poses: [] };
    book.add({ ...episode(shaper, [0, 0, 0, 0, 0]), replay, steps: replay.takeEpisode(0), posed });
  }

  const answer = (id: number, phi: readonly number[], version = 1) => ({
    ...{ id, score: 'progress', samples: [0, 2], version, ...nothing },
    ...traceOf(phi),
  });
  const rewards = (replay: Replay): number[] =>
    Array.from(replay.state()['ended']!, (_, i) => replay.readCopy(i).reward[0]!);

  /** What the replay would hold had the credits been there at once. */
  function expected(shaper: ScoredShaper, phi: readonly number[]): number[] {
    const replay = new Replay(options);
    const held = heldBetween([0, 2], traceOf(phi), 5);
    const { credits: late } = shaper.credit(episode(shaper, [0, 0, 0, 0, 0]), new Map([['progress', held]]));
    for (let t = 0; t < 4; t++) replay.add(0, replayStep(late[t]!, { truncated: t === 3 }), 0);
    return rewards(replay);
  }

  it('settles scores whenever they come, and only what the replay still has', () => {
    const shaper = shaperOf(entry(potential));
    const book = new LabelBook(shaper);
    const replay = new Replay(options);
    store(book, shaper, replay, 0);
    store(book, shaper, replay, 1);
    book.arrive(answer(1, [0.5, 0.7]));
    book.arrive(answer(0, [0.1, 0.9]));
    const close = (values: number[]) => values.map((value) => expect.closeTo(value, 6));
    expect(rewards(replay)).toEqual(
      close([...expected(shaper, [0.1, 0.9]), ...expected(shaper, [0.5, 0.7])]),
    );
    store(book, shaper, replay, 2);
    expect([0, 1, 2].map((id) => book.isStale(id))).toEqual([true, false, false]);
    book.arrive(answer(0, [0.3, 0.3], 2));
    expect(rewards(replay)).toEqual(close([0, 0, 0, 0, ...expected(shaper, [0.5, 0.7])]));
    store(book, shaper, replay, 3);
    expect(book.size).toBe(2);
  });

  it('takes a newer model for an older one: the difference is settled, the newest episode first', () => {
    const shaper = shaperOf(entry(potential), entry({ kind: 'bonus' }, { weight: 0.1, gate: 'success' }));
    const book = new LabelBook(shaper);
    const replay = new Replay(options);
    store(book, shaper, replay, 0);
    store(book, shaper, replay, 1);
    book.arrive(answer(0, [0.2, 0.4]));
    book.arrive(answer(1, [0.2, 0.4]));
    book.renew('progress', 2);
    expect(book.outdated).toBe(2);
    expect([book.nextOutdated()?.id, book.nextOutdated()?.id, book.nextOutdated()]).toEqual([
      1,
      0,
      undefined,
    ]);
    book.arrive(answer(1, [0.9, 0.1], 2));
    // What was asked for and not answered leaves the older score in its place.
    book.arrive({ ...answer(0, [Number.NaN, Number.NaN], 2), unanswered: 2 });
    const wanted = [...expected(shaper, [0.2, 0.4]), ...expected(shaper, [0.9, 0.1])];
    expect(rewards(replay)).toEqual(wanted.map((value) => expect.closeTo(value, 6)));
  });

  it('forgets what has left its replay, behind demonstrations that stay in theirs', () => {
    const shaper = shaperOf(entry(potential));
    const book = new LabelBook(shaper);
    store(book, shaper, new Replay(options), 0);
    const replay = new Replay(options);
    for (let id = 1; id < 20; id++) store(book, shaper, replay, id);
    expect([...book.episodes()].map(({ posed }) => posed.id)).toEqual([0, 18, 19]);
    expect(book.size).toBe(3);
  });

  it('keeps steps with and without scores apart: what waits is not drawn, and without a model all is as it was', () => {
    const shaper = shaperOf(entry(potential));
    const book = new LabelBook(shaper);
    const replay = new Replay({ ...options, capacity: 1000, holdsBack: true });
    const unanswered = (id: number) => ({ ...answer(id, [Number.NaN, Number.NaN]), unanswered: 2 });
    const close = (values: number[]) => values.map((value) => expect.closeTo(value, 6));
    const phis = [
      [0.1, 0.9],
      [0.5, 0.7],
      [0.2, 0.3],
      [0.4, 0.8],
    ];
    const shaped = (...ids: number[]) => close(ids.flatMap((id) => expected(shaper, phis[id]!)));
    const none = (episodes: number) => new Array(4 * episodes).fill(expect.closeTo(0, 6));
    const seen = () => [book.isShaped, replay.size, rewards(replay)];
    // Before there are enough answers nothing waits.
    for (const id of [0, 1]) store(book, shaper, replay, id);
    book.arrive(answer(0, phis[0]!));
    expect(seen()).toEqual([false, 8, none(2)]);
    book.arrive(answer(1, phis[1]!));
    for (const id of [2, 3, 4]) store(book, shaper, replay, id);
    for (const id of [2, 3]) book.arrive(unanswered(id));
    expect(seen()).toEqual([true, 8, [...shaped(0, 1), ...none(3)]]);
    // The third in a row: the model is away.
    book.arrive(unanswered(4));
    expect(seen()).toEqual([false, 20, none(5)]);
    book.arrive(answer(2, phis[2]!));
    book.arrive(answer(3, phis[3]!));
    expect(seen()).toEqual([true, 16, [...shaped(0, 1, 2, 3), ...none(1)]]);
    // What nobody answered is asked for again, as is what was given up.
    expect([book.nextOutdated()?.id, book.nextOutdated()]).toEqual([4, undefined]);
    book.drop(4);
    expect(book.nextOutdated()?.id).toBe(4);
    // The model is too slow.
    for (let id = 5; id < 12; id++) store(book, shaper, replay, id);
    expect(book.isShaped).toBe(true);
    store(book, shaper, replay, 12);
    expect(seen()).toEqual([false, 52, none(13)]);
    for (let id = 4; id < 9; id++) book.arrive(answer(id, phis[0]!));
    expect([book.isShaped, replay.size]).toEqual([true, 36]);
    book.end();
    expect(seen()).toEqual([false, 52, none(13)]);
  });

  it('waits with the alarm for all scores of an episode', () => {
    const scored = [
      entry({ kind: 'bonus' }, { weight: 0.1 }),
      entry({ kind: 'bonus' }, { name: 'other', sources: [{ score: 'other', confidence: 0 }] }),
    ];
    const shaper = shaperOf(...scored);
    expect(shaper.scores).toEqual(['progress', 'other']);
    const book = new LabelBook(shaper);
    const replay = new Replay({ ...options, capacity: 1000 });
    for (let id = 0; id < 60; id++) {
      store(book, shaper, replay, id);
      book.arrive(answer(id, id < 30 ? [0, 0] : [0.8, 0.9]));
      if (id < 59) book.arrive({ ...answer(id, [0, 0]), score: 'other' });
    }
    expect(book.takeWarnings()).toEqual([]);
    book.arrive({ ...answer(59, [0, 0]), score: 'other' });
    expect(book.takeWarnings()).toMatchObject([{ success: [0, 0] }]);
    expect(book.takeWarnings()).toEqual([]);
  });
});
