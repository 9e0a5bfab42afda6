import type { ModelNames } from '#core/model';
import { firstNotRestored, identityPermutation, type SignedPermutation } from '#core/signedPermutation';
import type { Program } from '#expr/program';
import { nearestHint } from '#expr/source';
import type { ConfigFile, Path } from '#spec/configFile';
import { type MirrorEntry, mirrorPlanes } from '#spec/mirrorSchema';
import type { ResolvedControl, ResolvedRobot } from '#spec/resolved';
import type { TaskSpec } from '#spec/taskSchema';

/** A robot and its task in a mirror: what becomes of states, observations and actions. */
export interface ResolvedMirror {
  /** Axis at right angles to the mirror: 0 x, 1 y, 2 z. */
  readonly axis: 0 | 1 | 2;
  readonly observation: SignedPermutation;
  readonly action: SignedPermutation;
  /** Of hinges and slides, by joint id: position = about + sign * (position of `source` - about).
   * @shape each [joints] */
  readonly joints: {
    readonly source: readonly number[];
    readonly sign: readonly number[];
    readonly about: readonly number[];
  };
  /** Body in whose place each body is. */
  readonly bodies: readonly number[];
  readonly tolerance: number;
}

/** The mirror of a task, with its names looked up; undefined where its file has none.
 * @throws SPEC at the name that is wrong, or where mirroring twice is not the beginning again
 * @source GR-RL (ByteDance 2025, arXiv:2512.01801): demonstrations and transitions doubled by mirror symmetry; differs: one arm
 * reflected in a plane it is symmetric about, on states in the place of images, and checked on the simulator */
export function resolveMirror(
  spec: TaskSpec,
  config: ConfigFile,
  robot: ResolvedRobot,
  control: ResolvedControl,
  names: ModelNames,
  program: Program,
): ResolvedMirror | undefined {
  if (!spec.mirror) {
    for (const user of ['base', 'residual'] as const)
      if (spec[user].mirror)
        config.fail(
          [user, 'mirror'],
          'expected a section `mirror` that tells what the task looks like in one',
        );
    return undefined;
  }
  if (!robot.spec.mirror) {
    // Another robot than the task's own does without, unless learning asks for it.
    if (!spec.base.mirror && !spec.residual.mirror) return undefined;
    return config.fail(['mirror'], `expected \`mirror\` in the robot's file too, ${robot.file} has none`);
  }
  const axis = mirrorPlanes[robot.spec.mirror.plane];
  const joints = jointMap(spec, config, robot, names);
  const mirror: ResolvedMirror = {
    axis,
    joints,
    bodies: bodyMap(spec, config, names),
    observation: observationMap(spec, config, robot, joints, axis, program),
    action: actionMap(config, robot, control, joints, axis),
    tolerance: spec.mirror.tolerance,
  };
  const wrong = firstNotRestored(mirror.observation);
  if (wrong !== undefined)
    config.fail(
      ['mirror', 'observation'],
      `entry ${wrong} of the observation does not come back when mirrored twice`,
    );
  return mirror;
}

function jointMap(
  { mirror }: TaskSpec,
  config: ConfigFile,
  { spec }: ResolvedRobot,
  names: ModelNames,
): ResolvedMirror['joints'] {
  const find = (name: string, path: Path): number => {
    const id = names.joint.indexOf(name);
    if (id < 0) return config.fail(path, `the model has no joint "${name}"${nearestHint(name, names.joint)}`);
    return names.jointType[id]! >= 2
      ? id
      : config.fail(path, `expected a hinge or slide joint, "${name}" is neither`);
  };
  const source = names.joint.map((_, id) => id);
  const sign = names.joint.map(() => 1);
  const about = names.joint.map(() => 0);
  for (const [section, path] of [
    [spec.mirror!, ['robot']],
    [mirror!, ['mirror']],
  ] as const) {
    for (const [name, position] of Object.entries(section.flip)) {
      const id = find(name, path);
      sign[id] = -1;
      about[id] = position;
    }
    for (const pair of section.swap) {
      const [a, b] = [find(pair[0], path), find(pair[1], path)];
      source[a] = b;
      source[b] = a;
      if (sign[a] !== sign[b] || about[a] !== about[b])
        config.fail(
          path,
          `"${names.joint[a]}" and "${names.joint[b]}" are swapped: expected both in \`flip\`, with one position, or none`,
        );
    }
  }
  return { source, sign, about };
}

