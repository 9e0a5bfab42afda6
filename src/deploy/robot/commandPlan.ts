import { type CommandState, createCommandState, isAtRest, splineNode } from '#deploy/safety/commandState';
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

/** How long commands are remembered, s. */
const MEMORY = 1;

/** The command that the arm follows, on the clock: the filter's state runs along what was sent last, tick by tick, so that
 * the next trajectory begins where the arm is told to be when it takes effect. */
export class CommandPlan {
  readonly #rules: SafetyRules;
  readonly #stepPeriod: number;
  readonly #state: CommandState;
  readonly #out: FilterOutput;
  readonly #input: FilterInput = {
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
  /** Positions and velocities of the last ticks: a ring of [ticks, 2, joints]. */
  readonly #past: Float64Array;
  #pastTicks = 0;
  #targets: readonly Float64Array[] = [];
  /** Ticks done since the intention. */
  #ticks = 0;
  #time = 0;
  #verdict: Verdict = passed;

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
    this.#past = new Float64Array(Math.ceil(MEMORY / rules.limits.period) * 2 * n);
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
    this.#remember();
    return verdict;
  }

  /** Lets the command run to `time` along what was intended last. */
  advance(time: number): void {
    const h = 1000 * this.#rules.limits.period;
    const ticks = Math.round((time - this.#time) / h);
    for (let k = 0; k < ticks; k++) {
      this.#tick();
      this.#time += h;
      this.#remember();
    }
  }

  /** From the present command on; returns what to send. */
  intend({ targets, invalid, age, emergencyStop, speed }: Intention): TrajectoryPoints {
    this.#targets = targets;
    this.#ticks = 0;
    this.#from.set(this.#state.position);
    this.#input.invalid = invalid;
    this.#input.age = age;
    this.#input.emergencyStop = emergencyStop;
    this.#input.speed = speed;
    this.#verdict = passed;
    return shortTrajectory(this.#rules, this.#state, {
      targets,
      stepPeriod: this.#stepPeriod,
      speed,
    });
  }

  /** How the command at its time differs from what it was at `time`.
   * @shape outPosition, outVelocity [joints] */
  ahead(time: number, outPosition: Float64Array, outVelocity: Float64Array): void {
    const n = outPosition.length;
    const capacity = this.#past.length / (2 * n);
    const back = Math.max(0, (this.#time - time) / (1000 * this.#rules.limits.period));
    const known = Math.min(this.#pastTicks, capacity) - 1;
    const newer = Math.min(Math.floor(back), known);
    const older = Math.min(newer + 1, known);
    const share = Math.min(1, back - newer);
    const row = (age: number): number => ((this.#pastTicks - 1 - age) % capacity) * 2 * n;
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
    const capacity = this.#past.length / (2 * n);
    const row = (this.#pastTicks % capacity) * 2 * n;
    this.#past.set(position, row);
    this.#past.set(velocity, row + n);
    this.#pastTicks++;
  }
}

const order: readonly Verdict['kind'][] = ['pass', 'limit', 'hold', 'stop', 'deactivate'];

function gravity(verdict: Verdict): number {
  return order.indexOf(verdict.kind);
}
