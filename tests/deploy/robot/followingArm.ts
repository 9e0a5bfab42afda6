import type { Deployment } from '#deploy/robot/deployment';
import { boardLayout, inputLength } from '#deploy/robot/inputs';
import type { TrajectoryPoints } from '#deploy/safety/shortTrajectory';

/** An arm that is where its last trajectory says, and keeps what it was told. */
export class FollowingArm {
  readonly values: Float64Array;
  readonly position: Float64Array;
  readonly velocity: Float64Array;
  /** Every position it went through, with its time in ms. */
  readonly path: { readonly time: number; readonly position: Float64Array }[] = [];
  readonly #deployment: Deployment;
  readonly #acceleration: Float64Array;
  #entry: Node | undefined;
  #current: { readonly time: number; readonly points: TrajectoryPoints } | undefined;
  readonly #pending: { readonly time: number; readonly points: TrajectoryPoints }[] = [];

  constructor(deployment: Deployment, home: readonly number[]) {
    this.#deployment = deployment;
    this.values = new Float64Array(inputLength(deployment)).fill(Number.NaN);
    this.values[boardLayout.invalid] = 0;
    this.position = Float64Array.from(home);
    this.velocity = new Float64Array(home.length);
    this.#acceleration = new Float64Array(home.length);
  }

  follow(points: TrajectoryPoints, time: number): void {
    this.#pending.push({ time, points });
  }

  /** Where it is at `now`; the board of inputs says so. */
  measure(now: number): Float64Array {
    while (this.#pending.length > 0 && this.#pending[0]!.time <= now) {
      const next = this.#pending.shift()!;
      if (this.#current) this.#place(this.#current.points, (next.time - this.#current.time) / 1000);
      this.#entry = [this.position.slice(), this.velocity.slice(), this.#acceleration.slice()];
      this.#current = next;
    }
    if (this.#current) this.#place(this.#current.points, (now - this.#current.time) / 1000);
    for (let i = 0; i < this.position.length; i++) {
      this.values.set([now, this.position[i]!, this.velocity[i]!], boardLayout.joint(i));
    }
    this.path.push({ time: now, position: this.position.slice() });
    return this.values;
  }

  setBody(k: number, now: number, position: readonly number[], rotation = [1, 0, 0, 0]): void {
    this.values.set([now, ...position, ...rotation], boardLayout.body(this.#deployment.joints.length, k));
  }

  /** Fifth-order splines between the points, from what the arm was told before. */
  #place({ times, positions, velocities, accelerations }: TrajectoryPoints, t: number): void {
    const next = times.findIndex((time) => time >= t);
    if (next < 0) {
      this.#set(positions.at(-1)!, velocities.at(-1)!, accelerations.at(-1)!);
      return;
    }
    const [from, start] = next > 0 ? [nodeAt(next - 1), times[next - 1]!] : [this.#entry!, 0];
    const to = nodeAt(next);
    const node: Node = [this.position.slice(), this.position.slice(), this.position.slice()];
    for (let i = 0; i < this.position.length; i++)
      quintic(from, to, i, times[next]! - start, t - start, node);
    this.#set(...node);

    function nodeAt(k: number): Node {
      return [positions[k]!, velocities[k]!, accelerations[k]!];
    }
  }

  #set(position: Float64Array, velocity: Float64Array, acceleration: Float64Array): void {
    this.position.set(position);
    this.velocity.set(velocity);
    this.#acceleration.set(acceleration);
  }
}

type Node = readonly [Float64Array, Float64Array, Float64Array];

function quintic(from: Node, to: Node, i: number, T: number, t: number, out: Node): void {
  const [p0, v0, a0] = from.map((x) => x[i]!) as [number, number, number];
  const [p1, v1, a1] = to.map((x) => x[i]!) as [number, number, number];
  const way = p1 - p0;
  const c3 = (20 * way - (8 * v1 + 12 * v0) * T - (3 * a0 - a1) * T * T) / (2 * T ** 3);
  const c4 = (-30 * way + (14 * v1 + 16 * v0) * T + (3 * a0 - 2 * a1) * T * T) / (2 * T ** 4);
  const c5 = (12 * way - 6 * (v1 + v0) * T - (a0 - a1) * T * T) / (2 * T ** 5);
  out[0][i] = p0 + v0 * t + (a0 / 2) * t ** 2 + c3 * t ** 3 + c4 * t ** 4 + c5 * t ** 5;
  out[1][i] = v0 + a0 * t + 3 * c3 * t ** 2 + 4 * c4 * t ** 3 + 5 * c5 * t ** 4;
  out[2][i] = a0 + 6 * c3 * t + 12 * c4 * t ** 2 + 20 * c5 * t ** 3;
}