function bodyMap({ mirror }: TaskSpec, config: ConfigFile, names: ModelNames): number[] {
  const bodies = names.body.map((_, id) => id);
  for (const [i, pair] of mirror!.bodies.entries()) {
    const [a, b] = pair.map((name, k) => {
      const id = names.body.indexOf(name);
      return id > 0
        ? id
        : config.fail(
            ['mirror', 'bodies', i, k],
            `the model has no body "${name}"${nearestHint(name, names.body)}`,
          );
    }) as [number, number];
    bodies[a] = b;
    bodies[b] = a;
  }
  return bodies;
}

function observationMap(
  { mirror }: TaskSpec,
  config: ConfigFile,
  robot: ResolvedRobot,
  joints: ResolvedMirror['joints'],
  axis: 0 | 1 | 2,
  { observationNames }: Program,
): SignedPermutation {
  const end = Math.max(...observationNames.map(({ offset, length }) => offset + length));
  const { source, sign } = identityPermutation(end);
  const find = (name: string, path: Path) => {
    const entry = observationNames.find((other) => other.name === name);
    if (entry) return entry;
    const known = observationNames.map((other) => other.name);
    return config.fail(path, `the observation has no entry "${name}"${nearestHint(name, known)}`);
  };
  for (const [name, entry] of Object.entries(mirror!.observation)) {
    const path = ['mirror', 'observation', name];
    const { offset, length } = find(name, path);
    const map =
      entry === 'joints' ? armMap(robot, joints) : { signs: signsOf(entry, axis, length), from: undefined };
    if (map.signs?.length !== length)
      config.fail(path, `expected what fits ${length} numbers, received ${JSON.stringify(entry)}`);
    for (let i = 0; i < length; i++) {
      sign[offset + i] = map.signs[i]!;
      source[offset + i] = offset + (map.from?.[i] ?? i);
    }
  }
  for (const [i, pair] of mirror!.exchange.entries()) {
    const path = ['mirror', 'exchange', i];
    const [a, b] = [find(pair[0], path), find(pair[1], path)];
    if (a.length !== b.length)
      config.fail(path, `expected entries of one length, received ${a.length} and ${b.length}`);
    for (let k = 0; k < a.length; k++) {
      const [fromA, fromB] = [source[a.offset + k]! - a.offset, source[b.offset + k]! - b.offset];
      source[a.offset + k] = b.offset + fromA;
      source[b.offset + k] = a.offset + fromB;
    }
  }
  return { source, sign };
}

/** Signs of an entry's numbers; undefined where it cannot have so many. */
function signsOf(
  entry: Exclude<MirrorEntry, 'joints'>,
  axis: 0 | 1 | 2,
  length: number,
): readonly number[] | undefined {
  if (typeof entry !== 'string') return entry;
  const vector = [0, 1, 2].map((i) => (i === axis ? -1 : 1));
  const axial = vector.map((s) => -s);
  switch (entry) {
    case 'same':
      return new Array<number>(length).fill(1);
    case 'flip':
      return new Array<number>(length).fill(-1);
    case 'vector':
      // Two numbers are x and y.
      return length === 2 ? vector.slice(0, 2) : vector;
    case 'pseudovector':
      return axial;
    case 'quaternion':
      return [1, ...axial];
    default:
      return entry satisfies never;
  }
}

/** What becomes of the arm's joints, by their place in it. */
function armMap(
  { arm }: ResolvedRobot,
  joints: ResolvedMirror['joints'],
): { signs: number[]; from: number[] } {
  return {
    signs: arm.joints.map((id) => joints.sign[id]!),
    from: arm.joints.map((id) => arm.joints.indexOf(joints.source[id]!)),
  };
}

function actionMap(
  config: ConfigFile,
  robot: ResolvedRobot,
  control: ResolvedControl,
  joints: ResolvedMirror['joints'],
  axis: 0 | 1 | 2,
): SignedPermutation {
  const vector = [0, 1, 2].map((i) => (i === axis ? -1 : 1));
  const pose: Readonly<Record<string, number>> = {
    ...{ x: vector[0]!, y: vector[1]!, z: vector[2]! },
    ...{ roll: -vector[0]!, pitch: -vector[1]!, yaw: -vector[2]! },
  };
  const kind = control.dynamics?.kind;
  let signs: number[];
  let from: number[] | undefined;
  if (control.mode === 'end_effector_delta') signs = control.axes.map((name) => pose[name]!);
  else if (kind === 'unicycle') signs = [pose['yaw']!, 1];
  else if (kind === 'quadrotor') signs = [pose['roll']!, pose['pitch']!, pose['yaw']!, 1];
  else ({ signs, from } = armMap(robot, joints));
  if (from?.some((place) => place < 0))
    config.fail(['mirror'], 'expected joints of the arm to be swapped with joints of the arm');
  if (control.gripper) signs = [...signs, 1];
  const source = Int32Array.from(signs, (_, i) => from?.[i] ?? i);
  return { source, sign: Float32Array.from(signs) };
}
