import { describe, expect, it } from 'vitest';
import { standardCodec } from '#transport/messages';
import { type ActionHandlers, type GoalOutcome, statusQuality } from '#transport/robotTransport';
import { patience, until } from '../loopback.js';
import type { ContractNodes } from './nodes.js';

const follow = 'control_msgs/action/FollowJointTrajectory';
const goalCodec = standardCodec(`${follow}_Goal`);
const feedbackCodec = standardCodec(`${follow}_Feedback`);
const resultCodec = standardCodec(`${follow}_Result`);

export function actionContract({ pair }: ContractNodes): void {
  describe('actions', () => {
    const goalOf = (...names: string[]): Uint8Array => {
      const goal = goalCodec.create() as { trajectory: object };
      return goalCodec.encode({
        ...goal,
        trajectory: { ...goal.trajectory, joint_names: names, points: [] },
      });
    };
    const namesOf = (goal: Uint8Array): readonly string[] =>
      (goalCodec.decode(goal) as unknown as { trajectory: { joint_names: string[] } }).trajectory.joint_names;
    const ends = (status: GoalOutcome['status'], error_string: string): GoalOutcome => ({
      status,
      result: resultCodec.encode({ error_code: status === 'succeeded' ? 0 : -4, error_string }),
    });
    const progress = (name: string): Uint8Array =>
      feedbackCodec.encode({ ...feedbackCodec.create(), joint_names: [name] });
    const textOf = (outcome: GoalOutcome): string =>
      `${outcome.status}: ${resultCodec.decode(outcome.result)['error_string']}`;
    const serve = async (handlers: ActionHandlers) => {
      const [alpha, beta] = await pair();
      const server = alpha.actionServer('/arm/follow', follow, handlers);
      const client = beta.actionClient('/arm/follow', follow);
      await until('the action', () => client.available());
      return { alpha, beta, server, client };
    };

    it('runs a goal with feedback to its result, told as often as it is asked', async () => {
      const seen: string[] = [];
      const { client } = await serve({
        accept: (goal) => namesOf(goal)[0] === 'j1',
        async execute({ goal, feedback }) {
          for (const name of ['a', 'b', 'c']) {
            feedback(progress(name));
            await new Promise((resolve) => setTimeout(resolve, 5));
          }
          return ends('succeeded', namesOf(goal).join());
        },
      });
      const goal = await client.send(goalOf('j1', 'j2'), {
        timeoutMs: patience,
        onFeedback: (bytes) => seen.push(String(feedbackCodec.decode(bytes)['joint_names'])),
      });
      expect(goal!.id).toMatch(/^[0-9a-f]{32}$/);
      expect(textOf(await goal!.result(patience))).toBe('succeeded: j1,j2');
      expect(textOf(await goal!.result(patience))).toBe('succeeded: j1,j2');
      expect(seen).toEqual(['a', 'b', 'c']);
      expect(await goal!.cancel(patience)).toBe(false);
    });

    it('refuses what the server does not accept', async () => {
      const { client } = await serve({
        accept: () => false,
        execute: () => Promise.reject(new Error('a refused goal must not run')),
      });
      expect(await client.send(goalOf('j1'), { timeoutMs: patience })).toBeUndefined();
    });

    it('cancels one goal and leaves another alone', async () => {
      const { client } = await serve({
        accept: () => true,
        execute: ({ goal, cancelled }) =>
          new Promise((resolve) => {
            const name = namesOf(goal).join();
            cancelled.addEventListener('abort', () => resolve(ends('canceled', name)));
            if (name === 'quick') setTimeout(() => resolve(ends('succeeded', name)), 200);
          }),
      });
      const slow = await client.send(goalOf('slow'), { timeoutMs: patience });
      const quick = await client.send(goalOf('quick'), { timeoutMs: patience });
      await expect(slow!.result(50)).rejects.toMatchObject({ code: 'TIMEOUT' });
      expect(await slow!.cancel(patience)).toBe(true);
      expect(textOf(await slow!.result(patience))).toBe('canceled: slow');
      expect(textOf(await quick!.result(patience))).toBe('succeeded: quick');
    });

    it('aborts a goal whose execution throws, and tells who serves it', async () => {
      const errors: unknown[] = [];
      const mistake = new Error('jammed');
      const { client } = await serve({
        accept: () => true,
        execute: () => Promise.reject(mistake),
        onError: (error) => errors.push(error),
      });
      const goal = await client.send(goalOf('j1'), { timeoutMs: patience });
      expect(textOf(await goal!.result(patience))).toBe('aborted: ');
      expect(errors).toEqual([mistake]);
    });

    it('tells the status of its goals to everybody', async () => {
      const statuses = standardCodec('action_msgs/msg/GoalStatusArray');
      const seen: number[][] = [];
      const { beta, client } = await serve({
        accept: () => true,
        execute: async () => ends('succeeded', ''),
      });
      const type = 'action_msgs/msg/GoalStatusArray';
      beta.subscriber('/arm/follow/_action/status', type, statusQuality, ({ bytes }) => {
        const { status_list } = statuses.decode(bytes) as unknown as { status_list: { status: number }[] };
        seen.push(status_list.map(({ status }) => status));
      });
      await until('the status without goals', () => seen.length > 0);
      const goal = await client.send(goalOf('j1'), { timeoutMs: patience });
      await goal!.result(patience);
      await until('the last status', () => seen.at(-1)?.[0] === 4);
      expect(seen[0]).toEqual([]);
    });

    it.each(['server', 'transport'])('cancels what runs when the %s closes', async (what) => {
      let isCancelled = false;
      const errors: unknown[] = [];
      const { alpha, client, server } = await serve({
        accept: () => true,
        execute: ({ cancelled, feedback }) =>
          new Promise((resolve) =>
            cancelled.addEventListener('abort', () => {
              isCancelled = true;
              feedback(progress('nobody'));
              resolve(ends('canceled', 'to nobody'));
            }),
          ),
        onError: (error) => errors.push(error),
      });
      const goal = await client.send(goalOf('j1'), { timeoutMs: patience });
      await new Promise((resolve) => setTimeout(resolve, 20));
      if (what === 'server') server.close();
      else await alpha.close();
      server.close();
      expect(isCancelled).toBe(true);
      await expect(goal!.result(200)).rejects.toMatchObject({ code: 'TIMEOUT' });
      expect(errors).toEqual([]);
    });
  });
}
