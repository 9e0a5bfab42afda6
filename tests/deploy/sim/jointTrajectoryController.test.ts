import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JointTrajectoryMessage } from '#deploy/sim/jointTrajectory';
import {
  type ArmState,
  JointTrajectoryController,
  type TrajectoryRules,
} from '#deploy/sim/jointTrajectoryController';
import { splineAt } from '#deploy/sim/splineSegment';
import { quintic } from '../safety/quintic.js';

type Row = readonly [time: number, positions: number[], velocities?: number[], accelerations?: number[]];

function message(rows: readonly Row[], names = ['a', 'b']): JointTrajectoryMessage {
  return {
    joint_names: names,
    points: rows.map(([time, positions, velocities = [], accelerations = []]) => ({
      positions,
      velocities,
      accelerations,
      effort: [],
      time_from_start: { sec: Math.floor(time), nanosec: Math.round((time % 1) * 1e9) },
    })),
  };
}

const rules: TrajectoryRules = {
  joints: ['a', 'b'],
  allowPartialJoints: false,
  allowNonzeroFinalVelocity: false,
  interpolateFromDesiredState: true,
  commandTimeout: 0,
  goalTime: 0,
  stoppedVelocity: 0.01,
  pathTolerance: [0, 0],
  goalTolerance: [0, 0],
};

function arm(position: number[], velocity = [0, 0]): ArmState {
  return {
    position: Float64Array.from(position),
    velocity: Float64Array.from(velocity),
    acceleration: new Float64Array(2),
  };
}

function controller(change: Partial<TrajectoryRules> = {}) {
  return new JointTrajectoryController({ ...rules, ...change }, [0, 0]);
}

const here = arm([0, 0]);

