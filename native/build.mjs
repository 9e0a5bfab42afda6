// Builds the native addon: fetches MuJoCo's C library by pip, then hands over to CMake through cmake-js.
// Nothing here fails an install: what cannot be had is said in one line with its fix, and the WASM physics
// and the TypeScript engine take its place. `vernier doctor` repeats the lines. With --strict a missing piece is
// an error, the transport over Cyclone DDS with --with-dds only.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const vendor = join(root, 'vendor', 'mujoco');
const ddsAddon = join(root, 'build', 'Release', 'vernier_dds.node');

/** A missing piece; its message ends in the line that fixes it. */
class Missing extends Error {}

function say(line) {
  console.log(`vernier: ${line}`);
}

function starts(command) {
  return spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0;
}

function run(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, encoding: 'utf8', ...options });
  if (result.error) throw new Missing(`${command} did not start (${result.error.code})`);
  return result;
}

function tail(result) {
  return `${result.stdout ?? ''}${result.stderr ?? ''}`.trim().split('\n').slice(-25).join('\n');
}

/** The folder that holds MuJoCo's headers and library: MUJOCO_PATH, or the pinned wheel unpacked. */
function mujocoPath() {
  const given = process.env.MUJOCO_PATH;
  if (given) {
    if (existsSync(join(given, 'include', 'mujoco', 'mujoco.h'))) return resolve(given);
    throw new Missing(
      `MUJOCO_PATH=${given} holds no include/mujoco/mujoco.h; point it at a MuJoCo release folder`,
    );
  }
  const pin = JSON.parse(readFileSync(join(root, 'native', 'mujoco.json'), 'utf8'));
  const stamp = join(vendor, 'pin.json');
  const key = JSON.stringify(pin);
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === key) return join(vendor, 'mujoco');
  return fetchWheel(pin, stamp, key);
}

function fetchWheel(pin, stamp, key) {
  const wheel = pin.wheels[`${process.platform}-${process.arch}`];
  if (!wheel)
    throw new Missing(`no pinned MuJoCo wheel for ${process.platform}-${process.arch}; set MUJOCO_PATH`);
  mkdirSync(dirname(vendor), { recursive: true });
  const scratch = mkdtempSync(join(dirname(vendor), 'fetch-'));
  try {
    const python = ['python3', 'python'].find(
      (name) => spawnSync(name, ['-m', 'pip', '--version']).status === 0,
    );
    if (!python)
      throw new Missing('no Python with pip to fetch MuJoCo; install python3-pip, or set MUJOCO_PATH');
    const requirement = `${pin.package}==${pin.version}`;
    say(`fetching ${requirement} by pip`);
    const options = `--quiet --retries 1 --no-deps --only-binary=:all: --implementation cp --python-version 3.11 --abi cp311 --platform ${wheel.platform}`;
    const download = run(python, [
      ...['-m', 'pip', 'download', ...options.split(' ')],
      ...['--dest', scratch, requirement],
    ]);
    const file = readdirSync(scratch).find((name) => name.endsWith('.whl'));
    if (download.status !== 0 || !file)
      throw new Missing(`pip could not fetch ${requirement}:\n${tail(download)}`);
    const hash = createHash('sha256')
      .update(readFileSync(join(scratch, file)))
      .digest('hex');
    if (hash !== wheel.sha256) {
      throw new Missing(
        `${file} has SHA-256 ${hash}, native/mujoco.json pins ${wheel.sha256}; do not use it`,
      );
    }
    const unpack = run(python, ['-m', 'zipfile', '-e', join(scratch, file), scratch]);
    if (unpack.status !== 0) throw new Missing(`could not unpack ${file}:\n${tail(unpack)}`);
    rmSync(vendor, { recursive: true, force: true });
    mkdirSync(vendor, { recursive: true });
    renameSync(join(scratch, 'mujoco'), join(vendor, 'mujoco'));
    writeFileSync(stamp, key);
    return join(vendor, 'mujoco');
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function compile(mujoco) {
  const debian = process.platform === 'linux' ? ': apt-get install cmake g++' : '';
  if (!starts('cmake'))
    throw new Missing(`no CMake to build the addon with; install CMake and a C++20 compiler${debian}`);
  if (![process.env.CXX, 'c++', 'g++', 'clang++'].some((name) => name && starts(name))) {
    throw new Missing(`no C++ compiler to build the addon with; install one${debian}`);
  }
  say('compiling the addon (a minute or two when everything is new)');
  const cli = createRequire(import.meta.url).resolve('cmake-js/bin/cmake-js');
  const args = [cli, 'build', '--parallel', '2', `--CDVERNIER_MUJOCO_PATH=${mujoco ?? ''}`];
  const result = run(process.execPath, args);
  if (result.status !== 0) {
    throw new Missing(
      `the addon did not compile (needs CMake >= 3.18 and a C++20 compiler):\n${tail(result)}`,
    );
  }
}

const ddsFix = 'for ROS 2 graphs without ROS: apt-get install cyclonedds-dev, then npm run build';

/** The transport over Cyclone DDS; CMake knows the target where the headers are. */
function compileDds() {
  rmSync(ddsAddon, { force: true });
  const cache = readFileSync(join(root, 'build', 'CMakeCache.txt'), 'utf8');
  if (!/^CYCLONEDDS_INCLUDE:PATH=\//m.test(cache) || !/^CYCLONEDDS_LIBRARY:FILEPATH=\//m.test(cache))
    throw new Missing(`no Cyclone DDS 0.10 headers; ${ddsFix}`);
  const args = ['--build', 'build', '--config', 'Release', '--target', 'vernier_dds', '--parallel', '2'];
  const result = run('cmake', args);
  if (result.status !== 0)
    throw new Missing(`vernier_dds did not compile (needs Cyclone DDS 0.10):\n${tail(result)}`);
}

/** What `step` returns, or undefined with its reason added to `notes`: nothing here may fail an install. */
function attempt(notes, step) {
  try {
    return step();
  } catch (error) {
    notes.push(error instanceof Missing ? error.message : `the build script failed: ${error.stack}`);
    return undefined;
  }
}

function main() {
  const notes = [];
  const ddsNotes = [];
  const start = performance.now();
  const mujoco = attempt(notes, mujocoPath);
  const built = attempt(notes, () => {
    compile(mujoco);
    return true;
  });
  if (built) attempt(ddsNotes, compileDds);
  const hasDds = existsSync(ddsAddon);
  const seconds = ((performance.now() - start) / 1000).toFixed(0);
  if (!built) say('no native addon: physics runs in WASM, training in TypeScript (slower)');
  else
    say(
      `native addon built ${mujoco ? 'with MuJoCo' : 'without MuJoCo: physics runs in WASM'}, ${hasDds ? 'with' : 'without'} Cyclone DDS (${seconds} s)`,
    );
  mkdirSync(join(root, 'build'), { recursive: true });
  writeFileSync(join(root, 'build', 'install-notes.json'), JSON.stringify(notes, null, 2));
  writeFileSync(join(root, 'build', 'dds-notes.json'), JSON.stringify(ddsNotes, null, 2));
  for (const note of [...notes, ...ddsNotes]) console.warn(`vernier: ${note}`);
  // Training needs no transport, so that its absence fails only who asks for it.
  const wanted = process.argv.includes('--with-dds') ? [...notes, ...ddsNotes] : notes;
  if (process.argv.includes('--strict') && wanted.length > 0) process.exit(1);
}

main();
