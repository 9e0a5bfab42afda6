import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import loadMujoco, { type MainModule, type MjData, type MjModel } from '@mujoco/mujoco';
import { parse } from 'yaml';
import { composeModel } from '#spec/model';

/** The robots and scenes of the repository in a bare MuJoCo, without the environment around it. */

export const root = resolve(import.meta.dirname, '../..');
const folders = (path: string): string[] => readdirSync(resolve(root, path));
const text = (path: string): string => readFileSync(resolve(root, path), 'utf8');

/** Arms with a gripper that stand on the table. */
export const robots = folders('robots').filter((name) =>
  text(`robots/${name}/robot.yaml`).includes('\ngripper:'),
);
/** Scenes of that table. */
export const scenes = folders('sim/scenes')
  .filter((file) => file === 'table.xml' || text(`sim/scenes/${file}`).includes('"table.xml"'))
  .map((file) => file.replace(/\.xml$/, ''));

export interface RobotFile {
  readonly arm: { readonly joints: string[]; readonly actuators: string[]; readonly home: number[] };
  readonly gripper: {
    readonly joints: string[];
    readonly actuators: string[];
    readonly home: number[];
    readonly open: number;
  };
  readonly limits: Record<
    string,
    { position: [number, number]; velocity: number; acceleration: number; jerk: number; effort: number }
  >;
}

export function robotFile(robot: string): RobotFile {
  return parse(readFileSync(resolve(root, 'robots', robot, 'robot.yaml'), 'utf8')) as RobotFile;
}

export class Simulation {
  readonly mujoco: MainModule;
  readonly model: MjModel;
  readonly data: MjData;

  private constructor(mujoco: MainModule, xml: string) {
    this.mujoco = mujoco;
    this.model = mujoco.MjModel.from_xml_string(xml);
    this.data = new mujoco.MjData(this.model);
  }

  static async of(robot: string, scene?: string): Promise<Simulation> {
    const source = composeModel(
      resolve(root, 'robots', robot, 'model.xml'),
      scene && resolve(root, 'sim/scenes', `${scene}.xml`),
    );
    return new Simulation(await loadMujoco(), source.xml);
  }

  id(kind: 'BODY' | 'JOINT' | 'SITE' | 'ACTUATOR', name: string): number {
    const id = this.mujoco.mj_name2id(this.model, this.mujoco.mjtObj[`mjOBJ_${kind}`].value, name);
    if (id < 0) throw new Error(`no ${kind.toLowerCase()} ${name}`);
    return id;
  }

  setJoints(names: readonly string[], positions: readonly number[]): void {
    names.forEach((name, i) => {
      this.data.qpos[this.model.jnt_qposadr[this.id('JOINT', name)]!] = positions[i]!;
    });
  }

  /** The robot at home with its servos holding it there. */
  home(robot: RobotFile): void {
    this.setJoints(robot.arm.joints, robot.arm.home);
    this.setJoints(robot.gripper.joints, robot.gripper.home);
    robot.arm.actuators.forEach((name, i) => {
      this.data.ctrl[this.id('ACTUATOR', name)] = robot.arm.home[i]!;
    });
    for (const name of robot.gripper.actuators)
      this.data.ctrl[this.id('ACTUATOR', name)] = robot.gripper.open;
    this.mujoco.mj_forward(this.model, this.data);
  }

  site(name: string): { position: number[]; rotation: number[] } {
    const id = this.id('SITE', name);
    return {
      position: [...this.data.site_xpos.slice(3 * id, 3 * id + 3)],
      rotation: [...this.data.site_xmat.slice(9 * id, 9 * id + 9)],
    };
  }

  deepestContact(): number {
    let deepest = 0;
    for (let i = 0; i < this.data.ncon; i++) deepest = Math.min(deepest, this.data.contact.get(i)!.dist);
    return deepest;
  }

  close(): void {
    this.data.delete();
    this.model.delete();
  }
}
