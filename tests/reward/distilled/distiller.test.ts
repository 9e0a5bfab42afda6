import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Draws } from '#core/draws';
import { DistilledScores } from '#reward/distilled/distilledScores';
import { Distiller } from '#reward/distilled/distiller';
import { ProgressEnsemble } from '#reward/distilled/progressEnsemble';
import { valueOrderCorrelation } from '#reward/rankStatistics';
import { type DistillationSpec, distilledSchema } from '#spec/scores/distilledSchema';

const folder = mkdtempSync(join(tmpdir(), 'vernier-distilled-'));
afterAll(() => rmSync(folder, { recursive: true }));

const fields = [
  { name: 'place', length: 2, unit: 'm' },
  { name: 'noise', length: 1, unit: '1' },
];
const compile = { backend: 'reference' } as const;
const T = 20;

/** An episode on the way from somewhere to the origin, beside a number that says nothing. @param label of progress 0 to 1 */
function walk(seed: number, label = (progress: number) => progress) {
  const values = new Float32Array(2 + T + 1);
  new Draws(seed, 7).uniforms(values, -1, 1);
  const observation = new Float32Array(3 * (T + 1));
  for (let t = 0; t <= T; t++) observation.set([values[0]! * (1 - t / T), 1 - t / T, values[2 + t]!], 3 * t);
  const samples = Array.from({ length: T / 4 + 1 }, (_, k) => 4 * k);
  return { observation, samples, labels: samples.map((t) => label(t / T)), success: true };
}

function distiller(
  target: DistillationSpec['target'] = 'regression',
  rest: Partial<DistillationSpec> = {},
): Distiller {
  const settings = distilledSchema.parse({ of: 'slow', target, hidden: [16], steps: 300, ...rest });
  return new Distiller({ fields, settings: settings as DistillationSpec, seed: 3, compile });
}

describe('networks that learn what a model says of pictures', () => {
  it.each(['regression', 'classification', 'ranking'] as const)(
    'know the progress of episodes they have not seen, by %s',
    (target) => {
      const student = distiller(target);
      const due = Array.from({ length: 12 }, (_, k) => student.add(walk(k)));
      expect(due.indexOf(true)).toBe(7);
      expect(student.current).toBeUndefined();
      const { held, before, published } = student.train();
      expect({ before, published }).toEqual({ before: undefined, published: true });
      expect(held).toBeGreaterThan(0.9);
      const { phi, confidence } = student.current!.score(walk(99).observation);
      expect(valueOrderCorrelation(phi)).toBeGreaterThan(0.9);
      expect(phi[T]! - phi[0]!).toBeGreaterThan(0.5);
      for (const value of [...phi, ...confidence]) {
        expect(value).toBeGreaterThanOrEqual(0);
        expect(value).toBeLessThanOrEqual(1);
      }
      student.close();
    },
  );

  it('are left where newer ones are no better on held-out episodes', () => {
    const student = distiller('regression', { labels: 60 });
    for (let k = 0; k < 8; k++) student.add(walk(k));
    student.train();
    const first = student.current;
    // The model has turned about: what is learned of it now orders successes the wrong way round.
    for (let k = 8; k < 40; k++) student.add(walk(k, (progress) => 1 - progress));
    const { held, before, published } = student.train();
    expect(before).toBeGreaterThan(0.9);
    expect(held).toBeLessThan(0);
    expect(published).toBe(false);
    expect(student.current).toBe(first);
    student.close();
  });

  it('are less sure where they have seen nothing', () => {
    const student = distiller();
    for (let k = 0; k < 16; k++) student.add(walk(k));
    student.train();
    const mean = (values: Float64Array): number => values.reduce((sum, v) => sum + v, 0) / values.length;
    const known = student.current!.score(walk(50).observation).confidence;
    const strange = student.current!.score(walk(50).observation.map((x) => 20 * x)).confidence;
    expect(mean(strange)).toBeLessThan(mean(known));
    student.close();
  });

  it('learn nothing of episodes without a label', () => {
    const student = distiller();
    expect(student.add({ ...walk(1), samples: [], labels: [] })).toBe(false);
  });

  it('lie in a file that another task with the same observation can use, and no other', () => {
    const student = distiller('ranking');
    for (let k = 0; k < 12; k++) student.add(walk(k));
    student.train();
    const file = join(folder, 'progress.vrn');
    student.current!.save(file, { of: 'slow' });
    const { observation } = walk(77);
    const settings = distilledSchema.parse({ file: 'progress.vrn' });
    const scores = new DistilledScores({
      ...{ scores: [{ name: 'fast', settings, directory: folder }], fields, seed: 0, compile, folder },
      note: () => {},
    });
    const [score] = scores.score(5, observation);
    expect(score).toMatchObject({ id: 5, score: 'fast', version: 1, unanswered: 0 });
    expect(score!.phi).toEqual(student.current!.score(observation).phi);
    scores.close();
    student.close();
    const others = [{ ...fields[0]!, unit: 'rad' }, fields[1]!];
    expect(() => ProgressEnsemble.load(file, others, compile)).toThrow(
      /learned on the observation place\[2\] m/,
    );
    expect(() => ProgressEnsemble.load(join(folder, 'none.vrn'), fields, compile)).toThrow(/none\.vrn/);
  });

  it('of a run take over what was learned before it stopped', () => {
    const settings = distilledSchema.parse({ of: 'slow', hidden: [16], steps: 200 });
    const notes: string[] = [];
    const open = () =>
      new DistilledScores({
        ...{ scores: [{ name: 'fast', settings, directory: '/' }], fields, seed: 0, compile, folder },
        note: (text) => notes.push(text),
      });
    const scores = open();
    expect(scores.score(0, walk(1).observation)).toEqual([]);
    const said = Array.from({ length: 10 }, (_, k) => {
      const { observation, samples, labels } = walk(k);
      const phi = Float64Array.from(labels);
      const score = {
        id: k,
        score: 'slow',
        samples,
        phi,
        confidence: phi,
        hits: 0,
        unanswered: 0,
        version: 1,
      };
      return scores.learn(score, observation, true);
    });
    expect(said.filter(Boolean)).toHaveLength(1);
    expect(notes).toEqual([expect.stringMatching(/score fast: order of held-out episodes .* taken/)]);
    const [before] = scores.score(0, walk(1).observation);
    expect(before!.version).toBe(2);
    scores.close();
    const again = open();
    expect(again.score(0, walk(1).observation)[0]!.phi).toEqual(before!.phi);
    again.close();
  });
});
