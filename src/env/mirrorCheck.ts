import { Draws } from '#core/draws';
import { VernierError } from '#core/errors';
import { permuted } from '#core/signedPermutation';
import { makeEnv } from '#env/makeEnv';
import { makeTwin } from '#env/twin';
import type { EnvScene, SensedScene } from '#native/physicsBatch';
import type { ResolvedMirror } from '#spec/mirror';
import type { ResolvedTask } from '#spec/resolved';

/** Whether a task's mirror is one: states are mirrored, stepped and compared on the simulator. */

/** Environments that states are taken from, random steps before each, and states of each. */
const ENVIRONMENTS = 8;
const STEPS = 6;
const ROUNDS = 4;
/** Of an observation's number: what rounding may make of it, in the number's own scale. */
const ROUNDING = 1e-3;

export interface MirrorCheckOptions {
  readonly backend?: 'native' | 'wasm';
}

/** Steps states with random actions, and their mirror images with the mirrored actions: the observations of the images must
 * be the mirrored observations, before the step to rounding, and after it within `tolerance` of what the step changed.
 * @throws SPEC naming the entry of the observation that is farthest off */
export async function checkMirror(task: ResolvedTask, options: MirrorCheckOptions = {}): Promise<void> {
  const { mirror } = task;
  if (!mirror) throw new VernierError('STATE', `${task.name} has no mirror`);
  if (task.control.dynamics)
    throw new VernierError('SPEC', `${task.file}: mirror: the check needs MuJoCo's step, not dynamics`);
  const env = await makeEnv(task, { environments: ENVIRONMENTS, seed: 0x4d49, threads: 1, ...options });
  const twin = await makeTwin(task, options);
  const draws = new Draws(0x4d49, 1);
  const action = new Float32Array(env.A);
  const errors = new Errors(task, mirror);
  // Where a state puts the robot and what a step makes of it, in the glass and out of it.
  const stepped = (scene: SensedScene, taken: Float32Array): [Float32Array, Float32Array] => {
    twin.sense(scene, true);
    const before = twin.observation.slice();
    twin.action.set(taken);
    twin.step();
    return [before, twin.finalObservation.slice()];
  };
  try {
    for (let round = 0; round < ROUNDS; round++) {
      for (let step = 0; step < STEPS; step++) {
        draws.uniforms(env.action, -1, 1);
        env.step();
      }
      for (let row = 0; row < env.B; row++) {
        const scene = env.readCopy(row);
        draws.uniforms(action, -1, 1);
        const [before, after] = stepped(scene, action);
        const image = stepped(mirrorScene(scene, mirror, task), permuted(action, mirror.action));
        errors.add(before, after, ...image);
      }
    }
  } finally {
    env.close();
    twin.close();
  }
  errors.judge();
}

/** The scene in the mirror. A body that stands in another's place takes the other's mirrored pose. */
export function mirrorScene(scene: EnvScene, mirror: ResolvedMirror, task: ResolvedTask): SensedScene {
  const { names } = task;
  const placed = new Set(task.randomize.flatMap((entry) => (entry.kind === 'pose' ? [entry.body] : [])));
  const qpos = scene.qpos.slice();
  const qvel = scene.qvel.slice();
  const { joints, bodies, axis } = mirror;
  for (const [joint, type] of names.jointType.entries()) {
    const body = bodies[names.jointBody[joint]!]!;
    const twin = type < 2 ? names.jointBody.indexOf(body) : joints.source[joint]!;
    const [q, v] = [names.jointQposAddress[joint]!, names.jointDofAddress[joint]!];
    const [fromQ, fromV] = [names.jointQposAddress[twin]!, names.jointDofAddress[twin]!];
    if (type >= 2) {
      const [sign, about] = [joints.sign[joint]!, joints.about[joint]!];
      qpos[q] = about + sign * (scene.qpos[fromQ]! - about);
      qvel[v] = sign * scene.qvel[fromV]!;
      continue;
    }
    const at = type === 0 ? 3 : 0;
    if (type === 0) {
      reflectVector(scene.qpos, fromQ, axis, qpos, q);
      reflectVector(scene.qvel, fromV, axis, qvel, v);
    }
    reflectQuaternion(scene.qpos, fromQ + at, axis, qpos, q + at);
    reflectAxial(scene.qvel, fromV + at, axis, qvel, v + at);
  }
  const image = {
    qpos,
    qvel,
    mocapPos: scene.mocapPos.slice(),
    mocapQuat: scene.mocapQuat.slice(),
    bodyPos: scene.bodyPos.slice(),
    bodyQuat: scene.bodyQuat.slice(),
  };
  for (const [body, from] of bodies.entries()) {
    if (placed.has(body)) {
      reflectVector(scene.bodyPos, 3 * from, axis, image.bodyPos, 3 * body);
      reflectQuaternion(scene.bodyQuat, 4 * from, axis, image.bodyQuat, 4 * body);
    }
    const [to, source] = [names.bodyMocap[body]!, names.bodyMocap[from]!];
    if (to < 0 || source < 0) continue;
    reflectVector(scene.mocapPos, 3 * source, axis, image.mocapPos, 3 * to);
    reflectQuaternion(scene.mocapQuat, 4 * source, axis, image.mocapQuat, 4 * to);
  }
  return image;
}

