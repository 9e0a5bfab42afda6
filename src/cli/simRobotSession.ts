import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { stringify } from 'yaml';
import { describeBackends } from '#cli/backends';
import type { CliContext } from '#cli/context';
import { type Display, makeDisplay } from '#cli/display';
import { catchInterrupt } from '#cli/interrupt';
import type { SimRobotFlags } from '#cli/simRobot';
import { mergeOverrides } from '#cli/subject';
import { VernierError } from '#core/errors';
import { SimRobot } from '#deploy/sim/simRobot';
import { type EpisodeOutcome, SimWorld } from '#deploy/sim/simWorld';
import { systemClock } from '#deploy/sim/systemClock';
import { type Collection, find, robots, scenes } from '#spec/lookup';
import { loadTask, type ResolvedTask } from '#spec/task';
import { openTransport } from '#transport/openTransport';

const STATUS_MS = 250;

export async function simRobotFromCommandLine(
  robot: string,
  flags: SimRobotFlags,
  context: CliContext,
): Promise<void> {
  const task = await loadScene(robot, flags, context.overrides);
  const { seed = task.spec.evaluation.seed, environment, episode } = flags;
  const outcomes: EpisodeOutcome[] = [];
  let told = (_: EpisodeOutcome): void => {};
  const world = await SimWorld.open({
    task,
    seed,
    environment,
    episode,
    pace: flags.pace,
    ...jointNames(task),
    rules: { commandTimeout: flags.cmdTimeout, interpolateFromDesiredState: !(flags.fromMeasured ?? false) },
    onOutcome: (outcome) => told(outcome),
  });
  const transport = await openTransport({
    node: flags.name,
    ...(flags.domain === undefined ? {} : { domain: flags.domain }),
  });
  const display = makeDisplay({ stream: process.stdout });
  const interrupt = catchInterrupt((text) => display.line(text));
  const log = rateLimited((line) => display.line(line));
  const sim = new SimRobot({ world, transport, clock: systemClock(), rate: flags.rate, log });
  told = (outcome) => {
    // A scene alone has nothing to win.
    if (flags.task === undefined) return;
    outcomes.push(outcome);
    display.line(JSON.stringify(outcome));
    sim.tell(outcome);
  };
  display.line(`${task.robot.spec.name} in ${task.name}, node ${transport.node}; ${describeBackends(1)}`);
  display.line(sim.describe());
  const status = setInterval(() => display.status(statusLine(sim, outcomes)), STATUS_MS);
  const stop = new AbortController();
  interrupt.signal.addEventListener('abort', () => stop.abort());
  const end = flags.for === undefined ? undefined : setTimeout(() => stop.abort(), 1000 * flags.for);
  try {
    await sim.run(stop.signal);
  } finally {
    clearInterval(status);
    clearTimeout(end);
    interrupt.dispose();
    await transport.close();
    world.close();
    finish(display, sim, outcomes);
  }
}

function finish(display: Display, sim: SimRobot, outcomes: readonly EpisodeOutcome[]): void {
  display.status('');
  const { trajectories, goals, refused, lost } = sim.status;
  const successes = outcomes.filter(({ success }) => success).length;
  display.line(JSON.stringify({ episodes: outcomes.length, successes, trajectories, goals, refused, lost }));
  display.close();
}

function statusLine(sim: SimRobot, outcomes: readonly EpisodeOutcome[]): string {
  const { phase, episode, steps, stopped, busy, trajectories, goals, pace, lost } = sim.status;
  const parts = [
    `episode ${episode} ${phase === 'running' ? `step ${steps}` : phase}`,
    stopped ? 'EMERGENCY STOP' : busy ? 'following' : 'holding',
    `${trajectories} trajectories, ${goals} goals`,
    `${(100 * pace).toFixed(0)} % of real time`,
  ];
  if (lost > 0) parts.push(`${lost.toFixed(1)} s left out`);
  if (outcomes.length > 0) {
    parts.push(`${outcomes.filter(({ success }) => success).length}/${outcomes.length} succeeded`);
  }
  return parts.join(' | ');
}

function jointNames(task: ResolvedTask): { jointNames?: readonly string[] } {
  const names = task.robot.spec.ros.joint_names;
  return names ? { jointNames: names } : {};
}

/** The task, on the robot that was asked for; for a scene alone one that asks for nothing. */
async function loadScene(
  robot: string,
  { task, scene }: SimRobotFlags,
  overrides: readonly string[],
): Promise<ResolvedTask> {
  if ((task === undefined) === (scene === undefined)) {
    throw new VernierError('USAGE', 'a sim robot stands in a task or in a scene', {
      hint: `vernier sim-robot ${robot} --task peg_insertion, or --scene table`,
    });
  }
  if (task !== undefined) return loadTask(task, mergeOverrides(overrides, [`robot=${robot}`]));
  const text = {
    name: scene!.replace(/^.*\//, '').replace(/\.\w+$/, ''),
    robot: known(robots, robot, '<robot>'),
    scene: known(scenes, scene!, '--scene'),
    horizon: 1,
    control: { mode: 'joint_position', gripper: false },
    observation: ['arm.position'],
    success: '0 > 1',
  };
  const folder = mkdtempSync(join(tmpdir(), 'vernier-scene-'));
  try {
    const file = join(folder, 'scene.yaml');
    writeFileSync(file, stringify(text));
    return await loadTask(file, overrides);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The file that is meant, whatever folder the task file will be in. */
function known(collection: Collection, name: string, flag: string): string {
  const found = find(collection, name, process.cwd());
  if ('path' in found) return resolve(found.path);
  throw new VernierError('USAGE', `${flag}: ${found.problem}`);
}

/** At most one line a second of a kind, so that a stream of refusals stays readable. */
function rateLimited(log: (line: string) => void): (line: string) => void {
  const last = new Map<string, { at: number; held: number }>();
  return (line) => {
    const kind = line.replaceAll(/[0-9.]+/g, '#');
    const now = performance.now();
    const entry = last.get(kind) ?? { at: Number.NEGATIVE_INFINITY, held: 0 };
    last.set(kind, entry);
    entry.held++;
    if (now - entry.at < 1000) return;
    log(entry.held > 1 ? `${line} (${entry.held} times)` : line);
    entry.at = now;
    entry.held = 0;
  };
}
