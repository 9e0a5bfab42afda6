import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readDeployment, resolveDeployment } from '#deploy/robot/deployment';
import { sensingNeeds } from '#env/sensing';
import { deploySchema } from '#spec/deploySchema';
import { loadTask } from '#spec/task';

const folder = mkdtempSync(join(tmpdir(), 'vernier-deploy-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function deployment(yaml: string, task = 'peg_insertion') {
  const file = join(folder, 'deploy.yaml');
  writeFileSync(file, yaml);
  return resolveDeployment(readDeployment(file), await loadTask(task));
}

async function complaint(yaml: string, task?: string): Promise<string> {
  try {
    await deployment(yaml, task);
  } catch (error) {
    return (error as Error).message.replace(folder, '');
  }
  throw new Error('expected a mistake');
}

describe('what a task needs to be sensed', () => {
  it.each([
    ['peg_insertion', ['hole', 'peg'], 7],
    ['lift', ['cube'], 9],
    ['drawer', ['cabinet'], 10],
    ['reach_hold', ['target'], 7],
  ] as const)('is followed back from the expressions of %s', async (name, bodies, joints) => {
    const task = await loadTask(name);
    const needs = sensingNeeds(task, ['observation', 'success', 'failure', 'monitor']);
    expect(needs.bodies.map((id) => task.names.body[id])).toEqual(bodies);
    expect(needs.joints).toHaveLength(joints);
    expect(needs.problems).toEqual([]);
  });

  it('leaves out what is not asked for', async () => {
    const task = await loadTask('lift', ['observation=[ee.position]', 'mirror.observation={}']);
    const bodies = (parts: Parameters<typeof sensingNeeds>[1]) =>
      sensingNeeds(task, parts).bodies.map((id) => task.names.body[id]);
    expect(bodies(['observation'])).toEqual([]);
    expect(bodies(['observation', 'success'])).toEqual(['cube']);
  });

  it.each([
    ['force(cube)', 'the contact force on cube'],
    ['cube.velocity', 'the velocity of cube'],
    ['arm.force', 'the force of the actuator actuator7'],
  ])('refuses %s by name', async (expression, reads) => {
    const task = await loadTask('lift', [`observation=["${expression}"]`, 'mirror.observation={}']);
    const [problem] = sensingNeeds(task, ['observation']).problems;
    expect(problem).toEqual({ part: 'observation', name: expression, reads });
  });
});

describe('a deployment', () => {
  it('without a file is what the robot file says', async () => {
    const { joints, bodies, output, jointStates, baseFrame, gripper, jointAge } = resolveDeployment(
      readDeployment(undefined),
      await loadTask('peg_insertion'),
    );
    expect(joints.map(({ rosName }) => rosName)).toEqual([1, 2, 3, 4, 5, 6, 7].map((k) => `panda_joint${k}`));
    expect(bodies.map(({ name, source, place }) => [name, source, place.kind])).toEqual([
      ['hole', { frame: 'hole' }, 'fixed'],
      ['peg', { frame: 'peg' }, 'free'],
    ]);
    expect([output, jointStates, baseFrame]).toEqual([
      '/panda_arm_controller/joint_trajectory',
      '/joint_states',
      'panda_link0',
    ]);
    expect(gripper, 'the peg is in the hand').toBeUndefined();
    expect(jointAge).toBe(0.1);
  });

  it('drives the gripper where the policy does', async () => {
    const { gripper, joints } = resolveDeployment(readDeployment(undefined), await loadTask('lift'));
    expect(gripper).toMatchObject({ action: '/panda_gripper/gripper_action', maxEffort: 70 });
    expect(joints.slice(7).map(({ rosName }) => rosName)).toEqual([
      'panda_finger_joint1',
      'panda_finger_joint2',
    ]);
  });

  it('knows what is carried by the arm', async () => {
    const task = await loadTask('peg_insertion');
    const { bodies } = resolveDeployment(readDeployment(undefined), task);
    expect(bodies.map(({ carriedBy }) => carriedBy !== undefined && task.names.body[carriedBy])).toEqual([
      false,
      'hand',
    ]);
  });

  it.each([
    ['bodies:\n  hole: {frme: x}\n', /deploy\.yaml:2:3: bodies\.hole\.topic: missing key/],
    ['limits:\n  scale: 2\n', /deploy\.yaml:2:10: limits\.scale: expected .* received 2/],
    [
      'bodies:\n  hle: {frame: x}\n',
      /deploy\.yaml:2:\d+: bodies\.hle: expected a body .* did you mean hole\?/,
    ],
    ['bodies:\n  peg: {attached_to: tool}\n', /deploy\.yaml:2:\d+: .*no site or body "tool"/],
    ['joint_states: {joint_names: [a, b]}\n', /deploy\.yaml:1:\d+: .*expected 7 names, .* received 2/],
    ['joint_states: {joint_names: [a, a, c, d, e, f, g]}\n', /"a" stands for two/],
    ['bodies: {hole: {position: [0, 0, 0], rotation: [1, 1, 0, 0]}}\n', /deploy\.yaml:1:\d+: /],
    ['emergency_stop: {topic: "1 2"}\n', /deploy\.yaml:1:\d+: .*topic/],
  ])('says where the mistake is in %j', async (yaml, message) => {
    expect(await complaint(yaml)).toMatch(message);
  });

  it('refuses what no sensor tells, by name', async () => {
    expect(await complaint('', 'panda_sequence')).toMatch(
      /panda_sequence: observation "push" reads the contact force on cap_., which no sensor tells/,
    );
    expect(await complaint('', 'stl_linear')).toMatch(/mode dynamics has no joint positions/);
  });

  it('in docs/deploy.md is one, and the table there has its keys', async () => {
    const page = readFileSync('docs/deploy.md', 'utf8');
    const yaml = [...page.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text]) => text!);
    expect((await deployment(yaml.find((text) => text.includes('deploy.schema.json'))!)).spec.record).toBe(
      'shift.mcap',
    );
    const table = page.slice(
      page.indexOf('| key | what | default |'),
      page.indexOf('What a robot cannot sense'),
    );
    const keys = [...table.matchAll(/^\| (.*?) \|/gm)].flatMap(([, cell]) =>
      [...cell!.matchAll(/`(\w+)`/g)].map(([, key]) => key!),
    );
    expect(keys.sort()).toEqual(Object.keys(deploySchema.shape).sort());
  });
});
