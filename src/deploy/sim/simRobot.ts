import { SimCommands } from '#deploy/sim/simCommands';
import { SimSensors } from '#deploy/sim/simSensors';
import type { EpisodeOutcome, SimWorld } from '#deploy/sim/simWorld';
import type { SimClock } from '#deploy/sim/systemClock';
import { standardCodec } from '#transport/messages';
import { type Publisher, type RobotTransport, statusQuality } from '#transport/robotTransport';

export interface SimRobotOptions {
  readonly world: SimWorld;
  readonly transport: RobotTransport;
  readonly clock: SimClock;
  /** Messages of sensors per second. */
  readonly rate: number;
  /** A line for people. */
  readonly log: (line: string) => void;
}

export interface SimRobotStatus {
  readonly phase: SimWorld['phase'];
  readonly episode: number;
  readonly steps: number;
  readonly stopped: boolean;
  /** Whether a trajectory is followed. */
  readonly busy: boolean;
  readonly trajectories: number;
  readonly goals: number;
  readonly refused: number;
  /** Seconds of simulation in one second, over the last second or so. */
  readonly pace: number;
  /** Seconds that were left out because the process was stopped or the machine was too slow. */
  readonly lost: number;
}

/** Seconds by which the simulation may lag before time is left out. */
const MOST_LAG = 0.1;
/** Seconds before a deadline that are waited for without sleep, at high rates. */
const SPIN = 0.001;
/** Messages per second from which on sleeping until a deadline is too coarse. */
const FAST = 400;

/** A robot in real time behind a transport, on the thread it is made on. */
export class SimRobot {
  readonly #options: SimRobotOptions;
  readonly #sensors: SimSensors;
  readonly #commands: SimCommands;
  readonly #outcomes: Publisher;
  readonly #outcomeCodec = standardCodec('std_msgs/msg/String');
  /** Seconds on the clock that the simulation has come to. */
  #time: number;
  #nextMessage: number;
  #lost = 0;
  #pace = { since: 0, steps: 0, value: 1 };
  #closed = false;
  #failed: ((error: unknown) => void) | undefined;

  constructor(options: SimRobotOptions) {
    const { world, transport, clock } = options;
    this.#options = options;
    this.#sensors = new SimSensors(world, transport, clock);
    // What waited on the wire while the simulation stood still comes before its next step, or after.
    this.#commands = new SimCommands({ ...options, clock: { ...clock, now: () => this.#now() } });
    this.#outcomes = transport.publisher('~/outcome', 'std_msgs/msg/String', statusQuality);
    this.#time = this.#nextMessage = clock.now();
    this.#pace.since = this.#time;
  }

  /** What it says and takes, for people. */
  describe(): string {
    return `${this.#sensors.describe()}; trajectories on ${this.#commands.controllerName}`;
  }

  get status(): SimRobotStatus {
    const { world } = this.#options;
    const { trajectories, goals, refused } = this.#commands.counts;
    return {
      phase: world.phase,
      episode: world.start.episode,
      steps: world.steps,
      stopped: world.stopped,
      busy: world.controller.busy,
      trajectories,
      goals,
      refused,
      pace: this.#pace.value,
      lost: this.#lost,
    };
  }

  /** Tells the outcome of an episode to the graph. */
  tell(outcome: EpisodeOutcome): void {
    this.#outcomes.write(this.#outcomeCodec.encode({ data: JSON.stringify(outcome) }));
  }

  /** Runs until `signal` aborts. @throws PHYSICS when the simulation diverges; what the transport throws */
  async run(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#failed = reject;
      signal.addEventListener('abort', () => resolve());
      if (signal.aborted) resolve();
      else this.#turn(signal);
    });
    this.#closed = true;
  }

  #turn(signal: AbortSignal): void {
    if (this.#closed || signal.aborted) return;
    try {
      this.#catchUp();
    } catch (error) {
      this.#closed = true;
      this.#failed?.(error);
      return;
    }
    const { clock, rate } = this.#options;
    const wait = this.#nextMessage - clock.now();
    const again = () => this.#turn(signal);
    if (rate >= FAST && wait < SPIN) setImmediate(again);
    else setTimeout(again, Math.max(0, 1000 * wait));
  }

  /** Seconds on the clock, where the simulation is as well: time in which it stood still is left out first. */
  #now(): number {
    const { world, clock } = this.#options;
    const now = clock.now();
    if (now - this.#time > MOST_LAG) {
      this.#lost += now - this.#time;
      this.#time = now - world.timestep;
      // What was followed would jump ahead by as much.
      world.controller.abortInPlace('the simulation stood still');
    }
    return now;
  }

  /** The physics up to now, and sensors where they are due. */
  #catchUp(): void {
    const { world, rate } = this.#options;
    const now = this.#now();
    while (this.#time + world.timestep <= now) {
      this.#time += world.timestep;
      world.step(this.#time);
      this.#commands.tick(this.#time);
      this.#pace.steps++;
    }
    if (now - this.#pace.since >= 1) {
      const value = (this.#pace.steps * world.timestep) / (now - this.#pace.since);
      this.#pace = { since: now, steps: 0, value };
    }
    if (now < this.#nextMessage) return;
    this.#sensors.publish(this.#time);
    this.#nextMessage += 1 / rate;
    if (this.#nextMessage < now) this.#nextMessage = now + 1 / rate;
  }
}
