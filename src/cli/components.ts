import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import type { VernierError } from '#core/errors';
import { addonStatus, packageRoot } from '#native/addon';
import { physicsBackend } from '#native/backend';
import { nativeMujocoVersion } from '#native/nativeBatch';
import { engineAddon, hasNativeEngine } from '#nn/native';
import { cycloneFix, cycloneStatus } from '#transport/cycloneAddon';
import { rosMissing } from '#transport/rclnodejsModule';

/** One line of `vernier doctor`. */
export interface Component {
  readonly name: string;
  /** `off`: not there and not needed for the main job. */
  readonly state: 'ok' | 'missing' | 'off';
  readonly version: string;
  /** What it does here, or what goes without it. */
  readonly note: string;
  /** The one line that brings it, where it is not `ok`. */
  readonly fix?: string;
}

/** The first line that a program prints about its version, or undefined when it does not run. */
function versionLine(command: string, args: readonly string[]): string | undefined {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', timeout: 10_000 });
  if (status !== 0) return undefined;
  return `${stdout}${stderr}`
    .split('\n')
    .find((line) => line.trim() !== '')
    ?.trim();
}

function versionNumber(text: string | undefined): string {
  return /\d+(\.\d+)+/.exec(text ?? '')?.[0] ?? '';
}

/** The version in an installed package's package.json, found without loading the package. */
function installedVersion(manifest: string): string | undefined {
  const folders = createRequire(join(packageRoot, 'package.json')).resolve.paths(manifest) ?? [];
  const file = folders.map((folder) => join(folder, manifest)).find((path) => existsSync(path));
  return file && (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

function install(debian: string, brew = debian): string {
  return process.platform === 'darwin' ? `brew install ${brew}` : `apt-get install ${debian}`;
}

function node(): Component {
  const version = process.versions.node;
  if (Number.parseInt(version, 10) >= 20) return { name: 'Node', state: 'ok', version, note: '' };
  return {
    name: 'Node',
    state: 'missing',
    version,
    note: 'Node 20 or later is needed',
    fix: 'install Node 20, 22 or 24',
  };
}

function addon(): Component {
  const { addon: loaded, reason, path, installNotes } = addonStatus();
  const name = 'native addon';
  if (loaded) return { name, state: 'ok', version: `abi ${String(loaded.abi)}`, note: path };
  const note = `physics runs in WASM, training in TypeScript: ${reason}${installNotes.map((line) => `; ${line}`).join('')}`;
  return { name, state: 'missing', version: '', note, fix: 'npm run build' };
}

/** MuJoCo in the addon, and its WASM build: the first is active where it is there. */
async function physics(): Promise<Component[]> {
  const active = physicsBackend();
  const mark = (backend: string, otherwise: string): string =>
    backend === active ? 'active: physics' : otherwise;
  const native: Component = nativePhysics(mark);
  const name = 'MuJoCo in WASM';
  try {
    const { loadMujoco } = await import('#native/wasm/module');
    const version = (await loadMujoco()).mj_versionString();
    return [native, { name, state: 'ok', version, note: mark('wasm', 'takes over where the addon is not') }];
  } catch (error) {
    const note = `does not load: ${(error as Error).message}`;
    return [native, { name, state: 'missing', version: '', note, fix: 'npm ci' }];
  }
}

function nativePhysics(mark: (backend: string, otherwise: string) => string): Component {
  const name = 'MuJoCo, native';
  try {
    return { name, state: 'ok', version: nativeMujocoVersion(), note: mark('native', 'left aside') };
  } catch (error) {
    const { message, hint } = error as VernierError;
    return { name, state: 'missing', version: '', note: message, ...(hint ? { fix: hint } : {}) };
  }
}

function engine(): Component {
  const name = 'training engine';
  if (hasNativeEngine()) {
    return { name, state: 'ok', version: engineAddon().engineInstructionSet, note: 'active: native' };
  }
  const note = 'active: the TypeScript interpreter, which is slow';
  return { name, state: 'missing', version: '', note, fix: 'npm run build' };
}

/** The instruction sets of this CPU that matter to the engine, widest first. */
function instructionSets(): string[] {
  if (process.arch === 'arm64') return ['neon'];
  if (!existsSync('/proc/cpuinfo')) return [];
  const flags = new Set(
    /^flags\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1]?.trim().split(/\s+/),
  );
  return ['avx512f', 'avx2', 'fma', 'avx', 'sse4_2'].filter((flag) => flags.has(flag));
}

function cpu(): Component {
  const threads = availableParallelism();
  const memory = `${(totalmem() / 2 ** 30).toFixed(0)} GiB`;
  const model = cpus()[0]?.model.trim() ?? process.arch;
  return {
    name: 'CPU',
    state: 'ok',
    version: `${threads} threads`,
    note: [model, memory, ...instructionSets()].join(', '),
  };
}

function compiler(): Component {
  const command =
    process.env.CXX ?? ['c++', 'g++', 'clang++'].find((name) => versionLine(name, ['--version']));
  const line = command && versionLine(command, ['--version']);
  const name = 'C++ compiler';
  if (line) return { name, state: 'ok', version: versionNumber(line), note: line };
  return { name, state: 'missing', version: '', note: 'builds the addon', fix: install('g++', 'gcc') };
}

function cmake(): Component {
  const line = versionLine('cmake', ['--version']);
  if (line) return { name: 'CMake', state: 'ok', version: versionNumber(line), note: '' };
  return { name: 'CMake', state: 'missing', version: '', note: 'builds the addon', fix: install('cmake') };
}

function python(): Component {
  const name = 'Python, pip';
  for (const command of ['python3', 'python']) {
    const interpreter = versionLine(command, ['--version']);
    const pip = interpreter && versionLine(command, ['-m', 'pip', '--version']);
    if (pip) {
      return {
        name,
        state: 'ok',
        version: versionNumber(interpreter),
        note: `pip ${versionNumber(pip)}, fetches MuJoCo's library`,
      };
    }
  }
  const note = "fetches MuJoCo's library; MUJOCO_PATH works instead";
  return { name, state: 'missing', version: '', note, fix: install('python3-pip', 'python') };
}

async function egl(): Promise<Component> {
  const name = 'EGL rendering';
  const { Renderer } = await import('#env/renderer');
  try {
    const renderer = new Renderer({ xml: '<mujoco/>', files: new Map() }, { width: 16, height: 16 });
    renderer.close();
    return { name, state: 'ok', version: '', note: 'pictures and films from vernier play' };
  } catch (error) {
    const { message, hint } = error as VernierError;
    const note = `no pictures or films: ${message}`;
    return { name, state: 'missing', version: '', note, ...(hint ? { fix: hint } : {}) };
  }
}

function ffmpeg(): Component {
  const line = versionLine('ffmpeg', ['-version']);
  const name = 'ffmpeg';
  if (line) return { name, state: 'ok', version: versionNumber(line), note: 'mp4 from vernier play' };
  return {
    name,
    state: 'off',
    version: '',
    note: 'vernier play writes PNG strips instead of mp4',
    fix: install('ffmpeg'),
  };
}

function onnxruntime(): Component {
  const version = installedVersion('onnxruntime-node/package.json');
  if (version)
    return {
      name: 'onnxruntime',
      state: 'ok',
      version,
      note: 'runs ONNX base policies and scores of pictures',
    };
  const fix = 'ONNXRUNTIME_NODE_INSTALL=skip npm install --no-save onnxruntime-node@1.30.0';
  const note = 'needed for ONNX base policies and for scores by models of pictures only';
  return { name: 'onnxruntime', state: 'off', version: '', note, fix };
}

function zeromq(): Component {
  const version = installedVersion('zeromq/package.json');
  if (version) return { name: 'ZeroMQ', state: 'ok', version, note: 'vernier serve, remote base policies' };
  const note = 'needed for vernier serve and remote base policies only';
  return { name: 'ZeroMQ', state: 'off', version: '', note, fix: 'npm install zeromq' };
}

function cuda(): Component {
  const gpu = versionLine('nvidia-smi', ['--query-gpu=name,driver_version', '--format=csv,noheader']);
  if (gpu)
    return {
      name: 'CUDA',
      state: 'off',
      version: '',
      note: `${gpu}: seen, not used; training runs on the CPU`,
    };
  return { name: 'CUDA', state: 'off', version: '', note: 'no NVIDIA GPU seen; training runs on the CPU' };
}

function cyclone(): Component {
  const name = 'Cyclone DDS';
  const status = cycloneStatus();
  if (status.kind === 'loaded')
    return { name, state: 'ok', version: status.addon.version, note: 'ROS 2 graphs without ROS' };
  const note = `no ROS 2 graphs without ROS: ${status.reason}; training needs none`;
  return { name, state: 'off', version: '', note, fix: cycloneFix };
}

function ros(): Component {
  const name = 'ROS 2';
  const reason = rosMissing(process.env);
  if (reason) {
    const note = `${reason}; training needs none`;
    return { name, state: 'off', version: '', note, fix: 'source /opt/ros/<distro>/setup.bash' };
  }
  const version = process.env.ROS_DISTRO ?? '';
  const rclnodejs = installedVersion('rclnodejs/package.json');
  if (rclnodejs) return { name, state: 'ok', version, note: `through rclnodejs ${rclnodejs}` };
  return {
    name,
    state: 'off',
    version,
    note: 'sourced, but rclnodejs is missing',
    fix: 'npm install rclnodejs',
  };
}

/** Every component, in the order they are printed. */
export async function inspectMachine(): Promise<Component[]> {
  return [
    ...[node(), addon(), ...(await physics()), engine(), cpu(), compiler(), cmake(), python()],
    ...[await egl(), ffmpeg(), onnxruntime(), zeromq(), cuda(), cyclone(), ros()],
  ];
}
