import { describe, expect, it } from 'vitest';
import { ControlLoop, type ControlTick } from '#deploy/robot/controlLoop';
import { type Deployment, readDeployment, resolveDeployment } from '#deploy/robot/deployment';
import { boardLayout } from '#deploy/robot/inputs';
import { RobotTwin } from '#deploy/robot/robotTwin';
import { verdictText } from '#deploy/safety/verdict';
import type { BasePolicy } from '#policy/policy';
import { loadTask } from '#spec/task';
import { FollowingArm } from './followingArm.js';
import { reachingPolicy } from './reachingPolicy.js';

const settings = { residualScale: 0, speedScale: 1, emergencyStop: false };

/** The loop on the task `reach` with an arm that follows; time is what the test says. */
async function reaching(options: {
  readonly policy?: BasePolicy;
  readonly away?: number;
  readonly change?: (deployment: Deployment) => Deployment;
}) {
  const task = await loadTask('reach');
  const plain = resolveDeployment(readDeployment(undefined), task);
  const deployment = options.change?.(plain) ?? plain;
  const twin = await RobotTwin.create(task, deployment);
  const loop = new ControlLoop(task, deployment, twin, options.policy ?? reachingPolicy());
  const arm = new FollowingArm(
    deployment,
    task.robot.arm.home.map((q) => q + (options.away ?? 0)),
  );
  let now = 5000;
  const target = [0.45, 0.1, 0.3];
  return {
    task,
    loop,
    arm,
    twin,
    get now() {
      return now;
    },
    begin: () => {
      arm.setBody(0, now, target);
      return loop.begin(arm.measure(now), now);
    },
    /** One tick, with the arm measured every 5 ms before it. */
    async tick(
      more: Partial<typeof settings> = {},
      spoil?: (values: Float64Array) => void,
    ): Promise<ControlTick> {
      for (let k = 1; k <= 10; k++) arm.measure(now + 5 * k);
      now += 50;
      arm.setBody(0, now, target);
      spoil?.(arm.values);
      const tick = await loop.tick(arm.values, now, { ...settings, ...more });
      arm.values[boardLayout.invalid] = 0;
      if (tick.trajectory) arm.follow(tick.trajectory, tick.time);
      return tick;
    },
  };
}

/** Ticks until idle; at most `most`. */
async function untilIdle(
  robot: Awaited<ReturnType<typeof reaching>>,
  most = 400,
  step: () => Promise<ControlTick> = () => robot.tick(),
): Promise<ControlTick[]> {
  const ticks: ControlTick[] = [];
  do ticks.push(await step());
  while (robot.loop.phase !== 'idle' && ticks.length < most);
  return ticks;
}

/** The largest velocity and acceleration of any joint over the path, as shares of the limits. */
function exertion({
  arm,
  loop,
}: Pick<Awaited<ReturnType<typeof reaching>>, 'loop'> & { arm: Pick<FollowingArm, 'path'> }) {
  const { limits } = loop.rules;
  const path = arm.path.filter(({ time }, k) => time !== arm.path[k - 1]?.time);
  const out = { velocity: 0, acceleration: 0 };
  for (let t = 2; t < path.length; t++) {
    const h = (path[t]!.time - path[t - 1]!.time) / 1000;
    for (let i = 0; i < limits.velocity.length; i++) {
      const [a, b, c] = [path[t - 2]!, path[t - 1]!, path[t]!].map(({ position }) => position[i]!) as [
        number,
        number,
        number,
      ];
      out.velocity = Math.max(out.velocity, Math.abs(c - b) / h / limits.velocity[i]!);
      out.acceleration = Math.max(
        out.acceleration,
        Math.abs(c - 2 * b + a) / h / h / limits.acceleration[i]!,
      );
    }
  }
  return out;
}

