import { VernierError } from '#core/errors';
import type { Deployment, SensedBody } from '#deploy/robot/deployment';
import { boardLayout } from '#deploy/robot/inputs';
import { composed, identityPose, inverted, type Pose } from '#deploy/robot/pose';
import { makeTwin } from '#env/twin';
import { type PhysicsBatch, type SensedScene, twinFrame } from '#native/physicsBatch';
import type { ResolvedTask } from '#spec/resolved';

/** How the arm's command differs now from what it was at a time.
 * @param time milliseconds, monotonic @shape outPosition, outVelocity [arm joints] */
export type Ahead = (time: number, outPosition: Float64Array, outVelocity: Float64Array) => void;

/** When the oldest of the arm's positions was taken. */
export function oldestJoint(values: Float64Array, armJoints: number): number {
  let taken = Number.POSITIVE_INFINITY;
  for (let i = 0; i < armJoints; i++) taken = Math.min(taken, values[boardLayout.joint(i)]!);
  return taken;
}

/** The task's environment as a robot fills it in: from the board of inputs to observation and verdict, from actions to
 * joint targets. */
export class RobotTwin {
  readonly batch: PhysicsBatch;
  readonly #task: ResolvedTask;
  readonly #deployment: Deployment;
  readonly #scene: SensedScene;
  /** Of the robot's base in the world. */
  readonly #base: Pose;
  readonly #attached: ReadonlyMap<
    number,
    { readonly kind: number; readonly id: number; readonly offset: Pose }
  >;
  readonly #command: Float64Array;
  readonly #scratch = new Float64Array(7);
  readonly #probe: Float64Array;
  readonly #moved: Float64Array;
  readonly #sped: Float64Array;

  /** @throws as makeEnv */
  static async create(task: ResolvedTask, deployment: Deployment): Promise<RobotTwin> {
    const judge = deployment.spec.episode.judge;
    return new RobotTwin(task, deployment, await makeTwin(task, { judge }));
  }

