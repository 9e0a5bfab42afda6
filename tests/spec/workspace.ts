import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { ModelNames } from '#core/model';
import { loadTask, type ResolvedTask } from '#spec/task';
import { testNames } from '../expr/model.js';

/** A folder with a robot, a scene and a task, whose model is the made-up one of the expression tests. */

export const robotYaml = `name: arm
model: model.xml
base: link1
arm:
  joints: [shoulder, slider]
  actuators: [shoulder_motor, slider_motor]
  home: [0.5, 0]
gripper:
  actuators: [finger_motor]
  joints: [finger_joint]
  open: 255
  closed: 0
end_effector: tool
limits:
  shoulder: {velocity: 2, effort: 50}
  slider: {position: [-1, 1], velocity: 1}
control:
  period: 0.05
  timestep: 0.002
  mode: end_effector_delta
`;

export const taskYaml = `name: put
robot: arm
scene: room
horizon: 100
control:
  axes: [x, y, z, yaw]
  gripper: true
randomize:
  - {body: peg, x: [-0.1, 0.1], yaw: [-0.3, 0.3]}
  - {joints: arm, noise: 0.02}
  - {latency: [0, 1]}
signals:
  error: hole_site.position - peg.position
  lateral: norm([error.x, error.y])
observation:
  - ee.position
  - error
  - {name: speed, value: arm.velocity, scale: 0.5}
success: error.z > -2 mm and lateral < 0.003
reward:
  - {term: -lateral, weight: 2}
  - {name: bonus, term: success, weight: 5}
expert:
  waypoints:
    - {position: "hole_site.position + [0, 0, 0.05]", yaw: table.yaw, until: lateral < 0.002}
    - {position: hole_site.position, gripper: closed}
residual: {scale: 0.2}
`;

const modelXml = '<mujoco model="arm"><worldbody/></mujoco>';

export class Workspace {
  readonly root = mkdtempSync(join(tmpdir(), 'vernier-spec-'));

  constructor() {
    this.write('robots/arm/robot.yaml', robotYaml);
    this.write('robots/arm/model.xml', modelXml);
    this.write('sim/scenes/room.xml', modelXml);
    this.write('tasks/put.yaml', taskYaml);
  }

  write(path: string, text: string): string {
    const file = join(this.root, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    return file;
  }

  load(
    overrides: readonly string[] = [],
    task = 'tasks/put.yaml',
    names: ModelNames = testNames,
  ): Promise<ResolvedTask> {
    return loadTask(join(this.root, task), overrides, () => names);
  }

  /** Code and message of the error that loading raises, with paths relative to the folder. */
  async mistake(overrides: readonly string[] = []): Promise<string> {
    try {
      await this.load(overrides);
    } catch (error) {
      const { code, message } = error as { code?: string; message: string };
      if (code === undefined) throw error;
      return `${code} ${message.replaceAll(`${this.root}/`, '')}`;
    }
    throw new Error('the task loads');
  }

  remove(): void {
    rmSync(this.root, { recursive: true });
  }
}

/** `text` with the first `from` replaced; it must be there. */
export function edit(text: string, from: string, to: string): string {
  if (!text.includes(from)) throw new Error(`no "${from}" in the text`);
  return text.replace(from, () => to);
}
