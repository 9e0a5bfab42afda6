import {
  type CommandState,
  copyCommandState,
  createCommandState,
  isAtRest,
  splineNode,
} from '#deploy/safety/commandState';
import {
  createFilterOutput,
  type FilterInput,
  type FilterOutput,
  filterTick,
  resetEmergencyStop,
  type SafetyRules,
  type StartVerdict,
  startCommand,
} from '#deploy/safety/safetyFilter';
import { rampTarget, shortTrajectory, type TrajectoryPoints } from '#deploy/safety/shortTrajectory';
import { type InvalidReason, passed, type Verdict } from '#deploy/safety/verdict';

/** What the arm is told from now on, until it is told something else. */
export interface Intention {
  /** Joint targets at the ends of the next policy steps; none: stop. */
  readonly targets: readonly Float64Array[];
  /** Why there are none. */
  readonly invalid: InvalidReason | undefined;
  /** Seconds since the observation behind them was taken. */
  readonly age: number;
  readonly emergencyStop: boolean;
  /** Share of the speed, 0 to 1. */
  readonly speed: number;
}

/** What is sent of an intention. */
export interface PlannedPath {
  /** Milliseconds, monotonic: of the points' time 0. */
  readonly time: number;
  /** Milliseconds, monotonic: until then the points are those that were sent before, so that it does not matter when on
   * the way there a controller takes them on. */
  readonly departs: number;
  readonly points: TrajectoryPoints;
}

/** What a plan goes back to. */
interface Earlier {
  readonly state: CommandState;
  readonly input: FilterInput;
  readonly from: Float64Array;
  readonly targets: readonly Float64Array[];
  readonly ticks: number;
  readonly time: number;
  readonly pastTicks: number;
}

/** How long commands are remembered, s. */
const MEMORY = 1;

/** The command that the arm follows, on the clock: the filter's state runs along what was sent last, tick by tick, so that
 * the next trajectory begins where the arm is told to be when it takes effect. */
