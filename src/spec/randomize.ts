import type { ModelNames } from '#core/model';
import { nearestHint } from '#expr/source';
import type { Range } from '#native/physicsSpec';
import type { ConfigFile } from '#spec/configFile';
import type { Randomization, ResolvedRobot } from '#spec/resolved';
import type { RandomizeSpec, TaskSpec } from '#spec/taskSchema';

const none: Range = [0, 0];

/** The task's randomisation with its names looked up. @throws SPEC */
export function resolveRandomize(
  task: TaskSpec,
  file: ConfigFile,
  robot: ResolvedRobot,
  names: ModelNames,
): Randomization[] {
  return task.randomize.map((entry, i) => new EntryResolver(file, robot, names, i).resolve(entry));
}

class EntryResolver {
  readonly #file: ConfigFile;
  readonly #robot: ResolvedRobot;
  readonly #names: ModelNames;
  readonly #index: number;

  constructor(file: ConfigFile, robot: ResolvedRobot, names: ModelNames, index: number) {
    this.#file = file;
    this.#robot = robot;
    this.#names = names;
    this.#index = index;
  }

  resolve(entry: RandomizeSpec): Randomization {
    if ('body' in entry) return this.#pose(entry);
    if ('joints' in entry) {
      const list = Array.isArray(entry.joints) ? entry.joints : [entry.joints];
      const joints = list.flatMap((name, i) =>
        this.#joints(name, Array.isArray(entry.joints) ? ['joints', i] : ['joints']),
      );
      return { kind: 'joints', joints, noise: entry.noise };
    }
    if ('mass' in entry) return { kind: 'mass', body: this.#body(entry.mass, ['mass']), scale: entry.scale };
    if ('friction' in entry)
      return { kind: 'friction', geoms: this.#geoms(entry.friction), scale: entry.scale };
    if ('gain' in entry) return { kind: 'gain', actuators: this.#actuators(entry.gain), scale: entry.scale };
    if ('damping' in entry)
      return { kind: 'damping', joints: this.#joints(entry.damping, ['damping']), scale: entry.scale };
    if ('observation_noise' in entry) return { kind: 'observation_noise', std: entry.observation_noise };
    return { kind: 'latency', steps: entry.latency };
  }

  #pose(entry: Extract<RandomizeSpec, { body: string }>): Randomization {
    const body = this.#body(entry.body, ['body']);
    if (entry.distance !== undefined && !entry.apart_from)
      this.#fail(['distance'], 'expected `apart_from` beside it');
    if (entry.apart_from && entry.distance === undefined)
      this.#fail(['apart_from'], 'expected `distance` beside it');
    const apartFrom = (entry.apart_from ?? []).map((name, i) => this.#body(name, ['apart_from', i]));
    if (apartFrom.includes(body))
      this.#fail(['apart_from'], `expected other bodies than "${entry.body}" itself`);
    const { x = none, y = none, z = none, roll = none, pitch = none, yaw = none, distance = 0 } = entry;
    return { kind: 'pose', body, x, y, z, roll, pitch, yaw, apartFrom, distance };
  }

  #body(name: string, path: readonly PropertyKey[]): number {
    const id = this.#names.body.indexOf(name);
    if (id > 0) return id;
    return this.#fail(
      path,
      `the model has no body "${name}" to change${nearestHint(name, this.#names.body.slice(1))}`,
    );
  }

  #geoms(body: string): number[] {
    const id = this.#body(body, ['friction']);
    const geoms = this.#names.geomBody.flatMap((owner, geom) => (owner === id ? [geom] : []));
    return geoms.length > 0
      ? geoms
      : this.#fail(['friction'], `expected a body with geoms, "${body}" has none`);
  }

  #joints(name: string, path: readonly PropertyKey[]): readonly number[] {
    if (name === 'arm') return this.#robot.arm.joints;
    if (name === 'gripper') return this.#gripper(path).joints;
    const id = this.#names.joint.indexOf(name);
    if (id < 0) {
      const known = ['arm', 'gripper', ...this.#names.joint];
      return this.#fail(path, `the model has no joint "${name}"${nearestHint(name, known)}`);
    }
    if (this.#names.jointType[id]! < 2)
      return this.#fail(path, `expected a hinge or slide joint, "${name}" is neither`);
    return [id];
  }

  #actuators(name: string): readonly number[] {
    if (name === 'arm') return this.#robot.arm.actuators;
    if (name === 'gripper') return this.#gripper(['gain']).actuators;
    const id = this.#names.actuator.indexOf(name);
    if (id >= 0) return [id];
    const known = ['arm', 'gripper', ...this.#names.actuator];
    return this.#fail(['gain'], `the model has no actuator "${name}"${nearestHint(name, known)}`);
  }

  #gripper(path: readonly PropertyKey[]): NonNullable<ResolvedRobot['gripper']> {
    return this.#robot.gripper ?? this.#fail(path, 'expected `gripper` in the robot file');
  }

  #fail(path: readonly PropertyKey[], message: string): never {
    return this.#file.fail(['randomize', this.#index, ...path], message);
  }
}
