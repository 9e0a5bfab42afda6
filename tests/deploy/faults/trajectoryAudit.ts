import type { ResolvedJointLimits } from '#spec/resolved';
import { quintic } from '../safety/quintic.js';

/** A trajectory as it was on the wire. */
export interface SentTrajectory {
  readonly names: readonly string[];
  /** Seconds: of the point at time 0, and when it arrived. */
  readonly start: number;
  readonly arrived: number;
  readonly points: readonly Node[];
}

/** What a trajectory says of a time. */
export interface Node {
  /** In a message seconds from its start, on a path seconds on the clock. */
  readonly time: number;
  readonly position: ArrayLike<number>;
  readonly velocity: ArrayLike<number>;
  readonly acceleration: ArrayLike<number>;
}

/** Looks at a piece between two points so often, beside its ends. */
const LOOKS = 8;
/** What limits may be overrun by: rounding of messages to nanoseconds. */
const ROUNDING = 1e-3;
/** A position within this of the last is at rest, rad. */
const STILL = 1e-7;
/** Pieces that are shorter are judged by their positions: a controller looks once in so many seconds, and the rounding of
 * stamps would count as motion. */
const SHORTEST = 1e-3;
/** By which a trajectory may begin beside the path before it, rad: a nanosecond's way and rounding. */
const BESIDE = 1e-6;

/** Follows every trajectory as a joint trajectory controller does from where it was, in continuous time, and judges the
 * path up to its end at rest: limits of position, velocity, acceleration and jerk, and that nothing jumps. It knows the
 * wire and the robot file alone. */
export class TrajectoryAudit {
  readonly faults: string[] = [];
  /** Largest share of a limit that was used. */
  readonly worst = { velocity: 0, acceleration: 0, jerk: 0 };
  /** Largest distance of a first point from the path before, rad. */
  beside = 0;
  /** Longest time from the arrival of a trajectory to its end at rest, s. */
  longest = 0;
  count = 0;
  readonly #names: readonly string[];
  readonly #limits: readonly ResolvedJointLimits[];
  #path: Node[] = [];
  #end = Number.NEGATIVE_INFINITY;

  constructor(names: readonly string[], limits: readonly ResolvedJointLimits[]) {
    this.#names = names;
    this.#limits = limits;
  }

  /** Seconds on the clock: when the path that was told comes to rest, or did where it is only held. */
  get end(): number {
    return this.#end;
  }

  /** The same of its last point, which may be held for a while: a controller that wakes after it follows nothing. */
  get over(): number {
    return this.#path.at(-1)?.time ?? Number.NEGATIVE_INFINITY;
  }

  /** A line for people. */
  get summary(): string {
    const { velocity, acceleration, jerk } = this.worst;
    return `${this.count} trajectories: ${velocity.toFixed(4)} of velocity, ${acceleration.toFixed(4)} of acceleration, ${jerk.toFixed(4)} of jerk, ${this.beside.toExponential(1)} rad beside, at rest ${this.longest.toFixed(3)} s after they came at most`;
  }

  /** Where the path begins next is not known: another robot, or one that was set elsewhere. */
  forget(): void {
    this.#path = [];
  }

  add({ names, start, arrived, points }: SentTrajectory): void {
    this.count++;
    if (names.join() !== this.#names.join()) this.#fault(`names ${names.join()}`);
    const told = points.map((point) => ({ ...point, time: start + point.time }));
    const first = told[0];
    if (!first) {
      this.#fault('no points');
      return;
    }
    for (const [k, { time }] of told.entries())
      if (k > 0 && !(time > told[k - 1]!.time)) this.#fault('times do not rise');
    const last = told.at(-1)!;
    this.longest = Math.max(this.longest, last.time - arrived);
    for (const i of this.#names.keys())
      if (last.velocity[i] !== 0 || last.acceleration[i] !== 0) this.#fault(`joint ${i} moves at the end`);
    this.#path = this.#spliced(told, arrived);
    const moving = this.#path.findLastIndex(({ position }) =>
      this.#names.some((_, i) => Math.abs(position[i]! - last.position[i]!) > STILL),
    );
    if (moving >= 0) this.#end = this.#path[moving + 1]!.time;
    for (let k = 1; k < this.#path.length; k++) this.#judge(this.#path[k - 1]!, this.#path[k]!);
  }

  /** The new path from its arrival on. */
  #spliced(told: readonly Node[], arrived: number): Node[] {
    const before = this.#at(arrived);
    if (!before) return [...told];
    if (arrived < told[0]!.time) {
      if (told[0]!.time - arrived < SHORTEST) this.#compare(this.#at(told[0]!.time)!, told[0]!);
      return [before, ...told];
    }
    const now = at(told, arrived);
    this.#compare(before, now);
    return [now, ...told.filter(({ time }) => time > arrived)];
  }

  #compare(before: Node, after: Node): void {
    for (const i of this.#names.keys()) {
      const away = Math.abs(before.position[i]! - after.position[i]!);
      this.beside = Math.max(this.beside, away);
      if (!(away <= BESIDE)) this.#fault(`joint ${i} jumps by ${away}`);
    }
  }

  #at(time: number): Node | undefined {
    return this.#path.length > 0 ? at(this.#path, time) : undefined;
  }

  #judge(from: Node, to: Node): void {
    const isShort = to.time - from.time < SHORTEST;
    for (const [i, { position, velocity, acceleration, jerk }] of this.#limits.entries()) {
      for (let k = 0; k <= LOOKS; k++) {
        const [p, v, a, j] = quintic(row(from, i), row(to, i), k / LOOKS);
        if (!(p >= position![0] && p <= position![1])) this.#fault(`joint ${i} at ${p}`);
        if (isShort) continue;
        this.#use('velocity', i, v / velocity!);
        this.#use('acceleration', i, a / acceleration!);
        this.#use('jerk', i, j / jerk!);
      }
    }
  }

  #use(what: keyof TrajectoryAudit['worst'], joint: number, value: number): void {
    const share = Math.abs(value);
    this.worst[what] = Math.max(this.worst[what], share);
    if (!(share <= 1 + ROUNDING)) this.#fault(`joint ${joint} uses ${share} of its ${what}`);
  }

  #fault(text: string): void {
    if (this.faults.length < 20) this.faults.push(`trajectory ${this.count}: ${text}`);
  }
}

/** The path at a time; at rest after its end, and before its begin where that is. */
function at(path: readonly Node[], time: number): Node {
  const next = path.findIndex((node) => node.time >= time);
  if (next <= 0) {
    const end = next === 0 ? path[0]! : path.at(-1)!;
    return { ...end, time };
  }
  const [from, to] = [path[next - 1]!, path[next]!];
  const share = (time - from.time) / (to.time - from.time);
  const rows = Array.from(from.position, (_, i) => quintic(row(from, i), row(to, i), share));
  return {
    time,
    position: rows.map(([p]) => p),
    velocity: rows.map(([, v]) => v),
    acceleration: rows.map(([, , a]) => a),
  };
}

function row(
  { time, position, velocity, acceleration }: Node,
  i: number,
): readonly [number, number, number, number] {
  return [time, position[i]!, velocity[i]!, acceleration[i]!];
}