function reflectVector(from: Float64Array, at: number, axis: number, out: Float64Array, to: number): void {
  for (let i = 0; i < 3; i++) out[to + i] = (i === axis ? -1 : 1) * from[at + i]!;
}

/** Axes of turns are pseudovectors. */
function reflectAxial(from: Float64Array, at: number, axis: number, out: Float64Array, to: number): void {
  for (let i = 0; i < 3; i++) out[to + i] = (i === axis ? 1 : -1) * from[at + i]!;
}

function reflectQuaternion(
  from: Float64Array,
  at: number,
  axis: number,
  out: Float64Array,
  to: number,
): void {
  out[to] = from[at]!;
  reflectAxial(from, at + 1, axis, out, to + 1);
}

/** Sums over the states of what is off, per number of the observation, and of what it is measured against. */
class Errors {
  readonly #task: ResolvedTask;
  readonly #mirror: ResolvedMirror;
  readonly #state: Float64Array;
  readonly #size: Float64Array;
  readonly #step: Float64Array;
  readonly #change: Float64Array;

  constructor(task: ResolvedTask, mirror: ResolvedMirror) {
    this.#task = task;
    this.#mirror = mirror;
    const O = task.observationLength;
    this.#state = new Float64Array(O);
    this.#size = new Float64Array(O);
    this.#step = new Float64Array(O);
    this.#change = new Float64Array(O);
  }

  add(before: Float32Array, after: Float32Array, beforeImage: Float32Array, afterImage: Float32Array): void {
    const { observation } = this.#mirror;
    const [wantedBefore, wantedAfter] = [permuted(before, observation), permuted(after, observation)];
    for (let i = 0; i < before.length; i++) {
      this.#state[i]! += Math.abs(beforeImage[i]! - wantedBefore[i]!);
      this.#size[i]! += Math.abs(wantedBefore[i]!);
      this.#step[i]! += Math.abs(afterImage[i]! - wantedAfter[i]!);
      this.#change[i]! += Math.abs(wantedAfter[i]! - wantedBefore[i]!);
    }
  }

  judge(): void {
    const count = ENVIRONMENTS * ROUNDS;
    const worst = (error: Float64Array, scale: Float64Array, allowed: number) => {
      const ratios = Array.from(error, (sum, i) => sum / (allowed * scale[i]! + ROUNDING * count));
      const entry = ratios.indexOf(Math.max(...ratios));
      return { entry, ratio: ratios[entry]!, off: error[entry]! / count, of: scale[entry]! / count };
    };
    const state = worst(this.#state, this.#size, ROUNDING);
    if (!(state.ratio <= 1))
      this.#fail(state, 'of a mirrored state is not the mirrored observation', 'what it is');
    const step = worst(this.#step, this.#change, this.#mirror.tolerance);
    if (!(step.ratio <= 1))
      this.#fail(
        step,
        'after a mirrored step from a mirrored state is not the mirrored one',
        'what the step changes',
      );
  }

  #fail(at: { entry: number; off: number; of: number }, what: string, of: string): never {
    const { file, program } = this.#task;
    const field = program.observationNames.find(
      ({ offset, length }) => at.entry >= offset && at.entry < offset + length,
    )!;
    throw new VernierError(
      'SPEC',
      `${file}: mirror.observation.${field.name}: number ${at.entry - field.offset + 1} of ${field.name} ${what}: ` +
        `off by ${at.off.toPrecision(2)} on average, ${of} is ${at.of.toPrecision(2)}`,
      {
        hint: "mend its sign there, or the joints under `mirror` in the robot's and the task's file; a task that is not symmetric has no mirror",
        context: { field: field.name, ...at },
      },
    );
  }
}
