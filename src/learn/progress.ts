import type { PhaseName, TrainEvent } from '#learn/events';

const PROGRESS_MS = 1000;

interface Window {
  readonly seconds: number;
  readonly steps: number;
  readonly updates: number;
}

/** A trainer as its progress is told; updates are the critics' where there are several kinds. */
export interface ProgressSource {
  readonly counters:
    | { readonly environmentSteps: number; readonly criticUpdates: number }
    | { readonly environmentSteps: number; readonly updates: number };
  /** Outcome of the last episodes: 1 = success. */
  readonly recent: readonly number[];
  takeAverages(): Record<string, number>;
}

function updatesOf({ counters }: ProgressSource): number {
  return 'criticUpdates' in counters ? counters.criticUpdates : counters.updates;
}

/** Rates between progress events. Times are in ms of one clock. */
export class Progress {
  readonly #trainer: ProgressSource;
  readonly #total: number;
  #steps: number;
  #updates: number;
  /** The present stretch without a pause, and what the window had before it. */
  #since: number;
  #spentMs = 0;
  #last: Window | undefined;

  constructor(trainer: ProgressSource, total: number, now = performance.now()) {
    this.#trainer = trainer;
    this.#total = total;
    this.#since = now;
    this.#steps = trainer.counters.environmentSteps;
    this.#updates = updatesOf(trainer);
  }

  due(now: number): boolean {
    return this.#spentMs + now - this.#since >= PROGRESS_MS;
  }

  /** Leaves the time from here to `resume` out of the rates: an evaluation. */
  pause(now: number): void {
    this.#spentMs += now - this.#since;
    this.#since = now;
  }

  resume(now: number): void {
    this.#since = now;
  }

  event(now: number, phase: PhaseName): TrainEvent {
    const { counters, recent } = this.#trainer;
    const window = this.#take(now);
    // A run ends whenever it does: the last window, too short to say much, is taken together with the one before.
    const before = window.seconds * 1000 < PROGRESS_MS ? this.#last : undefined;
    this.#last = window;
    const seconds = Math.max(1e-3, window.seconds + (before?.seconds ?? 0));
    const stepsPerSecond = (window.steps + (before?.steps ?? 0)) / seconds;
    return {
      kind: 'progress',
      phase,
      environmentSteps: counters.environmentSteps,
      total: this.#total,
      updates: this.#updates,
      stepsPerSecond,
      updatesPerSecond: (window.updates + (before?.updates ?? 0)) / seconds,
      success: recent.length === 0 ? undefined : recent.reduce((a, b) => a + b, 0) / recent.length,
      eta: stepsPerSecond > 0 ? (this.#total - counters.environmentSteps) / stepsPerSecond : undefined,
      losses: this.#trainer.takeAverages(),
    };
  }

  /** What happened since the last event; a new window begins. */
  #take(now: number): Window {
    const { environmentSteps } = this.#trainer.counters;
    const updates = updatesOf(this.#trainer);
    const window = {
      seconds: (this.#spentMs + now - this.#since) / 1000,
      steps: environmentSteps - this.#steps,
      updates: updates - this.#updates,
    };
    this.#since = now;
    this.#spentMs = 0;
    this.#steps = environmentSteps;
    this.#updates = updates;
    return window;
  }
}
