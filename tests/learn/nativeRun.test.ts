import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadLatestCheckpoint } from '#learn/checkpoint';
import { RunDirectory } from '#learn/runDirectory';
import { runConfig, train } from '#learn/train';
import { packageRoot } from '#native/addon';
import { hasNativeEngine } from '#nn/native';
import { loadBundle } from '#policy/bundle';
import { loadTask } from '#spec/task';

// The whole stack: task file, batched MuJoCo, native training engine. Small, but nothing is replaced.

const SMALL = [
  'demos.episodes=4',
  'base.steps=40',
  'base.hidden=[16]',
  'residual.hidden=[16, 16]',
  'residual.batch=16',
  'residual.environments=4',
  'residual.warmup_steps=120',
  'residual.critic_only_updates=10',
  'residual.utd=0.5',
  'residual.checkpoint_every=100',
  'residual.evaluate_every=200',
  'residual.evaluate_episodes=4',
  'evaluation.episodes=8',
];

async function runIn(folder: string, ...overrides: string[]) {
  const file = join(packageRoot, 'tasks', 'peg_insertion.yaml');
  const task = await loadTask(file, [...SMALL, ...overrides]);
  const result = await train(
    task,
    runConfig(task),
    new RunDirectory(folder),
    () => {},
    new AbortController().signal,
  );
  return { task, result, checkpoint: loadLatestCheckpoint(folder)! };
}

const newFolder = (): string => mkdtempSync(join(tmpdir(), 'vernier-native-'));

describe.skipIf(!hasNativeEngine())('a run of a task file', () => {
  it('resumes bit for bit, with the learner beside the physics or not, on one thread or two', async () => {
    const reference = await runIn(newFolder(), 'residual.steps=400', 'residual.threads=1');
    const folder = newFolder();
    await runIn(folder, 'residual.steps=200', 'residual.threads=2');
    const resumed = await runIn(
      folder,
      'residual.steps=400',
      'residual.threads=2',
      'residual.learner_thread=true',
    );
    const { metricsBytes: _, ...meta } = resumed.checkpoint.meta;
    const { metricsBytes: __, ...wanted } = reference.checkpoint.meta;
    expect(meta).toEqual(wanted);
    for (const [name, values] of resumed.checkpoint.arrays)
      expect(values, name).toEqual(reference.checkpoint.arrays.get(name));
    expect(resumed.result.policy).toEqual(reference.result.policy);
  }, 240_000);

  it('ships a bundle that the task accepts and another task refuses', async () => {
    const { task, result } = await runIn(newFolder(), 'residual.steps=160');
    const bundle = loadBundle(result.bundle!, { taskHash: task.hash, controlPeriod: task.control.period });
    expect(bundle.actionNames).toEqual(['x', 'y', 'z', 'yaw']);
    const other = await loadTask(join(packageRoot, 'tasks', 'lift.yaml'));
    expect(() => loadBundle(result.bundle!, { taskHash: other.hash })).toThrow(/another version of the task/);
  }, 240_000);
});
