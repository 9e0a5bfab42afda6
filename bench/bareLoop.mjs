// Compiles bench/bare_loop.c against the addon's MuJoCo and runs bursts of it on demand.
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

function listed(folder) {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Returns the program's path. */
export function compileBareLoop() {
  const vendor = process.env.MUJOCO_PATH ?? join(root, 'vendor/mujoco/mujoco');
  const folders = [vendor, join(vendor, 'lib')];
  const library = folders
    .flatMap((folder) => listed(folder).map((file) => join(folder, file)))
    .find((file) => /libmujoco.*\.(so|dylib)/.test(file));
  if (!library) throw new Error(`no libmujoco in ${folders.join(' or ')}`);
  const out = join(root, 'build/bench');
  mkdirSync(out, { recursive: true });
  const program = join(out, 'bare_loop');
  const source = join(root, 'bench/bare_loop.c');
  const link = [library, `-Wl,-rpath,${dirname(library)}`, '-lm'];
  const compiler = process.env.CC ?? 'cc';
  execFileSync(compiler, ['-O2', source, '-o', program, `-I${join(vendor, 'include')}`, ...link]);
  return program;
}

/** The C loop as a child process: the controls are those of rest, the arm's with noise. */
export class BareLoop {
  #child;
  #lines;

  /** @param folder a scratch folder for the model's files
   * @param qpos positions at the start of an episode */
  constructor(program, task, { environments, noise, qpos, folder }) {
    const model = join(folder, 'model.xml');
    writeFileSync(model, task.model.xml);
    for (const [name, bytes] of task.model.files) writeFileSync(join(folder, name), bytes);
    const { arm, gripper } = task.robot;
    const ctrl = new Float64Array(task.names.nu);
    const amplitude = new Float64Array(task.names.nu);
    for (const [i, id] of arm.actuators.entries()) {
      ctrl[id] = task.control.mode === 'torque' ? 0 : arm.home[i];
      amplitude[id] = noise;
    }
    for (const id of gripper?.actuators ?? []) ctrl[id] = gripper.open;
    const { timestep, substeps } = task.control;
    const args = [model, timestep, substeps, task.horizon, environments, ...qpos, ...ctrl, ...amplitude];
    this.#child = spawn(program, args.map(String), { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** Wall and CPU seconds, physics steps, and the loop's mean contacts and constraint rows. */
  async run(controlSteps) {
    this.#child.stdin.write(`${controlSteps}\n`);
    const { value, done } = await this.#lines.next();
    if (done) throw new Error('the bare loop ended early');
    const [wall, cpu, steps, contacts, rows] = value.split(' ').map(Number);
    return { wall, cpu, steps, contacts, rows };
  }

  get pid() {
    return this.#child.pid;
  }

  close() {
    this.#child.stdin.end();
  }
}