  private constructor(task: ResolvedTask, deployment: Deployment, batch: PhysicsBatch) {
    this.#task = task;
    this.#deployment = deployment;
    this.batch = batch;
    this.#scene = batch.readCopy(0);
    this.#atHome();
    batch.sense(this.#scene, true);
    this.#probe = this.#scene.qpos.slice();
    this.#base = this.#frame(twinFrame.body, task.robot.base);
    this.#command = new Float64Array(batch.commandLength);
    this.#moved = new Float64Array(deployment.armJoints);
    this.#sped = new Float64Array(deployment.armJoints);
    this.#attached = new Map(
      deployment.bodies.flatMap(({ id, source }) =>
        'attached_to' in source ? [[id, this.#attachment(id, source.attached_to)] as const] : [],
      ),
    );
  }

  /** Takes in what sensors say. `begins`: an episode starts.
   *
   * With `ahead` the arm is taken where it will be when the next command takes effect: where it was measured, and what it
   * was told to move since. So is a body that it carries. In training an action starts from what was observed, too.
   * @param values the board of inputs
   * @param ahead what the arm was told to move since a time on the board
   * @throws NUMERIC; STATE when the episode is over */
  sense(values: Float64Array, begins: boolean, ahead?: Ahead): void {
    const { joints, bodies, armJoints } = this.#deployment;
    for (const [k, { qpos, dof }] of joints.entries()) {
      const at = boardLayout.joint(k);
      this.#scene.qpos[qpos] = values[at + 1]!;
      this.#scene.qvel[dof] = values[at + 2]!;
    }
    if (ahead) {
      ahead(oldestJoint(values, armJoints), this.#moved, this.#sped);
      for (let i = 0; i < armJoints; i++) {
        this.#scene.qpos[joints[i]!.qpos]! += this.#moved[i]!;
        this.#scene.qvel[joints[i]!.dof]! += this.#sped[i]!;
      }
    }
    // A policy that acts slowly sees everything move as fast as in training.
    const { pace } = this.#deployment.spec;
    for (const { dof } of joints) this.#scene.qvel[dof]! /= pace;
    for (const [k, body] of bodies.entries()) {
      const at = boardLayout.body(joints.length, k);
      const world = this.#worldPose(body, values.subarray(at + 1, at + 8));
      this.#place(body, ahead ? this.#carried(body, world, values[at]!, ahead) : world);
    }
    this.batch.sense(this.#scene, begins);
  }

  /** The joint targets of the action in `batch.action`, at the end of the control step, and the gripper's control.
   * @shape outTargets [arm joints] @returns the gripper's control, undefined where there is none */
  command(outTargets: Float64Array): number | undefined {
    this.batch.command(this.#command);
    const n = outTargets.length;
    const { mode, period } = this.#task.control;
    for (let i = 0; i < n; i++) {
      const value = this.#command[i]!;
      const { qpos } = this.#deployment.joints[i]!;
      outTargets[i] = mode === 'joint_velocity' ? this.#scene.qpos[qpos]! + value * period : value;
    }
    return this.#command.length > n ? this.#command[n]! : undefined;
  }

  /** Where the end effector would be in the base frame with the arm there.
   * @shape positions [arm joints], outPoint [3] */
  endEffector(positions: Float64Array, outPoint: Float64Array): void {
    const site = this.#task.robot.endEffector;
    if (site === undefined)
      throw new VernierError('SPEC', `${this.#task.robot.spec.name} names no end_effector`);
    for (let i = 0; i < positions.length; i++) this.#probe[this.#deployment.joints[i]!.qpos] = positions[i]!;
    this.batch.frameAt(this.#probe, twinFrame.site, site, this.#scratch);
    outPoint.set(composed(inverted(this.#base), this.#scratch).subarray(0, 3));
  }

  close(): void {
    this.batch.close();
  }

  /** The arm at rest, and everything without speed. */
  #atHome(): void {
    const { arm, gripper } = this.#task.robot;
    const { jointQposAddress } = this.#task.names;
    this.#scene.qvel.fill(0);
    for (const [i, id] of arm.joints.entries()) this.#scene.qpos[jointQposAddress[id]!] = arm.home[i]!;
    for (const [i, q] of (gripper?.home ?? []).entries())
      this.#scene.qpos[jointQposAddress[gripper!.joints[i]!]!] = q;
  }

  #frame(kind: number, id: number): Pose {
    const out = new Float64Array(7);
    this.batch.frameAt(this.#scene.qpos, kind, id, out);
    return out;
  }

  #attachment(
    body: number,
    name: string,
  ): { readonly kind: number; readonly id: number; readonly offset: Pose } {
    const { names } = this.#task;
    const site = names.site.indexOf(name);
    const [kind, id] = site >= 0 ? [twinFrame.site, site] : [twinFrame.body, names.body.indexOf(name)];
    const offset = composed(inverted(this.#frame(kind, id)), this.#frame(twinFrame.body, body));
    return { kind, id, offset };
  }

  #worldPose({ id }: SensedBody, sensed: Pose): Pose {
    const attached = this.#attached.get(id);
    if (attached) return composed(this.#frame(attached.kind, attached.id), attached.offset);
    return composed(this.#base, sensed);
  }

  /** A body that moves with the arm, from when its pose was taken to now. */
  #carried({ carriedBy, source }: SensedBody, then: Pose, taken: number, ahead: Ahead): Pose {
    if (carriedBy === undefined || 'attached_to' in source) return then;
    const now = this.#frame(twinFrame.body, carriedBy);
    ahead(taken, this.#moved, this.#sped);
    this.#probe.set(this.#scene.qpos);
    for (let i = 0; i < this.#moved.length; i++)
      this.#probe[this.#deployment.joints[i]!.qpos]! -= this.#moved[i]!;
    this.batch.frameAt(this.#probe, twinFrame.body, carriedBy, this.#scratch);
    return composed(now, composed(inverted(this.#scratch), then));
  }

  #place({ id, place }: SensedBody, world: Pose): void {
    const { qpos, mocapPos, mocapQuat, bodyPos, bodyQuat } = this.#scene;
    if (place.kind === 'free') {
      qpos.set(world, place.qpos);
    } else if (place.kind === 'mocap') {
      mocapPos.set(world.subarray(0, 3), 3 * place.index);
      mocapQuat.set(world.subarray(3), 4 * place.index);
    } else {
      const local = composed(inverted(this.#staticPose(this.#task.names.bodyParent[id]!)), world);
      bodyPos.set(local.subarray(0, 3), 3 * id);
      bodyQuat.set(local.subarray(3), 4 * id);
    }
  }

  /** Of a body that nothing moves. */
  #staticPose(id: number): Pose {
    if (id === 0) return identityPose();
    const { bodyPos, bodyQuat } = this.#scene;
    const own = Float64Array.of(
      ...bodyPos.subarray(3 * id, 3 * id + 3),
      ...bodyQuat.subarray(4 * id, 4 * id + 4),
    );
    return composed(this.#staticPose(this.#task.names.bodyParent[id]!), own);
  }
}
