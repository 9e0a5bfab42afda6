// Fails on an import that points up the architecture's table, on a cycle, on a second file that loads a guarded
// package, and on napi.h outside native/binding. Usage: node tests/tools/importDirection.mjs [root]
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

/** folder under src -> the folders it may import (docs/architecture.md holds the same table). */
const MAY_IMPORT = {
  core: [],
  expr: ['core'],
  native: ['core'],
  stl: ['expr', 'native', 'core'],
  spec: ['expr', 'stl', 'native', 'core'],
  nn: ['native', 'core'],
  env: ['spec', 'expr', 'stl', 'native', 'core'],
  policy: ['nn', 'transport', 'native', 'spec', 'core'],
  data: ['transport', 'spec', 'core'],
  transport: ['core'],
  reward: ['env', 'nn', 'stl', 'spec', 'expr', 'data', 'core'],
  learn: ['nn', 'policy', 'data', 'env', 'reward', 'transport', 'stl', 'spec', 'core'],
  view: ['policy', 'data', 'env', 'stl', 'spec', 'transport', 'native', 'core'],
  deploy: ['policy', 'data', 'env', 'stl', 'spec', 'transport', 'native', 'core'],
  cli: ['*'],
};

/** Each of these is loaded in one file only: the place to look when it does not load. A quoted name counts, so
 * that an import through a variable is seen too. */
const LOADED_ONCE = new Map([
  ...['onnxruntime-node', '@huggingface/tokenizers', '@mujoco/mujoco', 'zeromq', '@resvg/resvg-js'].map(
    (name) => [name, new RegExp(`(['"\`])${name}\\1`)],
  ),
  // Also the name of a kind of transport: only an import counts.
  ['rclnodejs', /(?:import|require|from)\s*\(?\s*(['"`])rclnodejs\1/],
  ['vernier_dds.node', /vernier_dds\.node['"`]/],
  ['a .node file', /(?<!vernier_dds)\.node['"`]/],
]);

/** folder under native -> the folders whose headers it may include. */
const NATIVE_MAY_INCLUDE = {
  core: [],
  expr: ['core'],
  stl: ['core'],
  nn: ['core'],
  replay: ['core'],
  physics: ['expr', 'stl', 'core'],
  render: ['physics', 'core'],
  transport: ['core'],
  binding: ['*'],
};

function filesUnder(folder, suffixes) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && suffixes.some((suffix) => entry.name.endsWith(suffix)))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}

/** The file under src that a specifier names, or undefined for a package. */
function resolveImport(src, file, specifier) {
  let base;
  if (specifier.startsWith('#')) base = join(src, specifier.slice(1));
  else if (specifier.startsWith('.')) base = normalize(join(dirname(file), specifier)).replace(/\.js$/, '');
  else return undefined;
  return `${base}.ts`;
}

function line(text, position) {
  return text.slice(0, position).split('\n').length;
}

/** Whether the import whose specifier stands at `position` is erased: it counts for the direction, not for cycles. */
function isTypeOnly(text, position) {
  const start = Math.max(...['import', 'export'].map((keyword) => text.lastIndexOf(keyword, position)));
  return /^(import|export)\s+type\b/.test(text.slice(start));
}

function checkTypeScript(root, problems) {
  const src = join(root, 'src');
  const graph = new Map();
  const loaders = new Map();
  const name = (file) => relative(root, file);
  for (const file of filesUnder(src, ['.ts'])) {
    const text = readFileSync(file, 'utf8');
    const from = relative(src, file).split(sep);
    const folder = from.length > 1 ? from[0] : undefined;
    if (folder && !MAY_IMPORT[folder])
      problems.push(`${name(file)}: src/${folder} is not in the architecture's table`);
    const targets = [];
    for (const { fileName, pos } of ts.preProcessFile(text, true, true).importedFiles) {
      const target = resolveImport(src, file, fileName);
      if (!target) continue;
      const at = `${name(file)}:${line(text, pos)}`;
      if (!existsSync(target)) {
        problems.push(`${at}: ${fileName} names no file under src`);
        continue;
      }
      if (!isTypeOnly(text, pos)) targets.push(target);
      const to = relative(src, target).split(sep);
      const toFolder = to.length > 1 ? to[0] : undefined;
      const allowed = folder ? (MAY_IMPORT[folder] ?? []) : ['*'];
      if (toFolder === folder || allowed.includes('*')) continue;
      if (!toFolder || !allowed.includes(toFolder)) {
        problems.push(
          `${at}: src/${folder} may not import ${fileName} (may: ${allowed.join(', ') || 'nothing'})`,
        );
      }
    }
    graph.set(file, targets);
    for (const [what, pattern] of LOADED_ONCE) {
      if (pattern.test(text)) loaders.set(what, [...(loaders.get(what) ?? []), name(file)]);
    }
  }
  for (const cycle of cycles(graph)) problems.push(`import cycle: ${cycle.map(name).join(' -> ')}`);
  for (const [what, files] of loaders) {
    if (files.length > 1)
      problems.push(`${what} is loaded in ${files.length} files, want one: ${files.join(', ')}`);
  }
  return graph.size;
}

/** One path per cycle that a depth-first walk closes. */
function cycles(graph) {
  const found = [];
  const state = new Map();
  const walk = (file, path) => {
    state.set(file, 'open');
    for (const target of graph.get(file) ?? []) {
      if (state.get(target) === 'open') found.push([...path.slice(path.indexOf(target)), target]);
      else if (!state.has(target)) walk(target, [...path, target]);
    }
    state.set(file, 'done');
  };
  for (const file of graph.keys()) if (!state.has(file)) walk(file, [file]);
  return found;
}

function checkNative(root, problems) {
  const native = join(root, 'native');
  const files = filesUnder(native, ['.h', '.cc', '.cu']);
  for (const file of files) {
    const folder = relative(native, file).split(sep)[0];
    const allowed = NATIVE_MAY_INCLUDE[folder];
    if (!allowed)
      problems.push(`${relative(root, file)}: native/${folder} is not in the architecture's table`);
    for (const [number, text] of readFileSync(file, 'utf8').split('\n').entries()) {
      const included = /^\s*#\s*include\s+["<]([^">]+)[">]/.exec(text)?.[1];
      if (!included) continue;
      const at = `${relative(root, file)}:${number + 1}`;
      if (/^(napi|node_api)/.test(included) && folder !== 'binding') {
        problems.push(`${at}: ${included} belongs in native/binding only`);
      }
      const toFolder = included.split('/')[0];
      if (!(toFolder in NATIVE_MAY_INCLUDE) || toFolder === folder || !allowed || allowed.includes('*'))
        continue;
      if (!allowed.includes(toFolder)) {
        problems.push(
          `${at}: native/${folder} may not include ${included} (may: ${allowed.join(', ') || 'nothing'})`,
        );
      }
    }
  }
  return files.length;
}

const root = resolve(process.argv[2] ?? join(dirname(fileURLToPath(import.meta.url)), '..', '..'));
const problems = [];
const typescriptFiles = checkTypeScript(root, problems);
const nativeFiles = checkNative(root, problems);
if (typescriptFiles === 0) problems.push(`no TypeScript under ${join(root, 'src')}`);
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exit(1);
console.log(`imports: ${typescriptFiles} TypeScript and ${nativeFiles} native files point down only`);
