import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'vernier-imports-'));
});
afterEach(() => rmSync(root, { recursive: true }));

function check(files: Readonly<Record<string, string>>): { status: number | null; output: string } {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  const run = spawnSync('node', [resolve('tests/tools/importDirection.mjs'), root], { encoding: 'utf8' });
  return { status: run.status, output: run.stdout + run.stderr };
}

it('passes on imports that point down', () => {
  const { status, output } = check({
    'src/core/errors.ts': 'export const a = 1;\n',
    'src/nn/graph.ts': "import { a } from '#core/errors';\nexport const b = a;\n",
    'src/cli/main.ts': "export const load = () => import('#nn/graph');\n",
    'native/binding/engine.cc': '#include <napi.h>\n#include "nn/plan.h"\n',
    'native/nn/plan.h': '#include "core/error.h"\n',
  });
  expect(output).toContain('3 TypeScript and 2 native files');
  expect(status).toBe(0);
});

it.each([
  [
    'an upward import',
    "import { b } from '#nn/graph';\n",
    'src/core/rng.ts:1: src/core may not import #nn/graph',
  ],
  ['an upward type import', "import type { B } from '#nn/graph';\n", 'src/core may not import #nn/graph'],
  ['an upward dynamic import', "const x = 1;\nawait import('#nn/graph');\n", 'src/core/rng.ts:2:'],
  [
    'an upward relative import',
    "export * from '../nn/graph.js';\n",
    'src/core may not import ../nn/graph.js',
  ],
  ['an import of nothing', "import '#core/gone';\n", '#core/gone names no file under src'],
])('fails on %s', (_, text, message) => {
  const { status, output } = check({ 'src/nn/graph.ts': 'export const b = 1;\n', 'src/core/rng.ts': text });
  expect(output).toContain(message);
  expect(status).toBe(1);
});

it('fails on a cycle and names it', () => {
  const { status, output } = check({
    'src/nn/a.ts': "import './b.js';\n",
    'src/nn/b.ts': "import '#nn/c';\n",
    'src/nn/c.ts': "import '#nn/a';\n",
  });
  expect(output).toContain('import cycle: src/nn/a.ts -> src/nn/b.ts -> src/nn/c.ts -> src/nn/a.ts');
  expect(status).toBe(1);
});

it('lets types refer to each other in a circle', () => {
  const { output, status } = check({
    'src/nn/a.ts': "import {\n  one,\n} from './b.js';\n",
    'src/nn/b.ts': "import type { A } from '#nn/a';\nexport const one = 1;\n",
  });
  expect(output).toContain('point down only');
  expect(status).toBe(0);
});

it('fails on a second loader of a guarded package, also through a variable', () => {
  const { status, output } = check({
    'src/policy/onnx.ts': "const name = 'onnxruntime-node';\nexport const load = () => import(name);\n",
    'src/data/other.ts': "import 'onnxruntime-node';\n",
  });
  expect(output).toContain('onnxruntime-node is loaded in 2 files');
  expect(status).toBe(1);
});

it('fails on napi.h outside the binding, on an upward include and on an unknown folder', () => {
  const { status, output } = check({
    'src/core/errors.ts': '',
    'native/nn/plan.cc': '#include <napi.h>\n',
    'native/core/pool.h': '#include "nn/plan.h"\n',
    'native/misc/x.h': '',
    'src/misc/x.ts': '',
  });
  expect(output).toContain('native/nn/plan.cc:1: napi.h belongs in native/binding only');
  expect(output).toContain('native/core may not include nn/plan.h');
  expect(output).toContain("native/misc is not in the architecture's table");
  expect(output).toContain("src/misc is not in the architecture's table");
  expect(status).toBe(1);
});
