import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { taskYaml, Workspace } from './workspace.js';

const space = new Workspace();
afterAll(() => space.remove());

/** The model of the workspace has the cameras `overview` and `wrist`. */
const write = (cameras: string) => space.write('tasks/put.yaml', `${taskYaml}cameras:\n${cameras}`);

describe('cameras of a task', () => {
  beforeEach(() => write(''));

  it('are none where the file names none', async () => {
    space.write('tasks/put.yaml', taskYaml);
    expect((await space.load()).cameras).toEqual([]);
  });

  it('are cameras of the model or free ones, in the order of the file', async () => {
    write(`  wrist: {width: 64, height: 48}
  front: {width: 224, height: 224, of: overview}
  above: {width: 96, height: 96, free: {lookat: [0.5, 0, 0.1], distance: 1.5, elevation: -90}}
`);
    const task = await space.load();
    expect(task.cameras).toEqual([
      { name: 'wrist', width: 64, height: 48, view: 'wrist' },
      { name: 'front', width: 224, height: 224, view: 'overview' },
      {
        name: 'above',
        width: 96,
        height: 96,
        view: { lookat: [0.5, 0, 0.1], distance: 1.5, azimuthDeg: 90, elevationDeg: -90 },
      },
    ]);
  });

  it('are no part of what the task is', async () => {
    space.write('tasks/put.yaml', taskYaml);
    const { hash } = await space.load();
    write('  wrist: {width: 64, height: 48}\n');
    expect((await space.load()).hash).toBe(hash);
  });

  it.each([
    [
      '  wirst: {width: 64, height: 48}\n',
      /:\d+:10: cameras\.wirst: the model has no camera "wirst"; nearest is "wrist"; it has overview, wrist/,
    ],
    [
      '  front: {width: 64, height: 48, of: overvew}\n',
      /:\d+:38: cameras\.front\.of: .*"overvew"; nearest is "overview"/,
    ],
    [
      '  wrist: {width: 64, height: 48, of: wrist, free: {lookat: [0, 0, 0], distance: 1}}\n',
      /cameras\.wrist\.free: expected either `of` or `free`, received both/,
    ],
    ['  wrist: {width: 64}\n', /cameras\.wrist\.height: missing key, expected a whole number/],
    ['  wrist: {width: 4, height: 48}\n', /cameras\.wrist\.width: .*at least 8, received 4/],
    [
      '  wrist: {width: 64, height: 48, fov: 3}\n',
      /cameras\.wrist\.fov: unknown key, expected one of width, height, of, free/,
    ],
    ['  top: {width: 64, height: 48, free: {lookat: [0, 0], distance: 1}}\n', /cameras\.top\.free\.lookat/],
  ])('are refused with their place: %s', async (cameras, message) => {
    write(cameras);
    expect(await space.mistake()).toMatch(message);
    expect(await space.mistake()).toMatch(/^SPEC tasks\/put\.yaml:/);
  });
});
