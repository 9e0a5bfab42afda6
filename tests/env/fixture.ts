import { join } from 'node:path';
import type { ModelNames, ModelSource } from '#core/model';
import { PhiloxStream } from '#core/philox';
import { ExpressionCompiler } from '#expr/compile';
import type { GroupName, Program } from '#expr/program';
import { textSource } from '#expr/source';
import { packageRoot } from '#native/addon';
import type { ControlMode, ControlSpec, PhysicsSpec, RandomizationSpec } from '#native/physicsSpec';
import { composeModel } from '#spec/model';

/** Physics specifications for tests, built from models and expression texts without a task file. */

export interface Fixture {
  readonly source: ModelSource;
  readonly names: ModelNames;
  readonly control: ControlSpec;
}

const AXES = ['x', 'y', 'z', 'roll', 'pitch', 'yaw'];
const PANDA_HOME = [0, -0.04176, 0, -2.33427, 0, 2.29251, 0.7854];

export interface PandaOptions {
  readonly scene?: string;
  readonly mode?: ControlMode;
  readonly axes?: readonly string[];
  readonly gripper?: boolean;
  readonly goal?: ControlSpec['goal'];
  readonly scale?: number;
}

/** The Panda of robots/, with `scene` of sim/scenes. */
export async function panda(
  namesOf: (source: ModelSource) => ModelNames | Promise<ModelNames>,
  options: PandaOptions = {},
): Promise<Fixture> {
  const source = composeModel(
    join(packageRoot, 'robots/panda/model.xml'),
    join(packageRoot, `sim/scenes/${options.scene ?? 'lift'}.xml`),
  );
  const names = await namesOf(source);
  const joints = [1, 2, 3, 4, 5, 6, 7].map((i) => names.joint.indexOf(`joint${i}`));
  const fingers = ['finger_joint1', 'finger_joint2'].map((name) => names.joint.indexOf(name));
  return {
    source,
    names,
    control: {
      mode: options.mode ?? 'end_effector_delta',
      goal: options.goal ?? 'achieved',
      arm: {
        joints,
        actuators: [1, 2, 3, 4, 5, 6, 7].map((i) => names.actuator.indexOf(`actuator${i}`)),
        home: PANDA_HOME,
        position: joints.map((joint) => names.jointRange[joint]!),
        velocity: joints.map(() => 2.175),
        scale: joints.map(() => options.scale ?? 0.05),
      },
      gripper: {
        actuators: [names.actuator.indexOf('gripper')],
        joints: fingers,
        home: [0.04, 0.04],
        open: 0.04,
        closed: 0,
        inAction: options.gripper ?? true,
      },
      endEffector: {
        site: names.site.indexOf('ee'),
        base: 0,
        axes: (options.axes ?? ['x', 'y', 'z', 'yaw']).map((axis) => AXES.indexOf(axis)),
        translation: 0.03,
        rotation: 0.15,
        damping: 0.05,
        nullspace: 0.05,
        weights: [1, 1, 1, 1, 1, 1],
      },
    },
  };
}

/** Compiles expression texts, one list per group. */
export function program(fixture: Fixture, groups: Partial<Record<GroupName, readonly string[]>>): Program {
  const { names, control } = fixture;
  const arm =
    control.mode === 'end_effector_delta' ? control.endEffector!.axes.length : control.arm.joints.length;
  const compiler = new ExpressionCompiler(names, {
    endEffector: control.endEffector?.site,
    armJoints: control.arm.joints,
    armActuators: control.arm.actuators,
    gripper: control.gripper && {
      width: control.gripper.joints,
      joints: control.gripper.joints,
      actuators: control.gripper.actuators,
    },
    actionLength: arm + (control.gripper?.inAction ? 1 : 0),
  });
  for (const [group, texts] of Object.entries(groups)) {
    for (const text of texts) {
      const source = textSource(text);
      compiler.output(group as GroupName, text, compiler.value(source), source);
    }
  }
  return compiler.finish();
}