export class CommandPlan {
  readonly #rules: SafetyRules;
  readonly #stepPeriod: number;
  readonly #state: CommandState;
  readonly #out: FilterOutput;
  #input: FilterInput = {
    proposal: undefined,
    velocity: undefined,
    names: undefined,
    age: 0,
    invalid: undefined,
    emergencyStop: false,
    speed: 1,
  };
  readonly #proposal: Float64Array;
  readonly #velocity: Float64Array;
  /** [joints] the command when the intention began. */
  readonly #from: Float64Array;
  readonly #node: readonly [Float64Array, Float64Array, Float64Array];
  /** Positions, velocities and accelerations of the last ticks: a ring of [ticks, 3, joints]. */
  readonly #past: Float64Array;
  #pastTicks = 0;
  #targets: readonly Float64Array[] = [];
  /** Ticks done since the intention. */
  #ticks = 0;
  #time = 0;
  #verdict: Verdict = passed;
  #earlier: Earlier | undefined;

  constructor(rules: SafetyRules, stepPeriod: number) {
    const n = rules.limits.names.length;
    this.#rules = rules;
    this.#stepPeriod = stepPeriod;
    this.#state = createCommandState(rules.limits);
    this.#out = createFilterOutput(rules.limits);
    this.#proposal = new Float64Array(n);
    this.#velocity = new Float64Array(n);
    this.#from = new Float64Array(n);
    this.#node = [new Float64Array(n), new Float64Array(n), new Float64Array(n)];
    this.#past = new Float64Array(Math.ceil(MEMORY / rules.limits.period) * 3 * n);
  }

  /** Milliseconds, monotonic: of the command as it stands. */
  get time(): number {
    return this.#time;
  }

  /** [joints] the command. */
  get position(): Float64Array {
    return this.#state.position;
  }

  get atRest(): boolean {
    return isAtRest(this.#state);
  }

  /** Latched until an operator resets it. */
  get emergencyStop(): boolean {
    return this.#state.emergencyStop;
  }

  /** The gravest of the verdicts since the last call of intend(). */
  get verdict(): Verdict {
    return this.#verdict;
  }

  /** At rest where the arm is. @param time milliseconds, monotonic */
  start(measured: Float64Array, time: number): StartVerdict {
    const verdict = startCommand(this.#rules, this.#state, measured);
    this.#time = time;
    this.#targets = [];
    this.#input.emergencyStop = false;
    this.#input.invalid = undefined;
    this.#input.age = 0;
    this.#verdict = passed;
    this.#ticks = 0;
    this.#pastTicks = 0;
    this.#earlier = undefined;
    this.#remember();
    return verdict;
  }

  /** Lets the command run to `time`, or a little beyond, along what was intended last. */
  advance(time: number): void {
    const h = 1000 * this.#rules.limits.period;
    const ticks = Math.ceil((time - this.#time) / h - 1e-6);
    for (let k = 0; k < ticks; k++) {
      this.#tick();
      this.#time += h;
      this.#remember();
    }
  }

  /** From the present command on; returns what to send.
   * @param now milliseconds, monotonic: what was told for later is told again */
  intend({ targets, invalid, age, emergencyStop, speed }: Intention, now = this.#time): PlannedPath {
    this.#earlier = this.#copy();
    this.#targets = targets;
    this.#ticks = 0;
    this.#from.set(this.#state.position);
    this.#input.invalid = invalid;
    this.#input.age = age;
    this.#input.emergencyStop = emergencyStop;
    this.#input.speed = speed;
    this.#verdict = passed;
    const stepPeriod = this.#stepPeriod;
    return this.#withCommitted(
      shortTrajectory(this.#rules, this.#state, { targets, stepPeriod, speed }),
      now,
    );
  }

  /** The last intention was not sent: the arm goes on along the one before. */
  revert(): void {
    const earlier = this.#earlier;
    if (!earlier) return;
    this.#earlier = undefined;
    copyCommandState(earlier.state, this.#state);
    this.#input = earlier.input;
    this.#from.set(earlier.from);
    this.#targets = earlier.targets;
    this.#ticks = earlier.ticks;
    this.#time = earlier.time;
    this.#pastTicks = earlier.pastTicks;
  }

  /** How the command at its time differs from what it was at `time`.
   * @shape outPosition, outVelocity [joints] */
  ahead(time: number, outPosition: Float64Array, outVelocity: Float64Array): void {
    const n = outPosition.length;
    const capacity = this.#past.length / (3 * n);
    const back = Math.max(0, (this.#time - time) / (1000 * this.#rules.limits.period));
    const known = Math.min(this.#pastTicks, capacity) - 1;
    const newer = Math.min(Math.floor(back), known);
    const older = Math.min(newer + 1, known);
    const share = Math.min(1, back - newer);
    const row = (age: number): number => ((this.#pastTicks - 1 - age) % capacity) * 3 * n;
    const difference = (i: number): number => {
      const a = this.#past[row(newer) + i]!;
      const b = this.#past[row(older) + i]!;
      return this.#past[row(0) + i]! - (a + share * (b - a));
    };
    for (let i = 0; i < n; i++) {
      outPosition[i] = difference(i);
      outVelocity[i] = difference(n + i);
    }
  }

  /** @returns false while the arm moves */
  resetEmergencyStop(): boolean {
    return resetEmergencyStop(this.#state);
  }

  #tick(): void {
    const input = this.#input;
    const stepTicks = Math.round(this.#stepPeriod / this.#rules.limits.period);
    const step = Math.floor(this.#ticks / stepTicks);
    const target = this.#targets[step];
    if (target) {
      const from = this.#targets[step - 1] ?? this.#from;
      rampTarget(from, target, ((this.#ticks % stepTicks) + 1) / stepTicks, this.#proposal);
      for (let i = 0; i < target.length; i++) this.#velocity[i] = (target[i]! - from[i]!) / this.#stepPeriod;
    }
    // Of a stale observation nothing is proposed; that it is stale is told of a proposal alone.
    const stays = this.#input.age > this.#rules.maxAge ? this.#state.position : undefined;
    input.proposal = target ? this.#proposal : stays;
    input.velocity = target ? this.#velocity : undefined;
    this.#ticks++;
    filterTick(this.#rules, this.#state, input, this.#out);
    if (gravity(this.#out.verdict) >= gravity(this.#verdict)) this.#verdict = this.#out.verdict;
  }

  #remember(): void {
    const [position, velocity, acceleration] = this.#node;
    splineNode(this.#rules.limits, this.#state, position, velocity, acceleration);
    const n = position.length;
    const capacity = this.#past.length / (3 * n);
    const row = (this.#pastTicks % capacity) * 3 * n;
    this.#past.set(position, row);
    this.#past.set(velocity, row + n);
    this.#past.set(acceleration, row + 2 * n);
    this.#pastTicks++;
  }

  /** Points in front of those of a trajectory: the commands of the ticks after `now` that are settled already. */
  #withCommitted(points: TrajectoryPoints, now: number): PlannedPath {
    const h = this.#rules.limits.period;
    const n = this.#from.length;
    const capacity = this.#past.length / (3 * n);
    const ticks = Math.max(1, Math.ceil((this.#time - now) / (1000 * h)));
    const known = Math.min(this.#pastTicks, capacity, ticks);
    const rows = Array.from({ length: known }, (_, k) => {
      const row = ((this.#pastTicks - known + k) % capacity) * 3 * n;
      return this.#past.slice(row, row + 3 * n);
    });
    const column = (part: number) => rows.map((row) => row.subarray(part * n, (part + 1) * n));
    return {
      time: this.#time - 1000 * h * ticks,
      departs: this.#time,
      points: {
        ...points,
        times: [
          ...rows.map((_, k) => (ticks - known + k + 1) * h),
          ...points.times.map((t) => t + ticks * h),
        ],
        positions: [...column(0), ...points.positions],
        velocities: [...column(1), ...points.velocities],
        accelerations: [...column(2), ...points.accelerations],
      },
    };
  }

  #copy(): Earlier {
    const state = createCommandState(this.#rules.limits);
    copyCommandState(this.#state, state);
    return {
      state,
      input: { ...this.#input },
      from: this.#from.slice(),
      targets: this.#targets,
      ticks: this.#ticks,
      time: this.#time,
      pastTicks: this.#pastTicks,
    };
  }
}

const order: readonly Verdict['kind'][] = ['pass', 'limit', 'hold', 'stop', 'deactivate'];

function gravity(verdict: Verdict): number {
  return order.indexOf(verdict.kind);
}
