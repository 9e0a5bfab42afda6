import { PhiloxStream } from '#core/philox';
import { identityPermutation, type SignedPermutation } from '#core/signedPermutation';
import type { ResetOptions } from '#env/vectorEnv';
import type { ExpertPolicy, LearnEnv, Problem, ProblemEnvOptions } from '#learn/problem';

/** A peg, a hole, 3 mm of clearance, 25 Hz delta control, a drift and rim friction that are not observed: no
 * physics engine, a known best policy, thousands of steps a millisecond. The learning tests run on it. */

const CLEARANCE = 0.003;
const UNIT = 0.02;
const HORIZON = 60;
const O = 10;
const A = 3;
const FIELDS = [
  { name: 'peg', length: 3, unit: 'dm' },
  { name: 'hole', length: 2, unit: 'dm' },
  { name: 'error', length: 2, unit: '2 cm' },
  { name: 'velocity', length: 3, unit: '5 cm/step' },
];
/** Per environment: peg 0-2, velocity 3-5, hole 6-7, drift 8-9, step 10. */
const STATE = 11;

export class KinematicPegEnv implements LearnEnv {
  readonly B: number;
  readonly O = O;
  readonly A = A;
  readonly action: Float32Array;
  readonly observation: Float32Array;
  readonly finalObservation: Float32Array;
  readonly reward: Float32Array;
  readonly terminated: Uint8Array;
  readonly truncated: Uint8Array;
  readonly success: Uint8Array;
  readonly active: Uint8Array;
  readonly episode: Uint32Array;
  /** How near the peg is to the hole's axis, 0 to 1, and whether it is on it. [B,2] */
  readonly signals: Float64Array;
  readonly finalSignals: Float64Array;
  readonly faults: { environment: number; episode: number; step: number; cause: string }[] = [];
  readonly horizon: number;
  #seed: number;
  #first = 0;
  readonly #state: Float64Array;

  constructor(B: number, seed: number, horizon = HORIZON) {
    this.B = B;
    this.horizon = horizon;
    this.#seed = seed;
    this.action = new Float32Array(B * A);
    this.observation = new Float32Array(B * O);
    this.finalObservation = new Float32Array(B * O);
    this.signals = new Float64Array(B * 2);
    this.finalSignals = new Float64Array(B * 2);
    this.reward = new Float32Array(B);
    this.terminated = new Uint8Array(B);
    this.truncated = new Uint8Array(B);
    this.success = new Uint8Array(B);
    this.active = new Uint8Array(B).fill(1);
    this.episode = new Uint32Array(B);
    this.#state = new Float64Array(B * STATE);
    this.reset();
  }

  reset(options: ResetOptions = {}): void {
    this.#seed = options.seed ?? this.#seed;
    this.#first = options.firstEnvironment ?? this.#first;
    this.episode.fill(options.episode ?? 0);
    for (let row = 0; row < this.B; row++) this.#begin(row);
  }

