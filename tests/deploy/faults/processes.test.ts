import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cycloneMissing, isolate, until } from '../../transport/loopback.js';
import { clock, pause } from './faultyGraph.js';
import { FaultyRobot, servos } from './processes.js';

const isolation = isolate();

/** Joint states at 1 kHz that are taken meanwhile. */
const TAKEN = 400;
/** A servo that is told to hold in full motion comes to rest within so much, rad. */
const SETTLED = 0.03;

describe.skipIf(cycloneMissing)('a process that fails', { timeout: 600_000 }, () => {
  let robot: FaultyRobot;

  beforeAll(async () => {
    robot = await FaultyRobot.open(isolation, { spec: { ages: { deactivate: 1 } } });
  }, 120_000);
  afterAll(() => robot?.close());

  /** The arm rests by the end that it was told before the fault, and that was near enough. */
  const restsAsTold = async (name: string, since: number): Promise<void> => {
    const { graph, rest } = robot;
    const time = await graph.rests(since);
    const told = graph.audit.end - since;
    console.log(
      `${name}: at rest after ${time.toFixed(3)} s, told ${told.toFixed(3)} s, ${(rest.silence + servos).toFixed(3)} s at most`,
    );
    expect(told).toBeLessThan(rest.silence);
    expect(time).toBeLessThan(Math.max(0, told) + servos + graph.stoodStill(since));
  };

  /** After the arm fell silent: told to rest in time, and the node says why and deactivates. */
  const stopsAsStale = async (name: string, since: number): Promise<void> => {
    const { graph, rest, witness } = robot;
    await graph.reaches('inactive');
    const told = graph.audit.end - since;
    console.log(`${name}: told to rest after ${told.toFixed(3)} s, ${rest.stale.toFixed(3)} s at most`);
    expect(told).toBeLessThan(rest.stale + witness.late);
    await robot.says(/deactivate: stale/);
    await until('the reason on /diagnostics', () => graph.heard(/stale/));
  };

  it('goes on along the same path where the policy stalls for a moment', () =>
    robot.trial(async () => {
      const { graph } = robot;
      await robot.moves();
      for (const ms of [5, 15, 25, 40, 60, 80, 110]) {
        robot.policy.process.kill('SIGSTOP');
        await pause(ms);
        robot.policy.process.kill('SIGCONT');
        await pause(130);
      }
      await graph.moves();
      expect(await graph.state()).toBe('active');
    }));

  it('SIGSTOP of the policy: the arm rests as the last trajectory says, and goes on after SIGCONT', () =>
    robot.trial(async () => {
      await robot.moves();
      robot.policy.process.kill('SIGSTOP');
      await restsAsTold('SIGSTOP of the policy', clock());
      robot.policy.process.kill('SIGCONT');
      await robot.graph.moves();
    }));

  it('SIGSTOP of the arm: the policy stops, tells, and deactivates; the arm does not jump after SIGCONT', () =>
    robot.trial(async () => {
      const { graph } = robot;
      await robot.moves();
      robot.arm.process.kill('SIGSTOP');
      const since = clock();
      await stopsAsStale('SIGSTOP of the arm', since);
      await until('the end of what was told', () => clock() > graph.audit.over);
      robot.arm.process.kill('SIGCONT');
      await graph.rests(since);
      // It goes on from where it stood still, whatever waited for it on the wire.
      const away = graph.away(since);
      console.log(`SIGCONT of the arm: it rests ${away.toFixed(3)} rad from where it stood`);
      expect(away).toBeLessThan(SETTLED);
      await robot.moves();
    }));

  it('kill -9 of the arm: the same, and another arm is taken up', () =>
    robot.trial(async () => {
      await robot.moves();
      await robot.kill('arm');
      await stopsAsStale('kill -9 of the arm', clock());
      await robot.moves();
    }));

  it('joint states at 1 kHz: they are taken, and the arm goes on', () =>
    robot.trial(async () => {
      const { graph } = robot;
      await robot.stands();
      await robot.kill('arm');
      await robot.moves(1000);
      const taken = (): number => Number(graph.health.values['joint states']);
      const [before, sent, since] = [taken(), graph.states, clock()];
      await until(`${TAKEN} joint states`, () => taken() >= before + TAKEN, 60_000);
      console.log(
        `1 kHz: ${graph.states - sent} sent, ${taken() - before} taken in ${(clock() - since).toFixed(1)} s`,
      );
      await graph.moves();
      expect(await graph.state()).toBe('active');
      await robot.kill('arm');
    }));

  it('kill -9 of the policy: the arm rests as the last trajectory says, and another policy takes it up', () =>
    robot.trial(async () => {
      await robot.moves();
      robot.policy.process.kill('SIGKILL');
      await restsAsTold('kill -9 of the policy', clock());
      await robot.kill('policy');
      await robot.moves();
    }));

  it('SIGTERM of the policy: it decelerates before it goes', () =>
    robot.trial(async () => {
      const { graph, rest, witness } = robot;
      await robot.moves();
      const { count } = graph.audit;
      robot.policy.process.kill('SIGTERM');
      const since = clock();
      expect(await robot.ended('policy')).toBe(130);
      const time = await graph.rests(since);
      const told = graph.audit.end - since;
      console.log(`SIGTERM of the policy: at rest after ${time.toFixed(3)} s, told ${told.toFixed(3)} s`);
      expect(graph.audit.count).toBeGreaterThan(count);
      expect(told).toBeLessThan(rest.emergencyStop + witness.late);
      expect(time).toBeLessThan(Math.max(0, told) + servos + graph.stoodStill(since));
    }));
});
