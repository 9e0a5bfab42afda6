// clang-format and clang-tidy over native/. Usage: node tests/tools/clangChecks.mjs [--fix] [--format-only] [file...]
// Both come from PyPI at the versions pinned below, into build/clang, on first use.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const PINNED = ['clang-format==23.1.5', 'clang-tidy==23.1.4'];
const WORKERS = 2;

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');
const venv = join(root, 'build', 'clang');
const tool = (name) => join(venv, 'bin', name);

function fail(message) {
  console.error(message);
  process.exit(1);
}

function install() {
  const stamp = join(venv, 'pinned.txt');
  const wanted = PINNED.join('\n');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  const steps = [
    ['python3', ['-m', 'venv', venv]],
    [tool('pip'), ['install', '--quiet', ...PINNED]],
  ];
  for (const [command, args] of steps) {
    const { status, error, stderr } = spawnSync(command, args, {
      encoding: 'utf8',
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    if (status !== 0)
      fail(
        `${command} ${args.join(' ')} failed; the native checks need Python with venv\n${error ?? stderr}`,
      );
  }
  writeFileSync(stamp, wanted);
}

function sources() {
  return readdirSync(join(root, 'native'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(h|cc|cu)$/.test(entry.name))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}

function format(files, fix) {
  const args = fix ? ['-i', ...files] : ['--dry-run', '--Werror', '--ferror-limit=3', ...files];
  return spawnSync(tool('clang-format'), args, { cwd: root, stdio: 'inherit' }).status === 0;
}

/** clang-tidy on one translation unit; its findings as text, empty when clean. */
function tidy(file, compiled) {
  return new Promise((done) => {
    const how = compiled ? ['-p', join(root, 'build'), file] : [file, '--', '-std=c++20'];
    const child = spawn(tool('clang-tidy'), ['--quiet', ...how], { cwd: root });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (output += chunk));
    child.on('close', (status) => done(status === 0 ? '' : output));
  });
}

/** What a clean result depends on: the checks, the compile command, and every native file (headers included). */
function tidyKey(units) {
  const hash = createHash('sha256')
    .update(PINNED.join())
    .update(readFileSync(join(root, '.clang-tidy')));
  hash.update(readFileSync(join(root, 'build', 'compile_commands.json')));
  for (const file of units) hash.update(file).update(readFileSync(file));
  return hash.digest('hex');
}

async function tidyAll(files, everything) {
  const database = join(root, 'build', 'compile_commands.json');
  if (!existsSync(database))
    fail('build/compile_commands.json is missing: build the addon first (npm run build)');
  const compiled = new Set(
    JSON.parse(readFileSync(database, 'utf8')).map((entry) => resolve(entry.directory, entry.file)),
  );
  // Headers are seen through the units that include them; a unit named on the command line need not be in the build.
  const queue = files.filter((file) => compiled.has(file) || (!everything && file.endsWith('.cc')));
  const stamp = join(root, 'build', 'clang-tidy-clean.txt');
  const key = tidyKey(sources());
  if (everything && existsSync(stamp) && readFileSync(stamp, 'utf8') === key)
    return { units: queue.length, findings: 0 };
  const units = queue.length;
  let findings = 0;
  const work = async () => {
    for (let file = queue.shift(); file; file = queue.shift()) {
      const output = await tidy(file, compiled.has(file));
      if (!output) continue;
      findings++;
      console.error(`${relative(root, file)}:\n${output}`);
    }
  };
  await Promise.all(Array.from({ length: WORKERS }, work));
  if (everything && findings === 0) writeFileSync(stamp, key);
  return { units, findings };
}

const flags = process.argv.slice(2).filter((argument) => argument.startsWith('--'));
const named = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const unknown = flags.find((flag) => !['--fix', '--format-only'].includes(flag));
if (unknown) fail(`unknown flag ${unknown}; known: --fix, --format-only`);
mkdirSync(join(root, 'build'), { recursive: true });
install();
const files = named.length > 0 ? named.map((file) => resolve(file)) : sources();
if (!format(files, flags.includes('--fix')))
  fail('clang-format found differences; npm run format mends them');
if (flags.includes('--fix') || flags.includes('--format-only')) process.exit(0);
const { units, findings } = await tidyAll(files, named.length === 0);
if (findings > 0) fail(`clang-tidy: findings in ${findings} of ${units} files`);
console.log(`native: ${files.length} files formatted, ${units} translation units clean under clang-tidy`);