describe('the joint trajectory controller', () => {
  it('interpolates by what the points carry', () => {
    const states = (rows: readonly Row[], at: number) => {
      const jtc = controller({ allowNonzeroFinalVelocity: true });
      expect(jtc.accept(message(rows), undefined, 10, here)).toBeUndefined();
      jtc.update(10 + at, here);
      const { position, velocity, acceleration } = jtc.desired;
      return [position[0], velocity[0], acceleration[0]];
    };
    // Halfway from rest at 0 to 1 in 2 s: a line; a cubic to speed 0; one to speed 1; a fifth-order one to rest.
    expect(states([[2, [1, 0]]], 1)).toEqual([0.5, 0.5, 0]);
    expect(states([[2, [1, 0], [0, 0]]], 1)).toEqual([0.5, 0.75, 0]);
    expect(states([[2, [1, 0], [1, 0]]], 1)).toEqual([0.25, 0.5, 0.5]);
    expect(states([[2, [1, 0], [0, 0], [0, 0]]], 1)).toEqual([0.5, 0.9375, 0]);
    // Between a point with velocities and one without: a line.
    expect(
      states(
        [
          [1, [1, 0], [1, 0]],
          [2, [3, 0]],
        ],
        1.5,
      ),
    ).toEqual([2, 2, 0]);
    expect(
      states(
        [
          [1, [1, 0]],
          [2, [3, 0]],
        ],
        7,
      ),
    ).toEqual([3, 0, 0]);
  });

  it('is the polynomial through both ends', () => {
    const number = fc.double({ min: -3, max: 3, noNaN: true });
    const end = fc.tuple(number, number, number);
    fc.assert(
      fc.property(
        end,
        end,
        fc.double({ min: 0.01, max: 3, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (a, b, T, share) => {
          const out = new Float64Array(3);
          const from = { time: 5, position: a[0], velocity: a[1], acceleration: a[2] };
          splineAt(
            from,
            { time: 5 + T, position: b[0], velocity: b[1], acceleration: b[2] },
            5 + share * T,
            out,
          );
          const told = quintic([5, ...a], [5 + T, ...b], (5 + share * T - 5) / T);
          for (let d = 0; d < 3; d++) {
            expect(Math.abs(out[d]! - told[d]!)).toBeLessThanOrEqual(1e-12 / Math.min(T, 1) ** (d + 1));
          }
        },
      ),
    );
  });

  it('refuses what it cannot follow, and goes on with what it follows', () => {
    const jtc = controller();
    jtc.accept(message([[1, [1, 1]]]), undefined, 0, here);
    const told = (rows: readonly Row[], names?: string[], start?: number) => {
      const refusal = jtc.accept(message(rows, names), start, 0.5, here);
      return refusal && `${refusal.code} ${refusal.text}`;
    };
    expect(told([[1, [1, 1]]], ['a', 'c'])).toBe("-2 unknown joint 'c'; this controller has a, b");
    expect(told([[1, [1]]], ['a'])).toBe("-2 joint 'b' is missing");
    expect(told([[1, [1, 1]]], ['a', 'a'])).toBe('-2 a joint is named twice');
    expect(told([[1, []]], [])).toBe('-2 the trajectory names no joints');
    expect(told([])).toBe('-1 the trajectory has no points');
    expect(told([[1, [1]]])).toBe('-1 point 0 has 1 positions for 2 joints');
    expect(told([[1, [], [0, 0]]])).toBe('-1 point 0 has 0 positions for 2 joints');
    expect(told([[1, [1, 1], [0]]])).toBe('-1 point 0 has 1 velocities for 2 joints');
    expect(told([[1, [1, Number.NaN]]])).toBe('-1 point 0 has positions that are not finite');
    expect(
      told([
        [1, [1, 1]],
        [1, [2, 2]],
      ]),
    ).toBe('-1 point 1 is at 1 s, not after the one before at 1 s');
    expect(told([[1, [1, 1], [0, 0.1]]])).toBe("-1 joint 'b' does not rest at the last point");
    expect(told([[0.2, [1, 1]]], undefined, 0.2)).toBe('-3 the trajectory ended 0.100 s ago');
    jtc.update(0.5, here);
    expect([...jtc.desired.position]).toEqual([0.5, 0.5]);
  });

  it('takes joints by name, and holds those that a partial trajectory leaves out', () => {
    const jtc = controller({ allowPartialJoints: true });
    jtc.accept(message([[1, [2, 1]]], ['b', 'a']), undefined, 0, here);
    jtc.update(0.5, here);
    expect([...jtc.desired.position]).toEqual([0.5, 1]);
    expect(jtc.accept(message([[1, [0]]], ['b']), undefined, 0.5, here)).toBeUndefined();
    jtc.update(1.5, here);
    expect([...jtc.desired.position]).toEqual([0.5, 0]);
  });

  it('begins at its stamp: points of the past are skipped, before the first it leaves from where it is', () => {
    const jtc = controller();
    const rows: Row[] = [
      [1, [1, 0]],
      [2, [3, 0]],
    ];
    jtc.accept(message(rows), 10, 11.5, here);
    jtc.update(11.5, here);
    expect(jtc.desired.position[0]).toBe(2);
    const later = controller();
    later.accept(message(rows), 20, 19, here);
    later.update(20, here);
    expect(later.desired.position[0]).toBe(0.5);
  });

  it('replaces a trajectory without a jump in position, velocity or acceleration', () => {
    const number = fc.double({ min: -2, max: 2, noNaN: true });
    const row = fc.tuple(number, number, number, number, number, number);
    fc.assert(
      fc.property(row, row, fc.double({ min: 0.01, max: 0.99, noNaN: true }), (one, two, when) => {
        const jtc = controller();
        const points = (r: readonly number[]): Row[] => [
          [0.5, [r[0]!, r[1]!], [r[2]!, r[3]!], [r[4]!, r[5]!]],
          [1, [r[1]!, r[0]!], [0, 0], [0, 0]],
        ];
        jtc.accept(message(points(one)), undefined, 0, here);
        jtc.update(when, here);
        const before = structuredClone(jtc.desired);
        // The measured state is far away on purpose: only the desired one counts.
        jtc.accept(message(points(two)), undefined, when, arm([9, 9]));
        jtc.update(when, arm([9, 9]));
        expect(jtc.desired).toEqual(before);
        jtc.update(when + 1e-7, here);
        for (let i = 0; i < 2; i++) {
          expect(jtc.desired.position[i]).toBeCloseTo(before.position[i]!, 5);
          expect(jtc.desired.velocity[i]).toBeCloseTo(before.velocity[i]!, 3);
          expect(jtc.desired.acceleration[i]).toBeCloseTo(before.acceleration[i]!, 2);
        }
      }),
    );
  });

  it('begins where the arm is measured without interpolate_from_desired_state', () => {
    const jtc = controller({ interpolateFromDesiredState: false });
    jtc.accept(message([[1, [1, 1]]]), undefined, 0, arm([0.5, 0.25]));
    jtc.update(0, here);
    expect([...jtc.desired.position]).toEqual([0.5, 0.25]);
  });

  it('aborts a goal that leaves its path, and holds where the arm is', () => {
    const jtc = controller({ pathTolerance: [0.1, 0] });
    jtc.accept(message([[1, [1, 1]]]), undefined, 0, here, {});
    jtc.update(0.1, arm([0, -5]));
    expect(jtc.takeEnd()).toBeUndefined();
    jtc.update(0.2, arm([0.05, 0]));
    expect(jtc.takeEnd()).toEqual({ status: 'aborted', code: -4, text: "joint 'a' left its path" });
    expect([...jtc.desired.position]).toEqual([0.05, 0]);
    expect(jtc.busy).toBe(false);
    // A goal's own tolerance goes before the rules'.
    jtc.accept(message([[1, [1, 1]]]), undefined, 0, here, { pathTolerance: [0.5, 0.01] });
    jtc.update(0.3, arm([0, 0]));
    expect(jtc.takeEnd()?.text).toBe("joint 'b' left its path");
  });

  it('succeeds at rest within the goal tolerance, waits for it, and gives up after goal_time', () => {
    const jtc = controller({ goalTolerance: [0.1, 0.1], goalTime: 0.5 });
    jtc.accept(message([[1, [1, 1]]]), undefined, 0, here, {});
    jtc.update(1.2, arm([0.8, 1]));
    expect(jtc.takeEnd()).toBeUndefined();
    jtc.update(1.3, arm([0.95, 1], [0.02, 0]));
    expect(jtc.takeEnd()).toBeUndefined();
    jtc.update(1.4, arm([0.95, 1]));
    expect(jtc.takeEnd()).toMatchObject({ status: 'succeeded', code: 0 });
    expect(jtc.takeEnd()).toBeUndefined();
    expect([...jtc.desired.position]).toEqual([1, 1]);
    jtc.accept(message([[1, [2, 1]]]), undefined, 2, here, {});
    jtc.update(3.6, arm([1.5, 1]));
    expect(jtc.takeEnd()).toMatchObject({ status: 'aborted', code: -5 });
    expect([...jtc.desired.position]).toEqual([1.5, 1]);
  });

  it('cancels by holding, and a new trajectory cancels the goal of the old one', () => {
    const jtc = controller();
    jtc.accept(message([[1, [1, 1]]]), undefined, 0, here, {});
    jtc.update(0.5, here);
    jtc.cancel(arm([0.4, 0.45]));
    expect(jtc.takeEnd()?.status).toBe('canceled');
    jtc.update(0.9, here);
    expect([...jtc.desired.position]).toEqual([0.4, 0.45]);
    expect([...jtc.desired.velocity]).toEqual([0, 0]);
    jtc.accept(message([[1, [1, 1]]]), undefined, 1, here, {});
    jtc.accept(message([[1, [0, 0]]]), undefined, 1.5, here);
    expect(jtc.takeEnd()).toMatchObject({ status: 'canceled', text: 'replaced by another trajectory' });
  });

  it('holds where the arm is once no command came for cmd_timeout after the last point', () => {
    const jtc = controller({ commandTimeout: 0.2 });
    jtc.accept(message([[1, [1, 1]]]), undefined, 0, here);
    jtc.update(1.1, arm([0.9, 0.9]));
    expect(jtc.timedOut).toBe(false);
    expect([...jtc.desired.position]).toEqual([1, 1]);
    jtc.update(1.25, arm([0.9, 0.9]));
    expect(jtc.timedOut).toBe(true);
    expect([...jtc.desired.position]).toEqual([0.9, 0.9]);
    // Not above goal_time: ignored.
    const other = controller({ commandTimeout: 0.2, goalTime: 0.3 });
    other.accept(message([[1, [1, 1]]]), undefined, 0, here);
    other.update(1.25, here);
    expect(other.timedOut).toBe(false);
  });
});