  #begin(row: number): void {
    const draw = new PhiloxStream(this.#seed, 1, this.#first + row, this.episode[row]!);
    const uniform = (half: number): number => half * (2 * draw.uniform() - 1);
    this.#state.set(
      [
        uniform(0.1),
        uniform(0.1),
        0.12,
        0,
        0,
        0,
        uniform(0.1),
        uniform(0.1),
        uniform(0.0015),
        uniform(0.0015),
        0,
      ],
      row * STATE,
    );
    this.#observe(row, this.observation, this.signals);
  }

  #observe(row: number, out: Float32Array, outSignals: Float64Array): void {
    const [x, y, z, vx, vy, vz, hx, hy] = this.#state.subarray(row * STATE, (row + 1) * STATE);
    out.set(
      [
        x! * 10,
        y! * 10,
        z! * 10,
        hx! * 10,
        hy! * 10,
        (x! - hx!) * 50,
        (y! - hy!) * 50,
        vx! * 20,
        vy! * 20,
        vz! * 20,
      ],
      row * O,
    );
    const lateral = Math.hypot(x! - hx!, y! - hy!);
    outSignals.set([Math.max(0, 1 - lateral / 0.2), lateral < 0.004 ? 1 : 0], row * 2);
  }

  step(): void {
    for (let row = 0; row < this.B; row++) {
      this.reward[row] = this.terminated[row] = this.truncated[row] = this.success[row] = 0;
      if (this.active[row] === 1) this.#step(row);
    }
  }

  #step(row: number): void {
    const s = this.#state.subarray(row * STATE, (row + 1) * STATE);
    const a = this.action.subarray(row * A, (row + 1) * A).map((v) => Math.min(1, Math.max(-1, v)));
    const [px, py, pz] = s;
    for (let i = 0; i < 3; i++) s[3 + i] = 0.5 * s[3 + i]! + 0.5 * UNIT * a[i]!;
    let x = px! + s[3]! + s[8]! * 0.2;
    let y = py! + s[4]! + s[9]! * 0.2;
    let z = pz! + s[5]!;
    if (z < 0 && pz! >= 0 && Math.max(Math.abs(x - s[6]!), Math.abs(y - s[7]!)) > CLEARANCE) {
      z = 0.001; // jams on the rim
      x = px! + 0.3 * (x - px!);
      y = py! + 0.3 * (y - py!);
    } else if (z < 0 && pz! < 0) {
      x = Math.min(s[6]! + CLEARANCE, Math.max(s[6]! - CLEARANCE, x));
      y = Math.min(s[7]! + CLEARANCE, Math.max(s[7]! - CLEARANCE, y));
    }
    s.set([x, y, z]);
    s[10] = s[10]! + 1;
    const inserted = z < -0.03;
    this.reward[row] = this.terminated[row] = this.success[row] = inserted ? 1 : 0;
    this.truncated[row] = !inserted && s[10]! >= this.horizon ? 1 : 0;
    this.#observe(row, this.finalObservation, this.finalSignals);
    this.#observe(row, this.observation, this.signals);
    if (inserted || this.truncated[row] === 1) {
      this.episode[row]!++;
      this.#begin(row);
    }
  }

  async stepAsync(): Promise<void> {
    this.step();
  }

  getState(): Uint8Array {
    const numbers = Float64Array.from([this.#seed, ...this.episode, ...this.#state]);
    return new Uint8Array(numbers.buffer);
  }

  setState(state: Uint8Array): void {
    const numbers = new Float64Array(state.slice().buffer);
    this.#seed = numbers[0]!;
    this.episode.set(numbers.subarray(1, 1 + this.B));
    this.#state.set(numbers.subarray(1 + this.B));
    for (let row = 0; row < this.B; row++) this.#observe(row, this.observation, this.signals);
  }

  getEnvironment(row: number): Uint8Array {
    return new Uint8Array(this.#state.slice(row * STATE, (row + 1) * STATE).buffer);
  }

  setEnvironment(row: number, state: Uint8Array): void {
    this.#state.set(new Float64Array(state.slice().buffer), row * STATE);
    this.#observe(row, this.observation, this.signals);
  }

  close(): void {}

  /** Lateral error, height and whether the peg is in, for the expert. */
  peg(row: number): { readonly ex: number; readonly ey: number; readonly z: number } {
    const s = this.#state.subarray(row * STATE, (row + 1) * STATE);
    return { ex: s[6]! - s[0]!, ey: s[7]! - s[1]!, z: s[2]! };
  }
}

/** Centres the peg, then pushes it down; noisy, so that a clone of it is mediocre. */
class KinematicPegExpert implements ExpertPolicy {
  readonly #env: KinematicPegEnv;
  readonly #noise: number;
  readonly #draw: PhiloxStream;
  readonly state = { position: new Float64Array(1) };

  constructor(env: KinematicPegEnv, seed: number, noise: number) {
    this.#env = env;
    this.#noise = noise;
    this.#draw = new PhiloxStream(seed, 2);
  }

  reset(): void {}

  act(outAction: Float32Array): void {
    this.#draw.seek(this.state.position[0]!);
    for (let row = 0; row < this.#env.B; row++) {
      const { ex, ey, z } = this.#env.peg(row);
      const centred = Math.max(Math.abs(ex), Math.abs(ey)) < 0.0015 || z < 0;
      const down = centred ? -0.6 : Math.min(1, Math.max(-1, ((0.03 - z) / UNIT) * 0.5));
      const action = [(ex / UNIT) * 0.6, (ey / UNIT) * 0.6, down];
      for (let i = 0; i < A; i++)
        outAction[row * A + i] = Math.min(1, Math.max(-1, action[i]! + this.#noise * this.#draw.normal()));
    }
    this.state.position[0] = this.#draw.position;
  }
}

/** In a mirror in the yz plane the named entries change their sign. */
function turned(n: number, entries: readonly number[]): SignedPermutation {
  const { source, sign } = identityPermutation(n);
  for (const i of entries) sign[i] = -1;
  return { source, sign };
}

export function kinematicPeg(options: { horizon?: number; noise?: number } = {}): Problem {
  const horizon = options.horizon ?? HORIZON;
  return {
    task: 'kinematic_peg',
    taskHash: `kinematic-peg-${horizon}`,
    robotHash: 'none',
    controlPeriod: 0.04,
    observationFields: FIELDS,
    actionNames: ['x', 'y', 'z'],
    O,
    A,
    horizon,
    control: { mode: 'kinematic', unit: UNIT },
    signalNames: ['nearness', 'centred'],
    mirror: {
      observation: turned(O, [0, 3, 5, 7]),
      action: turned(A, [0]),
      check: async () => {},
    },
    makeEnv: async ({ environments, seed }: ProblemEnvOptions) =>
      new KinematicPegEnv(environments, seed, horizon),
    makeExpert: (env, seed) => new KinematicPegExpert(env as KinematicPegEnv, seed, options.noise ?? 0.1),
  };
}
