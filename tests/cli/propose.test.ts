import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { chatServerMissing, startChatServer } from '../reward/chatServer/chatServer.js';
import { vernier } from './cli.js';

const skipped = chatServerMissing !== undefined;
const why = skipped ? ` (${chatServerMissing})` : '';
const folder = mkdtempSync(join(tmpdir(), 'vernier-propose-'));
afterAll(() => rmSync(folder, { recursive: true }));
const task = ['propose', 'peg_insertion', '--episodes', '6', '--threads', '1'];

describe('vernier propose', () => {
  it('tries a written proposal, and writes the entry once', () => {
    const out = join(folder, 'reward.yaml');
    const args = [...task, '--from', 'bench/programs/peg_insertion.yaml', '--out', out];
    const { status, stdout } = vernier(args);
    expect(stdout).toMatch(/round 1: accepted: rank correlation with time 0\.\d+/);
    expect(status).toBe(0);
    const { reward } = parse(readFileSync(out, 'utf8')) as { reward: { potential: string }[] };
    expect(reward[0]!.potential).toContain('tanh(lateral / 0.05 m)');
    const again = vernier(args);
    expect(again.status).toBe(2);
    expect(again.stderr).toMatch(/is there already[\s\S]*--force/);
  });

  it('writes subgoals with the observation of the next one', () => {
    const out = join(folder, 'subgoals.yaml');
    const from = ['--from', 'bench/programs/peg_insertion_subgoals.yaml'];
    const { status } = vernier([...task, ...from, '--kind', 'subgoals', '--observe', '--out', out]);
    expect(status).toBe(0);
    const written = parse(readFileSync(out, 'utf8')) as Record<'observation' | 'reward', unknown>;
    expect(written.reward).toEqual([{ stages: expect.any(Array) }]);
    expect(written.observation).toContainEqual({
      name: 'subgoal',
      value: expect.stringMatching(/^if\(.*, 2 \/ 3\), 1 \/ 3\), 0 \/ 3\)$/),
    });
  });

  it('asks for somebody who proposes', () => {
    const { status, stderr } = vernier(task);
    expect(status).toBe(2);
    expect(stderr).toMatch(/--endpoint and --model/);
  });

  it.skipIf(skipped)(
    `puts a real model to the question, and takes nothing that it does not write${why}`,
    async () => {
      const server = await startChatServer();
      const args = [...task, '--endpoint', server.endpoint, '--model', 'tiny-vlm', '--rounds', '1'];
      const { status, stdout, stderr } = vernier(args);
      await server.kill();
      expect(stdout + stderr).toMatch(
        /round 1: refused: not[\s\S]*no proposal was accepted|refused the question/,
      );
      expect(status).toBe(2);
    },
  );
});
