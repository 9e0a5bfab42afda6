import { expect, it } from 'vitest';
import { Progress } from '#learn/progress';
import type { Counters } from '#learn/trainer';

const counters = (): Counters => ({
  environmentSteps: 0,
  episodes: 0,
  criticUpdates: 0,
  actorUpdates: 0,
  criticOnlyUpdates: 0,
  owed: 0,
  successes: 0,
  faults: 0,
});

/** A learner of 100 steps and 50 updates a second, watched by a clock that the test moves. */
function watched() {
  const trainer = { counters: counters(), recent: [], takeAverages: () => ({}) };
  let now = 0;
  const progress = new Progress(trainer, 1000, now);
  const learn = (seconds: number): void => {
    now += 1000 * seconds;
    trainer.counters.environmentSteps += 100 * seconds;
    trainer.counters.criticUpdates += 50 * seconds;
  };
  const event = () => progress.event(now, 'online');
  const evaluate = (seconds: number): void => {
    progress.pause(now);
    now += 1000 * seconds;
    progress.resume(now);
  };
  return { progress, learn, evaluate, event, due: () => progress.due(now) };
}

const RATES = { stepsPerSecond: 100, updatesPerSecond: 50 };

it('leaves evaluations out of the rates', () => {
  const { learn, evaluate, event, due } = watched();
  learn(0.5);
  evaluate(20);
  expect(due()).toBe(false);
  learn(0.5);
  expect(due()).toBe(true);
  expect(event()).toMatchObject({ ...RATES, eta: 9 });
});

it('keeps its rates at the end, right behind an event or an evaluation', () => {
  const { learn, evaluate, event } = watched();
  learn(2);
  event();
  expect(event()).toMatchObject(RATES);
  learn(0.01);
  evaluate(20);
  expect(event()).toMatchObject(RATES);
});

it('says the rates of a run shorter than a window', () => {
  const { learn, evaluate, event } = watched();
  learn(0.25);
  evaluate(20);
  expect(event()).toMatchObject(RATES);
});
