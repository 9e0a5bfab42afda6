import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import { parentPort, workerData } from 'node:worker_threads';
import { VernierError } from '#core/errors';
import {
  type ControlMemory,
  type ControlSetup,
  openMemory,
  packCommand,
  request,
  setting,
  type WorkerEvent,
  word,
} from '#deploy/robot/controlLink';
import { ControlLoop, type ControlTick } from '#deploy/robot/controlLoop';
import { restTimes } from '#deploy/robot/restTimes';
import { RobotTwin } from '#deploy/robot/robotTwin';
import { monotonicMs } from '#deploy/robot/sharedBoard';
import { verdictText } from '#deploy/safety/verdict';
import { loadBundle, makePolicy } from '#policy/bundle';
import { loadTask } from '#spec/task';

/** The thread that controls: it sleeps until absolute deadlines, reads the newest inputs and leaves the newest command.
 * Nothing but shared memory steers it, so that a busy main thread does not delay it. */

/** How long it sleeps at a time while nothing goes on, ms. */
const IDLE_MS = 100;
const STATS_MS = 1000;

class ControlWorker {
  readonly #loop: ControlLoop;
  readonly #memory: ControlMemory;
  readonly #period: number;
  readonly #values: Float64Array;
  readonly #settings: Float64Array;
  readonly #board: Float64Array;
  readonly #tell: (event: WorkerEvent) => void;
  readonly #lateness = createHistogram();
  readonly #computation = createHistogram();
  #commands = 0;
  #ticks = 0;
  #missed = 0;
  #statsAt = 0;

  constructor(loop: ControlLoop, memory: ControlMemory, period: number, tell: (event: WorkerEvent) => void) {
    this.#loop = loop;
    this.#memory = memory;
    this.#period = 1000 * period;
    this.#values = new Float64Array(memory.inputs.length);
    this.#settings = new Float64Array(memory.settings.length);
    this.#board = new Float64Array(memory.commands.length);
    this.#tell = tell;
  }

  async run(): Promise<void> {
    let deadline = 0;
    while (this.#read(word.request) !== request.exit) {
      Atomics.add(this.#memory.words, word.heartbeat, 1);
      if (this.#loop.phase === 'idle') {
        if (!(await this.#begins())) {
          this.#sleep(IDLE_MS);
          continue;
        }
        deadline = monotonicMs();
      }
      const woken = this.#sleepUntil(deadline);
      const start = monotonicMs();
      await this.#tick(start);
      if (!woken) deadline = this.#next(deadline, start);
      this.#report(start);
    }
  }

  #read(at: number): number {
    return Atomics.load(this.#memory.words, at);
  }

  /** Sleeps until the deadline, or until a stop wakes it. @returns whether it was woken before */
  #sleepUntil(deadline: number): boolean {
    for (let left = deadline - monotonicMs(); left > 0; left = deadline - monotonicMs()) {
      const before = this.#stops();
      this.#sleep(left);
      if (!before && this.#stops()) return true;
    }
    return false;
  }

  #stops(): boolean {
    return this.#read(word.emergencyStop) === 1 || this.#read(word.request) === request.stop;
  }

  #sleep(ms: number): void {
    const { words } = this.#memory;
    Atomics.wait(words, word.wake, Atomics.load(words, word.wake), ms);
  }

