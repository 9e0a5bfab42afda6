import { nearestName, VernierError } from '#core/errors';
import { type SensedPart, sensingNeeds } from '#env/sensing';
import { ConfigFile, type Path } from '#spec/configFile';
import { type BodySource, type DeploySpec, deploySchema } from '#spec/deploySchema';
import { parseFile } from '#spec/mistakes';
import type { ResolvedTask } from '#spec/resolved';

/** What a deployment file and the robot file's `ros` section say together, checked against the task: plain data, so that
 * it can be handed to the control worker. */

/** A joint that is sensed. */
export interface SensedJoint {
  /** Of the model. */
  readonly id: number;
  readonly name: string;
  readonly rosName: string;
  readonly qpos: number;
  readonly dof: number;
  /** Whether its velocity is read. */
  readonly moving: boolean;
}

/** A body whose pose is sensed, and how its pose enters the model. */
export interface SensedBody {
  readonly id: number;
  readonly name: string;
  /** Where it stands in the model: a free joint's address in qpos, a mocap body's index, or its own place. */
  readonly place:
    | { readonly kind: 'free'; readonly qpos: number }
    | { readonly kind: 'mocap'; readonly index: number }
    | { readonly kind: 'fixed' };
  readonly source: BodySource;
  /** Body of the arm that a weld of the model holds it to: it moves with that one. */
  readonly carriedBy: number | undefined;
}

export interface GripperDriver {
  readonly action: string | undefined;
  readonly topic: string | undefined;
  /** Of the model's control and of the driver, at both ends. */
  readonly model: { readonly open: number; readonly closed: number };
  readonly driver: { readonly open: number; readonly closed: number };
  readonly maxEffort: number;
  readonly deadband: number;
}

export interface Deployment {
  readonly spec: DeploySpec;
  readonly jointStates: string;
  /** The arm's, then the others. */
  readonly joints: readonly SensedJoint[];
  /** Of the first entries of `joints`. */
  readonly armJoints: number;
  readonly bodies: readonly SensedBody[];
  readonly baseFrame: string;
  /** Topic or action of the arm's commands. */
  readonly output: string;
  /** Undefined where the gripper is not driven. */
  readonly gripper: GripperDriver | undefined;
  /** Seconds after which joint states are stale. */
  readonly jointAge: number;
  /** Seconds of a policy step, at the pace of the deployment. */
  readonly period: number;
}

/** A deployment file as read, before it meets a task. */
export interface DeploymentFile {
  readonly spec: DeploySpec;
  /** Undefined where there is none and everything is as by default. */
  readonly config: ConfigFile | undefined;
}

/** @param path of a deployment file; all defaults when left out
 * @throws IO, SPEC with file:line:column */
export function readDeployment(path: string | undefined): DeploymentFile {
  if (path === undefined) return { spec: deploySchema.parse({}), config: undefined };
  const config = new ConfigFile(path);
  // A file that only has comments says nothing.
  return { spec: parseFile(config, deploySchema, (raw) => raw ?? {}), config };
}

/** @throws SPEC with file:line:column; what the robot cannot sense by name, with what to do */
export function resolveDeployment({ spec, config }: DeploymentFile, task: ResolvedTask): Deployment {
  return new Resolver(task, spec, config).resolve();
}

class Resolver {
  readonly #task: ResolvedTask;
  readonly #spec: DeploySpec;
  readonly #config: ConfigFile | undefined;

  constructor(task: ResolvedTask, spec: DeploySpec, config: ConfigFile | undefined) {
    this.#task = task;
    this.#spec = spec;
    this.#config = config;
  }

