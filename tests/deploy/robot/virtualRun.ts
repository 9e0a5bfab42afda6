import { ControlLoop } from '#deploy/robot/controlLoop';
import type { Deployment } from '#deploy/robot/deployment';
import type { EpisodeEnd } from '#deploy/robot/episode';
import { boardLayout, inputLength } from '#deploy/robot/inputs';
import { composed, inverted } from '#deploy/robot/pose';
import { RobotTwin } from '#deploy/robot/robotTwin';
import { timeOf } from '#deploy/robot/stamp';
import type { TrajectoryPoints } from '#deploy/safety/shortTrajectory';
import { SimWorld } from '#deploy/sim/simWorld';
import type { BasePolicy } from '#policy/policy';
import type { ResidualPolicy } from '#policy/residualPolicy';
import type { ResolvedTask } from '#spec/resolved';

export interface VirtualOptions {
  readonly task: ResolvedTask;
  readonly deployment: Deployment;
  /** A policy for the twin that it acts on. */
  readonly policy: (twin: RobotTwin) => BasePolicy | ResidualPolicy | Promise<BasePolicy | ResidualPolicy>;
  readonly residualScale?: number;
  readonly seed: number;
  readonly episodes: number;
  /** Milliseconds between samples of the sensors, and by which they arrive late. */
  readonly every?: number;
  readonly delay?: number;
  /** Milliseconds from a tick to when its trajectory arrives. */
  readonly compute?: number;
}

/** Episodes of the control loop on the simulated robot, on a clock of their own: what `vernier ros2` and `vernier sim-robot`
 * do over the wire, without threads, wire and real time. */
export async function virtualEpisodes(options: VirtualOptions): Promise<EpisodeEnd[]> {
  const { task, deployment, seed, episodes } = options;
  const twin = await RobotTwin.create(task, deployment);
  const loop = new ControlLoop(task, deployment, twin, await options.policy(twin));
  const world = await SimWorld.open({ task, seed, environment: 0, episode: 0, onOutcome: () => {} });
  const ends: EpisodeEnd[] = [];
  try {
    for (let episode = 0; episode < episodes; episode++) {
      world.reset({ seed, environment: 0, episode });
      ends.push(await oneEpisode(options, loop, world));
    }
  } finally {
    world.close();
    twin.close();
  }
  return ends;
}

async function oneEpisode(
  { task, deployment, residualScale = 1, every = 10, delay = 2, compute = 3 }: VirtualOptions,
  loop: ControlLoop,
  world: SimWorld,
): Promise<EpisodeEnd> {
  const values = new Float64Array(inputLength(deployment)).fill(Number.NaN);
  values[boardLayout.invalid] = 0;
  const h = 1000 * world.timestep;
  const period = 1000 * deployment.period;
  const waiting: { readonly at: number; readonly do: () => void }[] = [];
  let now = 1000;
  let next = now + 100;
  let started = false;
  for (;;) {
    now += h;
    world.step(now / 1000);
    if (Math.round((now - 1000) / h) % Math.round(every / h) === 0) {
      const sample = sense(task, deployment, world, now);
      waiting.push({ at: now + delay, do: () => values.set(sample, 1) });
    }
    for (const event of waiting.filter(({ at }) => at <= now + 1e-9)) event.do();
    waiting.splice(0, waiting.length, ...waiting.filter(({ at }) => at > now + 1e-9));
    if (now < next - 1e-9) continue;
    next += period;
    if (!started) {
      const refusal = loop.begin(values, now);
      if (refusal !== undefined) throw new Error(refusal);
      started = true;
    }
    const tick = await loop.tick(values, now, { residualScale, speedScale: 1, emergencyStop: false });
    if (tick.ended) return tick.ended;
    const { trajectory, time, gripper } = tick;
    waiting.push({
      at: now + compute,
      do: () => {
        if (trajectory) follow(world, trajectory, time / 1000, now / 1000);
        if (gripper !== undefined) world.gripper = gripper;
        if (tick.phase === 'run') world.begin();
      },
    });
  }
}

function follow(world: SimWorld, points: TrajectoryPoints, start: number, now: number): void {
  const message = {
    joint_names: world.controller.rules.joints,
    points: points.times.map((t, k) => ({
      positions: points.positions[k]!,
      velocities: points.velocities[k]!,
      accelerations: points.accelerations[k]!,
      effort: [],
      time_from_start: timeOf(1000 * t),
    })),
  };
  const refusal = world.controller.accept(message, start, now, world.measured);
  if (refusal) throw new Error(refusal.text);
}

/** The board of inputs behind its first entry. */
function sense(
  task: ResolvedTask,
  { joints, bodies }: Deployment,
  world: SimWorld,
  now: number,
): Float64Array {
  const { qpos, qvel, position, rotation } = world.scene;
  const out: number[] = [];
  for (const joint of joints) out.push(now, qpos[joint.qpos]!, qvel[joint.dof]!);
  const pose = (id: number): Float64Array =>
    Float64Array.of(...position.subarray(3 * id, 3 * id + 3), ...rotation.subarray(4 * id, 4 * id + 4));
  for (const { id } of bodies) out.push(now, ...composed(inverted(pose(task.robot.base)), pose(id)));
  return Float64Array.from(out);
}
