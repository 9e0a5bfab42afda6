import type { MotionLimits } from '#deploy/safety/limits';

/** Checks commands from their positions alone, without the filter's state. */
export class CommandRecorder {
  readonly #limits: MotionLimits;
  readonly #lower: Float64Array;
  readonly #upper: Float64Array;
  readonly #past: Float64Array[];
  /** The largest share of a limit that was used, by what was limited. */
  readonly worst = { velocity: 0, acceleration: 0, jerk: 0 };
  readonly faults: string[] = [];

  /** @param start at rest */
  constructor(limits: MotionLimits, start: Float64Array) {
    this.#limits = limits;
    this.#lower = limits.lower.map((x, i) => Math.min(x, start[i]!));
    this.#upper = limits.upper.map((x, i) => Math.max(x, start[i]!));
    this.#past = [start.slice(), start.slice(), start.slice()];
  }

  add(command: Float64Array): void {
    const h = this.#limits.period;
    const [c1, c2, c3] = this.#past as [Float64Array, Float64Array, Float64Array];
    for (let i = 0; i < command.length; i++) {
      const c = command[i]!;
      const velocity = Math.abs(c - c1[i]!) / h;
      const acceleration = Math.abs(c - 2 * c1[i]! + c2[i]!) / h ** 2;
      const jerk = Math.abs(c - 3 * c1[i]! + 3 * c2[i]! - c3[i]!) / h ** 3;
      if (!(c >= this.#lower[i]! - 1e-9 && c <= this.#upper[i]! + 1e-9)) {
        this.faults.push(`joint ${i} at ${c}`);
      }
      this.#use('velocity', i, velocity / this.#limits.velocity[i]!);
      this.#use('acceleration', i, acceleration / this.#limits.acceleration[i]!);
      this.#use('jerk', i, jerk / this.#limits.jerk[i]!);
    }
    this.#past.unshift(command.slice());
    this.#past.pop();
  }

  #use(what: 'velocity' | 'acceleration' | 'jerk', joint: number, share: number): void {
    this.worst[what] = Math.max(this.worst[what], share);
    if (!(share <= 1 + 1e-5)) this.faults.push(`joint ${joint} uses ${share} of its ${what}`);
  }
}
