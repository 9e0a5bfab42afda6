import { VernierError } from '#core/errors';
import {
  type CommandState,
  copyCommandState,
  createCommandState,
  splineNode,
} from '#deploy/safety/commandState';
import {
  createFilterOutput,
  type FilterInput,
  filterTick,
  type SafetyRules,
} from '#deploy/safety/safetyFilter';
import { type Verdict, VerdictCounts } from '#deploy/safety/verdict';

/** What a trajectory_msgs/JointTrajectory carries: fifth-order splines between the points are the filter's own curve. */
export interface TrajectoryPoints {
  /** Seconds after the tick of the state they start from. */
  readonly times: readonly number[];
  /** [points][joints] rad, rad/s, rad/s^2 */
  readonly positions: readonly Float64Array[];
  readonly velocities: readonly Float64Array[];
  readonly accelerations: readonly Float64Array[];
  /** Verdicts of the ticks towards the targets, without the stop. */
  readonly verdicts: VerdictCounts;
}

export interface PlannedSteps {
  /** 0 to 4: [joints] where the joints should be at the end of each policy step, finite; none: the stop alone. */
  readonly targets: readonly Float64Array[];
  /** Seconds of a policy step; a whole number of ticks. */
  readonly stepPeriod: number;
  /** Share of the speed, 0 to 1, that the operator allows. Default 1. */
  readonly speed?: number;
}

const MOST_STEPS = 4;
/** A stop at the limits of any arm is shorter. */
const MOST_STOP_TICKS = 100_000;

/** Where a straight ramp is at `share` of its way, the end exactly at 1.
 * @param out [joints] */
export function rampTarget(from: Float64Array, to: Float64Array, share: number, out: Float64Array): void {
  for (let i = 0; i < out.length; i++) {
    out[i] = share === 1 ? to[i]! : from[i]! + share * (to[i]! - from[i]!);
  }
}

/** A trajectory from the last command along straight ramps through the next policy steps to rest, made by running the
 * filter ahead: what follows it stops by itself when nothing comes after. A state in a stop gives the rest of the stop.
 * Allocates; once per policy step.
 * @param state is left as it is
 * @throws USAGE for too many targets and a step that is no whole number of ticks; SHAPE for targets of other
 * joints; NUMERIC where they are not finite */
export function shortTrajectory(
  rules: SafetyRules,
  state: CommandState,
  { targets, stepPeriod, speed = 1 }: PlannedSteps,
): TrajectoryPoints {
  const { limits } = rules;
  const ticks = checkSteps(rules, targets, stepPeriod);
  const ahead = createCommandState(limits);
  copyCommandState(state, ahead);
  const out = createFilterOutput(limits);
  const input: FilterInput = {
    proposal: new Float64Array(limits.names.length),
    velocity: new Float64Array(limits.names.length),
    names: undefined,
    age: 0,
    invalid: undefined,
    emergencyStop: false,
    speed,
  };
  const points = new PointList(rules, ahead);
  const verdicts = new VerdictCounts();
  const tick = (counted: boolean): Verdict => {
    filterTick(rules, ahead, input, out);
    points.add();
    if (counted) verdicts.add(out.verdict);
    return out.verdict;
  };
  let from: Float64Array = ahead.position.slice();
  for (const target of targets) {
    for (let i = 0; i < target.length; i++) input.velocity![i] = (target[i]! - from[i]!) / stepPeriod;
    for (let k = 1; k <= ticks; k++) {
      rampTarget(from, target, k / ticks, input.proposal!);
      tick(true);
    }
    from = target;
  }
  input.proposal = undefined;
  for (let k = 0; k < MOST_STOP_TICKS && tick(false).kind === 'stop'; k++);
  return points.finish(verdicts);
}

function checkSteps(rules: SafetyRules, targets: readonly Float64Array[], stepPeriod: number): number {
  const { names, period } = rules.limits;
  if (targets.length > MOST_STEPS) {
    throw new VernierError('USAGE', `a short trajectory has 0 to ${MOST_STEPS} steps, not ${targets.length}`);
  }
  for (const target of targets) {
    if (target.length !== names.length) {
      throw new VernierError('SHAPE', `targets of ${target.length} joints for an arm of ${names.length}`);
    }
    if (!target.every(Number.isFinite)) {
      throw new VernierError('NUMERIC', `the targets ${[...target].join(', ')} are not all finite`);
    }
  }
  const ticks = Math.round(stepPeriod / period);
  if (ticks < 1 || Math.abs(ticks * period - stepPeriod) > 1e-9 * stepPeriod) {
    throw new VernierError('USAGE', `a step of ${stepPeriod} s is no whole number of ticks of ${period} s`);
  }
  return ticks;
}

/** Collects the spline's nodes of a state that moves on, without those in the middle of a stretch of equal jerk. */
class PointList {
  readonly #rules: SafetyRules;
  readonly #state: CommandState;
  readonly #times: number[] = [];
  readonly #nodes: (readonly Float64Array[])[] = [];
  readonly #lastBend: Float64Array;
  readonly #lastTwist: Float64Array;
  #tick = 0;

  constructor(rules: SafetyRules, state: CommandState) {
    this.#rules = rules;
    this.#state = state;
    this.#lastBend = state.bend.slice();
    this.#lastTwist = new Float64Array(state.bend.length).fill(Number.NaN);
  }

  add(): void {
    const { limits } = this.#rules;
    const { bend } = this.#state;
    let straight = this.#nodes.length > 0;
    for (let i = 0; i < bend.length; i++) {
      const twist = bend[i]! - this.#lastBend[i]!;
      const tolerance = 1e-6 * limits.jerk[i]! * limits.period ** 3;
      if (!(Math.abs(twist - this.#lastTwist[i]!) <= tolerance)) straight = false;
      this.#lastTwist[i] = twist;
      this.#lastBend[i] = bend[i]!;
    }
    if (straight) {
      this.#times.pop();
      this.#nodes.pop();
    }
    const node = [bend.slice(), bend.slice(), bend.slice()] as const;
    splineNode(limits, this.#state, node[0], node[1], node[2]);
    this.#times.push(++this.#tick * limits.period);
    this.#nodes.push(node);
  }

  finish(verdicts: VerdictCounts): TrajectoryPoints {
    return {
      times: this.#times,
      positions: this.#nodes.map((node) => node[0]!),
      velocities: this.#nodes.map((node) => node[1]!),
      accelerations: this.#nodes.map((node) => node[2]!),
      verdicts,
    };
  }
}
