import { Worker } from 'node:worker_threads';
import { type ErrorCode, VernierError } from '#core/errors';
import {
  type Command,
  type ControlMemory,
  type ControlSetup,
  controlMemory,
  request,
  setting,
  sharedMemory,
  unpackCommand,
  type WorkerEvent,
  word,
} from '#deploy/robot/controlLink';
import type { Deployment } from '#deploy/robot/deployment';
import { Heartbeat } from '#deploy/robot/heartbeat';
import type { RestTimes } from '#deploy/robot/restTimes';
import { monotonicMs } from '#deploy/robot/sharedBoard';

export interface ThreadHandlers {
  /** A tick left a new command. */
  onTick(event: Extract<WorkerEvent, { kind: 'tick' }>, command: Command): void;
  onEvent(event: Exclude<WorkerEvent, { kind: 'ready' | 'failed' | 'tick' }>): void;
  /** The thread is gone, unasked. */
  onDeath(error: Error): void;
}

/** A command is with the controller so long after it was sent, ms. */
const DELIVERY_MS = 2;
/** Periods without a heartbeat after which the worker counts as silent, and the least time, ms. */
const SILENT_PERIODS = 5;
const SILENT_MS = 500;

/** The main thread's end of the control worker. */
export class ControlThread {
  readonly memory: ControlMemory;
  readonly hasResidual: boolean;
  /** The residual's scale that the bundle ships. */
  readonly scale: number;
  readonly rest: RestTimes;
  readonly #worker: Worker;
  readonly #settings: Float64Array;
  readonly #board: Float64Array;
  readonly #joints: number;
  readonly #heartbeat: Heartbeat;
  #ended = false;

  private constructor(
    worker: Worker,
    memory: ControlMemory,
    ready: Extract<WorkerEvent, { kind: 'ready' }>,
    { period, armJoints }: Deployment,
  ) {
    this.#worker = worker;
    this.memory = memory;
    this.hasResidual = ready.hasResidual;
    this.scale = ready.scale;
    this.rest = ready.rest;
    this.#settings = Float64Array.of(0, 1);
    this.#board = new Float64Array(memory.commands.length);
    this.#joints = armJoints;
    this.#heartbeat = new Heartbeat(Math.max(SILENT_MS, SILENT_PERIODS * 1000 * period));
  }

  /** Starts the worker; resolves when it has loaded task and bundle.
   * @throws what the worker could not do */
  static async start(
    setup: Omit<ControlSetup, 'memory'>,
    handlers: ThreadHandlers,
    memory = controlMemory(setup.deployment),
  ): Promise<ControlThread> {
    const workerData: ControlSetup = { ...setup, memory: sharedMemory(memory) };
    const worker = new Worker(workerFile(), { workerData });
    let thread: ControlThread | undefined;
    return new Promise((resolve, reject) => {
      const die = (error: Error): void => {
        if (!thread) reject(error);
        else if (!thread.#ended) {
          thread.#ended = true;
          handlers.onDeath(error);
        }
      };
      worker.on('error', die);
      worker.on('exit', (code) => die(new Error(`the control worker ended with ${code}`)));
      worker.on('message', (event: WorkerEvent) => {
        if (event.kind === 'failed') die(failure(event));
        else if (event.kind === 'ready') {
          thread = new ControlThread(worker, memory, event, setup.deployment);
          resolve(thread);
        } else if (thread) thread.#hear(event, handlers);
      });
    });
  }

  #hear(event: Exclude<WorkerEvent, { kind: 'ready' | 'failed' }>, handlers: ThreadHandlers): void {
    if (event.kind !== 'tick') handlers.onEvent(event);
    else if (this.memory.commands.read(this.#board) > 0)
      handlers.onTick(event, unpackCommand(this.#board, this.#joints));
  }

  /** Whether a command may be sent now: not after it departs from what was sent before, since a controller would jump onto
   * it then. One that may not be the worker drops. */
  claim({ number, departs }: Command): boolean {
    if (monotonicMs() > departs - DELIVERY_MS) return false;
    return Atomics.compareExchange(this.memory.words, word.pending, number, 0) === number;
  }

  /** Whether the arm is commanded. */
  get busy(): boolean {
    return Atomics.load(this.memory.words, word.busy) === 1;
  }

  setResidualScale(value: number): void {
    this.#set(setting.residualScale, value);
  }

  setSpeedScale(value: number): void {
    this.#set(setting.speedScale, value);
  }

  /** Asks for an episode; `refused` or `ended` follows. */
  run(): void {
    this.#ask(request.run);
  }

  /** Asks to decelerate and hold; `ended` follows where the arm is commanded. */
  stop(): void {
    this.#ask(request.stop);
  }

  setEmergencyStop(latched: boolean): void {
    Atomics.store(this.memory.words, word.emergencyStop, latched ? 1 : 0);
    this.#wake();
  }

  /** How long the worker has been silent for too long, ms; 0 where it is well. @param now milliseconds, monotonic */
  silence(now: number): number {
    return this.#heartbeat.silence(Atomics.load(this.memory.words, word.heartbeat), now);
  }

  /** Ends the worker; a trajectory that is out still ends at rest. */
  async close(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    const gone = new Promise((resolve) => this.#worker.once('exit', resolve));
    this.#ask(request.exit);
    const timer = setTimeout(() => void this.#worker.terminate(), 1000);
    await gone;
    clearTimeout(timer);
  }

  #set(at: number, value: number): void {
    this.#settings[at] = value;
    this.memory.settings.write(this.#settings);
  }

  #ask(what: number): void {
    Atomics.store(this.memory.words, word.request, what);
    this.#wake();
  }

  #wake(): void {
    Atomics.add(this.memory.words, word.wake, 1);
    Atomics.notify(this.memory.words, word.wake);
  }
}

function workerFile(): URL {
  const suffix = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return new URL(`./controlWorker.${suffix}`, import.meta.url);
}

function failure({ code, message, hint }: Extract<WorkerEvent, { kind: 'failed' }>): Error {
  if (code === 'DEFECT') return new Error(message);
  return new VernierError(code as ErrorCode, message, hint === undefined ? {} : { hint });
}