describe('the control loop', () => {
  it('reaches the target, ends there and comes to rest', async () => {
    const robot = await reaching({});
    expect(robot.begin()).toBeUndefined();
    const ticks = await untilIdle(robot);
    expect(ticks.at(-1)!.ended).toMatchObject({ success: true, reason: 'success' });
    expect(ticks.at(-1)!.step).toBeLessThan(30);
    expect(exertion(robot).velocity).toBeLessThanOrEqual(1.001);
    const point = new Float64Array(3);
    robot.twin.endEffector(robot.arm.position, point);
    expect(Math.hypot(point[0]! - 0.45, point[1]! - 0.1, point[2]! - 0.3)).toBeLessThan(0.03);
  });

  it('keeps to the limits across trajectories, which each end at rest', async () => {
    const robot = await reaching({});
    robot.begin();
    for (const tick of await untilIdle(robot)) {
      const { times, velocities, accelerations } = tick.trajectory!;
      expect([...velocities.at(-1)!, ...accelerations.at(-1)!].every((x) => x === 0)).toBe(true);
      expect(times.every((t, k) => t > (times[k - 1] ?? 0))).toBe(true);
      expect(tick.departs - robot.now).toBeLessThanOrEqual(200);
    }
    expect(exertion(robot).velocity).toBeLessThanOrEqual(1.001);
    expect(exertion(robot).acceleration).toBeLessThanOrEqual(1.02);
  });

  it('moves to where episodes start first, slowly', async () => {
    const robot = await reaching({ away: 0.3 });
    expect(robot.begin()).toBeUndefined();
    expect(robot.loop.phase).toBe('approach');
    const ticks = await untilIdle(robot);
    const approach = ticks.filter(({ phase }) => phase === 'approach');
    expect(approach.length).toBeGreaterThan(14);
    expect(ticks.at(-1)!.ended).toMatchObject({ success: true });
    const moving = robot.arm.path.slice(0, 10 * approach.length);
    expect(exertion({ loop: robot.loop, arm: { path: moving } }).velocity).toBeLessThan(0.21);
  });

  it('refuses to start elsewhere where it may not move there, and outside the limits', async () => {
    const still = await reaching({
      away: 0.3,
      change: (d) => ({ ...d, spec: { ...d.spec, start: { ...d.spec.start, move: false } } }),
    });
    expect(still.begin()).toBe('joint1 is at 0.300, episodes start at 0.000, and start.move is false');
    const outside = await reaching({ away: 3 });
    expect(outside.begin()).toMatch(/joint1 is at 3\.000, outside \[-2\.8973, 2\.8973\]: move it by hand/);
  });

  it('stops at the horizon', async () => {
    const lazy = { ...reachingPolicy(), act: (_: Float32Array, out: Float32Array) => void out.fill(0) };
    const robot = await reaching({ policy: lazy });
    robot.begin();
    const ticks = await untilIdle(robot);
    expect(ticks.at(-1)!.ended).toEqual({ success: false, reason: 'horizon', steps: 50 });
  });

  it.each([
    ['an emergency stop', { emergencyStop: true }, undefined, 'emergency stop'],
    [
      'stale joint states',
      {},
      (values: Float64Array) => {
        for (let i = 0; i < 7; i++) values[boardLayout.joint(i)]! -= 500;
      },
      'deactivate: stale',
    ],
    [
      'a stale pose',
      {},
      (values: Float64Array) => {
        values[boardLayout.body(7, 0)]! -= 5000;
      },
      'deactivate: stale',
    ],
    [
      'a joint state with NaN',
      {},
      (values: Float64Array) => {
        values[boardLayout.invalid] = 1;
      },
      'deactivate: observation_not_finite',
    ],
    [
      'an arm that does not follow',
      {},
      (values: Float64Array) => {
        values[boardLayout.joint(2) + 1]! += 0.6;
      },
      'deactivate: not_following',
    ],
  ] as const)('comes to rest and stays there after %s', async (_, change, spoil, reason) => {
    const robot = await reaching({});
    robot.begin();
    for (let k = 0; k < 4; k++) await robot.tick();
    const before = robot.arm.path.length;
    const ticks = await untilIdle(robot, 60, () => robot.tick(change, spoil));
    expect(ticks.at(-1)!.ended).toMatchObject({ success: false, reason });
    expect(robot.loop.phase).toBe('idle');
    const moved = robot.arm.path.slice(before);
    const stopped = moved.findIndex(({ position }) => position.every((q, i) => q === robot.arm.position[i]));
    expect(stopped).toBeLessThan(60); // at rest within 300 ms
    expect(exertion(robot).velocity).toBeLessThanOrEqual(1.001);
  });

  it('goes on where inputs were stale for a moment only', async () => {
    const robot = await reaching({});
    robot.begin();
    for (let k = 0; k < 3; k++) await robot.tick();
    for (let k = 0; k < 4; k++) {
      const tick = await robot.tick({}, (values) => {
        for (let i = 0; i < 7; i++) values[boardLayout.joint(i)]! -= 500;
      });
      if (k > 0) expect(verdictText(tick.verdict)).toMatch(/(stop|hold): stale/);
    }
    const ticks = await untilIdle(robot);
    expect(ticks.at(-1)!.ended).toMatchObject({ success: true });
  });

  it('takes no action that is not finite, and none that comes late', async () => {
    const broken = reachingPolicy();
    const { act } = broken;
    let mode: 'good' | 'nan' | 'late' = 'good';
    const policy: BasePolicy = {
      ...broken,
      act(observation, outAction) {
        if (mode === 'late')
          return new Promise<void>((resolve) => {
            setTimeout(() => {
              outAction.fill(1);
              resolve();
            }, 60);
          });
        act.call(broken, observation, outAction);
        if (mode === 'nan') outAction[1] = Number.NaN;
      },
    };
    const robot = await reaching({ policy });
    robot.begin();
    for (let k = 0; k < 4; k++) await robot.tick();
    mode = 'nan';
    await robot.tick();
    expect(verdictText((await robot.tick()).verdict)).toBe('stop: policy_not_finite');
    mode = 'late';
    await robot.tick();
    expect(verdictText((await robot.tick()).verdict)).toMatch(/(stop|hold): policy_late/);
    mode = 'good';
    await new Promise((resolve) => setTimeout(resolve, 80));
    const ticks = await untilIdle(robot);
    expect(ticks.at(-1)!.ended).toMatchObject({ success: true });
  });

  it('stops on the way to the start, too', async () => {
    const robot = await reaching({ away: 0.3 });
    robot.begin();
    for (let k = 0; k < 8; k++) await robot.tick();
    expect(robot.loop.phase).toBe('approach');
    const ticks = await untilIdle(robot, 20, () => robot.tick({ emergencyStop: true }));
    expect(ticks.at(-1)!.ended).toEqual({ success: false, reason: 'emergency stop', steps: 0 });
    expect(Math.abs(robot.arm.position[0]!)).toBeGreaterThan(0.1);
  });

  it('slows down with the operator', async () => {
    const robot = await reaching({});
    robot.begin();
    const ticks = await untilIdle(robot, 400, () => robot.tick({ speedScale: 0.1 }));
    expect(ticks.at(-1)!.ended).toMatchObject({ success: true });
    expect(exertion(robot).velocity).toBeLessThanOrEqual(0.1001);
  });

  it('waits for an operator after an emergency stop', async () => {
    const robot = await reaching({});
    robot.begin();
    for (let k = 0; k < 4; k++) await robot.tick();
    await robot.tick({ emergencyStop: true });
    expect(robot.loop.resetEmergencyStop()).toBe(false);
    await untilIdle(robot, 60, () => robot.tick({ emergencyStop: true }));
    expect(robot.begin()).toBe('the emergency stop is latched');
    expect(robot.loop.resetEmergencyStop()).toBe(true);
    expect(robot.begin()).toBeUndefined();
    expect((await untilIdle(robot)).at(-1)!.ended).toMatchObject({ success: true });
  });
});
