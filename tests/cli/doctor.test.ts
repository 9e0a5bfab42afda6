import { expect, it } from 'vitest';
import type { Component } from '#cli/components';
import { formatComponents } from '#cli/doctor';
import { vernier } from './cli.js';

it('lists every component with its state', () => {
  const { status, stdout } = vernier(['doctor', '--json']);
  expect(status).toBe(0);
  const { components } = JSON.parse(stdout) as { components: Component[] };
  expect(components.map(({ name }) => name)).toEqual(
    expect.arrayContaining([
      'Node',
      'native addon',
      'MuJoCo, native',
      'MuJoCo in WASM',
      'training engine',
      'CPU',
      'C++ compiler',
      'CMake',
      'Python, pip',
      'CUDA',
      'Cyclone DDS',
      'ROS 2',
    ]),
  );
  expect(components.find(({ name }) => name === 'Node')).toMatchObject({
    state: 'ok',
    version: process.versions.node,
  });
});

it('says what takes the place of a missing compiler, and how to bring it', () => {
  const { status, stdout } = vernier(['doctor', '--json'], { PATH: '/nowhere' });
  const { components } = JSON.parse(stdout) as { components: Component[] };
  for (const name of ['C++ compiler', 'CMake', 'Python, pip']) {
    const component = components.find((candidate) => candidate.name === name)!;
    expect(component.state).toBe('missing');
    expect(component.fix).toMatch(/install/);
  }
  expect(status).toBe(0);
});

it('names the active fallback when the addon is left aside', () => {
  const { stdout } = vernier(['doctor', '--json'], { VERNIER_BACKEND: 'wasm' });
  const { components } = JSON.parse(stdout) as { components: Component[] };
  const addon = components.find(({ name }) => name === 'native addon')!;
  expect(addon.state).toBe('missing');
  expect(addon.note).toContain('WASM');
});

it('puts the fix on a line of its own', () => {
  const lines = formatComponents([
    { name: 'a', state: 'ok', version: '1.0', note: 'here' },
    { name: 'longer', state: 'missing', version: '', note: 'does x', fix: 'get it' },
  ]);
  expect(lines).toHaveLength(3);
  expect(lines[2]).toContain('get it');
});
