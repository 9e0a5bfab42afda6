import type { PhaseName, TrainEvent } from '#learn/events';
import type { Trainer } from '#learn/trainer';

const PROGRESS_MS = 1000;

/** Rates between progress events. */
export class Progress {
  readonly #trainer: Trainer;
  readonly #total: number;
  #at = performance.now();
  #steps: number;
  #updates: number;

  constructor(trainer: Trainer, total: number) {
    this.#trainer = trainer;
    this.#total = total;
    this.#steps = trainer.counters.environmentSteps;
    this.#updates = trainer.counters.criticUpdates;
  }

  due(now: number): boolean {
    return now - this.#at >= PROGRESS_MS;
  }

  /** Leaves the time of an evaluation out of the rates. */
  pause(now: number): void {
    this.#start(now);
  }

  #start(now: number): void {
    this.#at = now;
    this.#steps = this.#trainer.counters.environmentSteps;
    this.#updates = this.#trainer.counters.criticUpdates;
  }

  event(now: number, phase: PhaseName): TrainEvent {
    const { counters, recent } = this.#trainer;
    const seconds = Math.max(1e-3, (now - this.#at) / 1000);
    const stepsPerSecond = (counters.environmentSteps - this.#steps) / seconds;
    const event: TrainEvent = {
      kind: 'progress',
      phase,
      environmentSteps: counters.environmentSteps,
      total: this.#total,
      updates: counters.criticUpdates,
      stepsPerSecond,
      updatesPerSecond: (counters.criticUpdates - this.#updates) / seconds,
      success: recent.length === 0 ? undefined : recent.reduce((a, b) => a + b, 0) / recent.length,
      eta: stepsPerSecond > 0 ? (this.#total - counters.environmentSteps) / stepsPerSecond : undefined,
      losses: this.#trainer.takeAverages(),
    };
    this.#start(now);
    return event;
  }
}
