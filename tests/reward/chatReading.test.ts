import { describe, expect, it } from 'vitest';
import { meanOfVotes } from '#reward/backends/chatAsker';
import { expectationOf, numberOf, numbersOf, wordProbability } from '#reward/backends/chatReading';

const told = (probabilities: Readonly<Record<string, number>>) =>
  Object.entries(probabilities).map(([token, p]) => ({ token, logprob: Math.log(p) }));
const digits = new Map(Array.from({ length: 10 }, (_, d) => [String(d), d / 9]));

describe('token probabilities', () => {
  it('make an expectation over the tokens that count, with or without a space', () => {
    const { value, mass, deviation } = expectationOf(
      told({ '0': 0.2, ' 9': 0.3, '9': 0.3, The: 0.2 }),
      digits,
    );
    expect(value).toBeCloseTo(0.75, 12);
    expect(mass).toBeCloseTo(0.8, 12);
    expect(deviation).toBeCloseTo(Math.sqrt(0.75 * 0.25), 12);
  });

  it('tell nothing where no token counts', () => {
    expect(expectationOf(told({ The: 0.9, A: 0.1 }), digits)).toEqual({
      value: Number.NaN,
      mass: 0,
      deviation: Number.NaN,
    });
    expect(wordProbability(told({ The: 0.9, A: 0.1 }), 'True', 'False')).toBeUndefined();
  });

  it('weigh a word against the other one in all their spellings', () => {
    const of = wordProbability(told({ True: 0.3, ' true': 0.1, FALSE: 0.1, Maybe: 0.05 }), 'True', 'False')!;
    expect(of.share).toBeCloseTo(0.8, 12);
    expect(of.logprob).toBeCloseTo(Math.log(0.4), 12);
    const none = wordProbability(told({ False: 0.9, Maybe: 0.01 }), 'True', 'False')!;
    expect(none).toEqual({ share: 0, logprob: Math.log(0.01), mass: 0.9 });
  });
});

describe('a number in an answer', () => {
  it.each([
    ['{"answer": 7}', 7],
    ['```json\n{"answer": 7}\n```', 7],
    ['Sure! {"answer": 7.5} is what I think of picture 3.', 7.5],
    ['The answer is: 4', 4],
    ['answer=4, because 2 of 3 steps are done', 4],
    ['8', 8],
    ['I would say 3.', 3],
  ])('%j is %d', (text, value) => {
    expect(numberOf(text, 'answer', 0, 9)).toBe(value);
  });

  it.each(['', 'I cannot tell.', '{"answer": 12}', '{"answer": null}', '2 or 3', '{"answer": '])(
    '%j is missing',
    (text) => {
      expect(numberOf(text, 'answer', 0, 9)).toBeNaN();
    },
  );
});

describe('a number for each picture', () => {
  it.each([
    ['{"percentages": [0, 50, 100]}'],
    ['Here:\n{"percentages": [0, 50, 100]}\nDone.'],
    ['Frame 1: the arm is at rest, 0%\nFrame 2: half way, 50%\nFrame 3: done, 100%'],
    ['1) 0\n2) 50\n3) 100'],
    ['Picture 3: 100 %\nPicture 1: 0 %\nPicture 2: 50 %'],
  ])('%j', (text) => {
    expect(numbersOf(text, 'percentages', 3, 0, 100)).toEqual([0, 50, 100]);
  });

  it.each([
    ['one too few', '{"percentages": [0, 50]}'],
    ['one too many', '{"percentages": [0, 50, 100, 100]}'],
    ['out of range', '{"percentages": [0, 50, 130]}'],
    ['a gap', 'Frame 1: 0%\nFrame 3: 100%'],
    ['nothing', 'I am sorry.'],
  ])('none with %s', (_, text) => {
    expect(numbersOf(text, 'percentages', 3, 0, 100)).toBeUndefined();
  });
});

describe('votes', () => {
  it('average, and are trusted the less the more they differ', () => {
    const vote = (value: number) => ({ value, confidence: 1 });
    expect(meanOfVotes([vote(0.4), vote(0.4)])).toEqual({ value: 0.4, confidence: 1 });
    const { value, confidence } = meanOfVotes([vote(0.3), vote(0.5)]);
    expect([value, confidence]).toEqual([expect.closeTo(0.4, 12), expect.closeTo(0.8, 12)]);
    expect(meanOfVotes([vote(0), vote(1)]).confidence).toBeCloseTo(0, 12);
  });

  it('that are missing cost confidence, and all missing are missing', () => {
    const gone = { value: Number.NaN, confidence: 0 };
    expect(meanOfVotes([{ value: 0.4, confidence: 1 }, gone])).toEqual({ value: 0.4, confidence: 0.5 });
    expect(meanOfVotes([gone, gone])).toEqual(gone);
  });
});