  /** Notes how the deadline was kept. @returns the one after it that is still to come */
  #next(deadline: number, start: number): number {
    const end = monotonicMs();
    this.#ticks++;
    this.#lateness.record(nanoseconds(start - deadline));
    this.#computation.record(nanoseconds(end - start));
    const passed = Math.max(0, Math.floor((end - deadline) / this.#period));
    this.#missed += passed;
    return deadline + (passed + 1) * this.#period;
  }

  /** Whether an episode begins. */
  async #begins(): Promise<boolean> {
    if (this.#read(word.emergencyStop) === 0) this.#loop.resetEmergencyStop();
    const asked = this.#read(word.request);
    if (asked === request.stop) this.#done(request.stop);
    if (asked !== request.run) return false;
    if (this.#read(word.emergencyStop) === 1) return this.#refuse('the emergency stop is latched');
    this.#takeBack();
    this.#memory.inputs.read(this.#values);
    await this.#loop.warmUp(this.#values);
    this.#memory.inputs.read(this.#values);
    const refusal = this.#loop.begin(this.#values, monotonicMs());
    if (refusal === undefined) {
      Atomics.store(this.#memory.words, word.busy, 1);
      return true;
    }
    return this.#refuse(refusal);
  }

  #refuse(reason: string): false {
    this.#done(request.run);
    this.#tell({ kind: 'refused', reason });
    return false;
  }

  /** Takes a request that is done with off the table, unless there is a newer one. */
  #done(asked: number): void {
    Atomics.compareExchange(this.#memory.words, word.request, asked, request.none);
  }

  async #tick(now: number): Promise<void> {
    if (this.#takeBack()) this.#loop.drop();
    this.#memory.inputs.read(this.#values);
    this.#memory.settings.read(this.#settings);
    if (this.#read(word.request) === request.stop) this.#loop.stop('deactivated');
    const tick = await this.#loop.tick(this.#values, now, {
      residualScale: this.#settings[setting.residualScale]!,
      speedScale: this.#settings[setting.speedScale]!,
      emergencyStop: this.#read(word.emergencyStop) === 1,
    });
    this.#send(tick);
    if (tick.phase !== 'idle') return;
    Atomics.store(this.#memory.words, word.busy, 0);
    this.#done(request.run);
    this.#done(request.stop);
    if (tick.ended) this.#tell({ kind: 'ended', end: tick.ended });
  }

  /** Whether the last command still waits to be sent; it will not be. */
  #takeBack(): boolean {
    if (this.#commands === 0) return false;
    const { words } = this.#memory;
    return Atomics.compareExchange(words, word.pending, this.#commands, 0) === this.#commands;
  }

  #send({ trajectory, time, departs, gripper, phase, step, verdict }: ControlTick): void {
    if (!trajectory) return;
    const number = ++this.#commands;
    packCommand({ number, time, departs, gripper, points: trajectory }, this.#board);
    this.#memory.commands.write(this.#board);
    Atomics.store(this.#memory.words, word.pending, number);
    this.#tell({ kind: 'tick', phase, step, verdict: verdictText(verdict) });
  }

  #report(now: number): void {
    if (now - this.#statsAt < STATS_MS) return;
    this.#statsAt = now;
    const percentiles = (histogram: RecordableHistogram) => ({
      p50: histogram.percentile(50),
      p99: histogram.percentile(99),
      max: histogram.max,
    });
    this.#tell({
      kind: 'stats',
      stats: {
        ticks: this.#ticks,
        missed: this.#missed,
        lateness: percentiles(this.#lateness),
        computation: percentiles(this.#computation),
      },
    });
  }
}

/** As a histogram takes it. */
function nanoseconds(ms: number): number {
  return Math.max(1, Math.round(1e6 * ms));
}

async function main(setup: ControlSetup, tell: (event: WorkerEvent) => void): Promise<void> {
  const task = await loadTask(setup.taskFile, setup.overrides);
  const bundle = loadBundle(setup.bundle);
  // With a scale, so that the residual is there to be turned up, whatever the bundle ships.
  const policy = await makePolicy({ ...bundle, scale: 1 }, 1);
  const twin = await RobotTwin.create(task, setup.deployment);
  const loop = new ControlLoop(task, setup.deployment, twin, policy);
  const rest = restTimes(loop.rules.limits, setup.deployment);
  tell({ kind: 'ready', hasResidual: bundle.trained !== undefined, scale: bundle.scale, rest });
  await new ControlWorker(loop, openMemory(setup), setup.deployment.period, tell).run();
  policy.close();
  twin.close();
}

if (parentPort) {
  const port = parentPort;
  const tell = (event: WorkerEvent): void => port.postMessage(event);
  main(workerData as ControlSetup, tell).catch((error: unknown) => {
    const { code, hint } = error instanceof VernierError ? error : { code: 'DEFECT', hint: undefined };
    const message = error instanceof VernierError ? error.message : ((error as Error).stack ?? String(error));
    tell({ kind: 'failed', code, message, ...(hint === undefined ? {} : { hint }) });
  });
}