  resolve(): Deployment {
    const { task, spec } = { task: this.#task, spec: this.#spec };
    const { ros } = task.robot.spec;
    this.#requirePositions();
    const parts: SensedPart[] = ['observation'];
    if (spec.episode.judge) parts.push('success', 'failure');
    if (spec.episode.judge || (task.monitors?.native.observed.length ?? 0) > 0) parts.push('monitor');
    const needs = sensingNeeds(task, parts);
    const [problem] = needs.problems;
    if (problem) {
      const hint =
        problem.part === 'observation'
          ? 'train on an observation without it: a policy can act only on what the robot senses'
          : 'set episode.judge: false in the deployment file, and the episode ends at its horizon alone';
      this.#fail(
        ['episode'],
        `${task.name}: ${problem.part} "${problem.name}" reads ${problem.reads}, which no sensor tells`,
        hint,
      );
    }
    const moving = new Set(needs.velocities);
    const joints = this.#joints(needs.joints).map((joint) => ({ ...joint, moving: moving.has(joint.id) }));
    return {
      spec,
      jointStates: spec.joint_states.topic ?? ros.joint_states,
      joints,
      armJoints: task.robot.arm.joints.length,
      bodies: this.#bodies(needs.bodies),
      baseFrame: spec.tf.base_frame ?? ros.base_frame ?? task.names.body[task.robot.base] ?? 'base',
      output: this.#output(),
      gripper: this.#gripper(),
      jointAge: spec.ages.joints ?? Math.max(0.1, 2 * task.control.period),
      period: task.control.period / spec.pace,
    };
  }

