import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TimingStats } from '#deploy/robot/controlLink';
import { ControlThread } from '#deploy/robot/controlThread';
import { readDeployment, resolveDeployment } from '#deploy/robot/deployment';
import { monotonicMs } from '#deploy/robot/sharedBoard';
import { VerdictCounts } from '#deploy/safety/verdict';
import { loadTask } from '#spec/task';
import { FollowingArm } from '../../tests/deploy/robot/followingArm.js';
import { reachBundle } from '../../tests/deploy/robot/reachBundle.js';

/* How late the control thread wakes for its ticks: the worker of the robot process with twin, policy, safety filter and
 * trajectory, on an arm in this process that follows it and says where it is a thousand times a second.
 *   npm run build && node --import ./tests/tools/typescript.mjs bench/deploy/ticks.ts */

export interface TickFigures {
  /** Hz */
  readonly rate: number;
  readonly seconds: number;
  readonly stats: TimingStats;
}

/** @param rate of ticks, Hz; the policy of `reach` runs in each of them */
export async function measureTicks(rate: number, seconds = 20): Promise<TickFigures> {
  const folder = mkdtempSync(join(tmpdir(), 'vernier-ticks-'));
  const bundle = join(folder, 'reach.vrn');
  // Never there, so that the episode goes on; a step moves as far in a second as at the task's own rate.
  const overrides = ['horizon=1000000000', 'success=gap < 0', `control.period=${1 / rate}`];
  overrides.push(`control.translation=${0.6 / rate}`);
  try {
    await reachBundle(bundle);
    const task = await loadTask('reach', overrides);
    const deployment = resolveDeployment(readDeployment(undefined), task);
    const arm = new FollowingArm(deployment, task.robot.arm.home);
    const verdicts = new VerdictCounts();
    let stats: TimingStats | undefined;
    let fail = (_: Error): void => {};
    const failed = new Promise<never>((_, reject) => {
      fail = reject;
    });
    const thread = await ControlThread.start(
      { taskFile: task.file, overrides, bundle, deployment },
      {
        onTick: (_, { points, time }) => arm.follow({ ...points, verdicts }, time),
        onEvent: (event) => {
          if (event.kind === 'stats') stats = event.stats;
          else fail(new Error(`the control thread ${event.kind}: ${JSON.stringify(event)}`));
        },
        onDeath: fail,
      },
    );
    const measure = (): void => {
      const now = monotonicMs();
      const turn = now / 2000;
      arm.setBody(0, now, [0.5 + 0.1 * Math.cos(turn), 0.1 * Math.sin(turn), 0.3]);
      thread.memory.inputs.write(arm.measure(now));
    };
    const sensing = setInterval(measure, 1);
    try {
      measure();
      thread.run();
      await Promise.race([failed, new Promise((resume) => setTimeout(resume, 1000 * seconds))]);
    } finally {
      clearInterval(sensing);
      await thread.close();
    }
    if (!stats) throw new Error('the control thread told nothing');
    return { rate, seconds, stats };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const rate of [100, 500]) console.log(await measureTicks(rate));
}