export function physics(
  fixture: Fixture,
  groups: Partial<Record<GroupName, readonly string[]>>,
  overrides: Partial<PhysicsSpec> = {},
): PhysicsSpec {
  return {
    model: fixture.source,
    environments: 1,
    threads: 1,
    seed: 7,
    firstEnvironment: 0,
    autoReset: true,
    timestep: 0,
    substeps: 25,
    horizon: 100,
    successHold: 1,
    control: fixture.control,
    randomize: [],
    latency: [0, 0],
    observationNoise: 0,
    program: program(fixture, groups),
    ...overrides,
  };
}

/** A slide and a hinge joint side by side, each with a servo, a free ball over a floor, and nothing that touches. */
const BENCH_XML = `<mujoco model="bench">
  <option timestep="0.002" integrator="implicitfast"/>
  <worldbody>
    <geom name="floor" type="plane" size="5 5 0.1"/>
    <body name="sled" pos="0 0 1" gravcomp="1">
      <joint name="slide" type="slide" axis="1 0 0" range="-2 2"/>
      <geom type="box" size="0.1 0.1 0.1" mass="1" contype="0" conaffinity="0"/>
    </body>
    <body name="wheel" pos="0 1 1" gravcomp="1">
      <joint name="spin" type="hinge" axis="0 0 1" range="-180 180"/>
      <geom type="cylinder" size="0.1 0.05" mass="1" contype="0" conaffinity="0"/>
    </body>
    <body name="ball" pos="3 0 0.1"><freejoint/><geom name="ball" type="sphere" size="0.1" mass="0.5"/></body>
    <body name="post" pos="3 1 0.2"><geom name="post" type="box" size="0.1 0.1 0.2"/></body>
    <body name="marker" mocap="true" pos="3 -1 0"><geom type="sphere" size="0.02" contype="0" conaffinity="0"/></body>
  </worldbody>
  <actuator>
    <position name="slide" joint="slide" kp="10000" kv="200" ctrlrange="-2 2"/>
    <position name="spin" joint="spin" kp="100" kv="4" ctrlrange="-3 3"/>
  </actuator>
</mujoco>`;

export interface BenchOptions {
  readonly mode?: ControlMode;
  /** What |a| = 1 asks of each joint. */
  readonly scale?: number;
}

/** A model small enough to predict by hand. */
export async function bench(
  namesOf: (source: ModelSource) => ModelNames | Promise<ModelNames>,
  options: BenchOptions = {},
): Promise<Fixture> {
  const source: ModelSource = { xml: BENCH_XML, files: new Map(), hash: 'bench' };
  const names = await namesOf(source);
  const scale = options.scale ?? 0.1;
  return {
    source,
    names,
    control: {
      mode: options.mode ?? 'joint_delta',
      goal: 'achieved',
      arm: {
        joints: [names.joint.indexOf('slide'), names.joint.indexOf('spin')],
        actuators: [0, 1],
        home: [0, 0],
        position: [
          [-2, 2],
          [-Math.PI, Math.PI],
        ],
        velocity: [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY],
        scale: [scale, scale],
      },
      gripper: undefined,
      endEffector: undefined,
    },
  };
}

/** A pose randomisation of `body`, zero but for what is given. */
export function pose(
  body: number,
  offsets: Partial<RandomizationSpec & { kind: 'pose' }>,
): RandomizationSpec {
  const zero = [0, 0] as const;
  return {
    kind: 'pose',
    body,
    x: zero,
    y: zero,
    z: zero,
    roll: zero,
    pitch: zero,
    yaw: zero,
    apartFrom: [],
    distance: 0,
    ...offsets,
  };
}

/** Actions without a pattern, the same on every call. */
export class Actions {
  readonly #stream = new PhiloxStream(99);

  fill(out: Float32Array): void {
    for (let i = 0; i < out.length; i++) out[i] = 2 * this.#stream.uniform() - 1;
  }
}