  #requirePositions(): void {
    const { mode } = this.#task.control;
    if (mode !== 'torque' && mode !== 'dynamics') return;
    this.#fail(
      ['output'],
      `${this.#task.name}: the control mode ${mode} has no joint positions to send`,
      'train in end_effector_delta, joint_delta, joint_position or joint_velocity',
    );
  }

  #joints(needed: readonly number[]): Omit<SensedJoint, 'moving'>[] {
    const { arm, gripper, spec: robot } = this.#task.robot;
    const { joint_states, gripper: hand } = this.#spec;
    const armNames = this.#sameLength(
      ['joint_states', 'joint_names'],
      joint_states.joint_names ?? robot.ros.joint_names ?? arm.names,
      arm.joints.length,
      'arm.joints',
    );
    const rosNames = new Map(arm.joints.map((id, i) => [id, armNames[i]!]));
    const fingers = gripper?.joints.filter((id) => needed.includes(id)) ?? [];
    if (gripper && fingers.length > 0) {
      const own = gripper.joints.map((id) => this.#task.names.joint[id]!);
      const given = hand.joint_names ?? robot.ros.gripper?.joint_names ?? own;
      const path = ['gripper', 'joint_names'];
      const gripperNames = this.#sameLength(path, given, gripper.joints.length, 'gripper.joints');
      for (const [i, id] of gripper.joints.entries()) rosNames.set(id, gripperNames[i]!);
    }
    this.#addOthers(rosNames);
    const others = needed.filter((id) => !arm.joints.includes(id));
    const out = [...arm.joints, ...others].map((id) => this.#joint(id, rosNames.get(id)));
    const twice = out.find(({ rosName }, i) => out.findIndex((other) => other.rosName === rosName) !== i);
    if (twice) this.#fail(['joint_states'], `expected different names, "${twice.rosName}" stands for two`);
    return out;
  }

  #joint(id: number, rosName: string | undefined): Omit<SensedJoint, 'moving'> {
    const { names } = this.#task;
    const name = names.joint[id]!;
    return {
      id,
      name,
      rosName: rosName ?? name,
      qpos: names.jointQposAddress[id]!,
      dof: names.jointDofAddress[id]!,
    };
  }

  #addOthers(rosNames: Map<number, string>): void {
    const { joint: known } = this.#task.names;
    for (const [name, rosName] of Object.entries(this.#spec.joint_states.others)) {
      const id = known.indexOf(name);
      if (id < 0) this.#fail(['joint_states', 'others', name], `the model has no joint "${name}"`);
      rosNames.set(id, rosName);
    }
  }

  #sameLength(path: Path, list: readonly string[], expected: number, of: string): readonly string[] {
    if (list.length === expected) return list;
    return this.#fail(
      path,
      `expected ${expected} names, as many as ${of} of the robot file, received ${list.length}`,
    );
  }

  #bodies(needed: readonly number[]): SensedBody[] {
    const { names } = this.#task;
    for (const name of Object.keys(this.#spec.bodies)) {
      const id = names.body.indexOf(name);
      const known = needed.map((body) => names.body[body]!);
      const near = nearestName(name, known);
      const hint = near ? `; did you mean ${near}?` : known.length > 0 ? ` (${known.join(', ')})` : '';
      if (!needed.includes(id)) {
        this.#fail(['bodies', name], `expected a body whose pose ${this.#task.name} reads${hint}`);
      }
    }
    return needed.map((id) => this.#body(id));
  }

  #body(id: number): SensedBody {
    const { names } = this.#task;
    const name = names.body[id]!;
    const source: BodySource = this.#spec.bodies[name] ?? { frame: name };
    const path = ['bodies', name];
    if ('attached_to' in source) {
      const known = names.site.includes(source.attached_to) || names.body.includes(source.attached_to);
      if (!known)
        this.#fail([...path, 'attached_to'], `the model has no site or body "${source.attached_to}"`);
    }
    const free = names.jointBody.findIndex((body, joint) => body === id && names.jointType[joint] === 0);
    const mocap = names.bodyMocap[id]!;
    const carriedBy = this.#carrier(id);
    if (free >= 0) {
      const place = { kind: 'free', qpos: names.jointQposAddress[free]! } as const;
      return { id, name, source, place, carriedBy };
    }
    if (mocap >= 0) return { id, name, source, place: { kind: 'mocap', index: mocap }, carriedBy: undefined };
    for (let body = names.bodyParent[id]!; body > 0; body = names.bodyParent[body]!) {
      if (names.jointBody.includes(body) || names.bodyMocap[body]! >= 0)
        this.#fail(path, `the pose of ${name} cannot be set: it hangs on ${names.body[body]}, which moves`);
    }
    return { id, name, source, place: { kind: 'fixed' }, carriedBy: undefined };
  }

  #carrier(id: number): number | undefined {
    const { names, robot } = this.#task;
    const partners = names.weldBodies.flatMap(([a, b]) => (a === id ? [b] : b === id ? [a] : []));
    const moves = (body: number): boolean =>
      body > 0 &&
      (robot.arm.joints.some((joint) => names.jointBody[joint] === body) || moves(names.bodyParent[body]!));
    return partners.find(moves);
  }

  #output(): string {
    const { kind, topic, action } = this.#spec.output;
    const { controller, command_topic } = this.#task.robot.spec.ros;
    const isAction = kind === 'follow_joint_trajectory';
    const given = isAction ? action : (topic ?? (kind === 'joint_trajectory' ? command_topic : undefined));
    const leaf = { joint_trajectory: 'joint_trajectory', forward_position: 'commands' } as const;
    const found =
      given ?? (controller && `/${controller}/${isAction ? 'follow_joint_trajectory' : leaf[kind]}`);
    if (found) return found.startsWith('~') || found.startsWith('/') ? found : `/${found}`;
    return this.#fail(
      ['output', isAction ? 'action' : 'topic'],
      'where to send commands is not known',
      'name it here, or the controller under `ros` in the robot file',
    );
  }

  #gripper(): GripperDriver | undefined {
    const { control, robot } = this.#task;
    const { gripper } = robot;
    // A gripper that is not the policy's may hold what the task needs.
    if (!gripper || !control.gripper) return undefined;
    const ros = robot.spec.ros.gripper;
    const { action, topic, open, closed, max_effort, deadband } = this.#spec.gripper;
    const chosen = action ?? (topic === undefined ? ros?.action : undefined);
    const asTopic = topic ?? (chosen === undefined ? ros?.topic : undefined);
    if (chosen === undefined && asTopic === undefined)
      this.#fail(['gripper'], 'the policy drives a gripper: expected `action` or `topic`');
    return {
      action: chosen,
      topic: asTopic,
      model: { open: gripper.open, closed: gripper.closed },
      driver: {
        open: open ?? ros?.open ?? gripper.open,
        closed: closed ?? ros?.closed ?? gripper.closed,
      },
      maxEffort: max_effort ?? ros?.max_effort ?? 0,
      deadband,
    };
  }

  #fail(path: Path, message: string, hint?: string): never {
    if (this.#config) return this.#config.fail(path, message, hint);
    throw new VernierError('SPEC', message, hint === undefined ? {} : { hint });
  }
}
