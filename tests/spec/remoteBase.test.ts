import { afterAll, expect, it } from 'vitest';
import { taskYaml, Workspace } from './workspace.js';

const space = new Workspace();
afterAll(() => space.remove());

it.each([
  ['{kind: remote}', 'base.endpoint: missing key, expected tcp://host:port, since base.kind is remote'],
  ['{kind: remote, endpoint: "localhost:5555"}', 'base.endpoint: expected tcp://host:port or ipc://path'],
  ['{kind: remote, endpoint: "tcp://a:1", timeout_ms: 0}', 'base.timeout_ms: expected a number more than 0'],
  [
    '{kind: remote, endpoint: "tcp://a:1", protocol: groot-n1.5}',
    'base.observation: missing key, expected what is sent under which name, since base.protocol is groot-n1.5',
  ],
  [
    '{kind: remote, endpoint: "tcp://a:1", observation: {state.a: [error, ee.velocity]}}',
    'base.observation.state.a: "ee.velocity" is no entry of the observation, which has ee.position, error, speed',
  ],
])('%s', async (base, message) => {
  space.write('tasks/put.yaml', `${taskYaml}base: ${base}\n`);
  expect(await space.mistake()).toMatch(/^SPEC tasks\/put.yaml:28:/);
  expect(await space.mistake()).toContain(message);
});

it('a remote base may execute as many actions as its server sends', async () => {
  space.write('tasks/put.yaml', `${taskYaml}base: {kind: remote, endpoint: "tcp://a:1", execute: 50}\n`);
  expect((await space.load()).spec.base).toMatchObject({ kind: 'remote', execute: 50 });
});
