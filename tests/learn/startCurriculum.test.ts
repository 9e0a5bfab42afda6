import { describe, expect, it } from 'vitest';
import { Draws } from '#core/draws';
import { type Demos, EpisodeRecorder } from '#data/demos';
import { makeEnv } from '#env/makeEnv';
import { collectDemos } from '#learn/collect';
import { demoStates } from '#learn/demoStates';
import { StartCurriculum } from '#learn/startCurriculum';
import { taskProblem } from '#learn/taskProblem';
import { demosSchema, residualSchema } from '#spec/learningSchema';
import { loadTask } from '#spec/task';
import { backends, hasNative } from '../env/backends.js';
import { kinematicPeg } from './kinematicPeg.js';

const available = backends.filter((backend) => backend === 'wasm' || hasNative);
const starts = (keys: object) => residualSchema.parse({ starts: { kind: 'medium', ...keys } }).starts!;

async function record(episodes: number): Promise<Demos> {
  const settings = demosSchema.parse({ episodes, seed: 31 });
  return (await collectDemos(kinematicPeg(), { settings }))!.demos;
}

/** The observation before each step of demonstration k. */
function before({ observation, O, episodes }: Demos, k: number): Float32Array[] {
  const first = episodes.slice(0, k).reduce((sum, { length }) => sum + length + 1, 0);
  return Array.from({ length: episodes[k]!.length }, (_, t) =>
    observation.slice((first + t) * O, (first + t + 1) * O),
  );
}

describe('states along demonstrations', () => {
  it.each(available)(
    'come out of seeds and actions, bit for bit, and go on as recorded (%s)',
    async (backend) => {
      const task = await loadTask('lift');
      const problem = {
        ...taskProblem(task),
        makeEnv: (options: { environments: number; seed: number }) => makeEnv(task, { ...options, backend }),
      };
      const B = 3;
      const env = await problem.makeEnv({ environments: B, seed: 12 });
      const recorder = new EpisodeRecorder(B, env.O, env.A);
      const draws = new Draws(1, 1);
      env.reset({ seed: 12, episode: 4 });
      const T = 12;
      for (let t = 0; t < T; t++) {
        const seen = env.observation.slice();
        draws.uniforms(env.action, -1, 1);
        env.step();
        for (let row = 0; row < B; row++) recorder.add(row, seen, env.action, env.reward[row]!, env.signals);
      }
      const ended = { seed: 12, episode: 4, terminated: true, truncated: false, success: true };
      for (let row = 0; row < B; row++)
        recorder.finish(row, env.finalObservation, env.finalSignals, { ...ended, environment: row }, true);
      const demos = recorder.build(problem, B);
      const states = await demoStates(problem, demos);
      expect(states.map((all) => all.length)).toEqual([T, T, T]);
      // In another row of another batch, of another seed.
      const other = await problem.makeEnv({ environments: 2, seed: 99 });
      for (const k of [0, 2])
        for (const t of [0, 5]) {
          other.setEnvironment(1, states[k]![t]!);
          const at = k * (T + 1) + t;
          expect(other.observation.slice(other.O)).toEqual(
            demos.observation.slice(at * other.O, (at + 1) * other.O),
          );
          other.action.set(demos.action.slice((k * T + t) * other.A, (k * T + t + 1) * other.A), other.A);
          other.step();
          expect(other.finalObservation.slice(other.O)).toEqual(
            demos.observation.slice((at + 1) * other.O, (at + 2) * other.O),
          );
        }
      env.close();
      other.close();
    },
  );

  it('are refused where a demonstration comes out otherwise, or none succeeded', async () => {
    const demos = await record(2);
    const action = demos.action.slice();
    action[3 * demos.A] = -action[3 * demos.A]!;
    await expect(demoStates(kinematicPeg(), { ...demos, action })).rejects.toThrow(
      /demonstration 1, stepped again, differs .* at step 4/,
    );
    const failed = demos.episodes.map((episode) => ({ ...episode, success: false }));
    await expect(demoStates(kinematicPeg(), { ...demos, episodes: failed })).rejects.toThrow(
      /no demonstration succeeded/,
    );
  });
});

describe('where episodes begin', () => {
  it('is on the last stage of demonstrations, then further back as success grows, then as the task has it', async () => {
    const demos = await record(3);
    const states = await demoStates(kinematicPeg(), demos);
    const settings = starts({ kind: 'backward', share: 1, stages: 4, memory: 5, advance: 0.8 });
    const curriculum = new StartCurriculum(states, settings, 1, 7);
    const env = await kinematicPeg().makeEnv({ environments: 1, seed: 1 });
    /** Share of its demonstration at which the next episode begins; undefined off the demonstrations. */
    const begin = (): number | undefined => {
      env.reset({ seed: 77 });
      curriculum.begin(env, 0);
      for (const k of demos.episodes.keys()) {
        const t = before(demos, k).findIndex((o) => o.every((v, i) => v === env.observation[i]));
        if (t >= 0) return t / demos.episodes[k]!.length;
      }
      return undefined;
    };
    for (const stage of [3, 2, 1, 0]) {
      for (let i = 0; i < 5; i++) {
        const at = begin()!;
        expect(at).toBeGreaterThan(stage / 4 - 0.1);
        expect(at).toBeLessThan((stage + 1) / 4);
        // One failure in five is allowed for; as long as there are two the stage stays.
        curriculum.finish(0, i > 1);
      }
      expect(curriculum.stage).toBe(stage);
      begin();
      curriculum.finish(0, true);
      expect(curriculum.stage).toBe(stage - 1);
    }
    expect(begin()).toBeUndefined();
  });

  it('is where success is neither certain nor hopeless, in proportion to p (1 - p)', async () => {
    const states = await demoStates(kinematicPeg(), await record(3));
    const curriculum = new StartCurriculum(states, starts({ share: 0.8, stages: 3 }), 1, 7);
    curriculum.success.set([0, 0.5, 0.9]);
    const env = await kinematicPeg().makeEnv({ environments: 1, seed: 1 });
    const counts = [0, 0, 0, 0];
    const draws = 4000;
    for (let i = 0; i < draws; i++) {
      curriculum.begin(env, 0);
      const stage = (curriculum.save() as { rows: number[] }).rows[0]!;
      counts[stage + 1]!++;
    }
    const weights = [0.02, 0.27, 0.11];
    const total = weights.reduce((sum, w) => sum + w, 0);
    const wanted = [0.2, ...weights.map((w) => (0.8 * w) / total)];
    for (const [i, share] of wanted.entries())
      expect(Math.abs(counts[i]! / draws - share)).toBeLessThan(0.03);
  });

  it('follows the outcomes of its own episodes only', async () => {
    const states = await demoStates(kinematicPeg(), await record(2));
    const none = new StartCurriculum(states, starts({ share: 0 }), 1, 7);
    const env = await kinematicPeg().makeEnv({ environments: 1, seed: 1 });
    const first = env.observation.slice();
    none.begin(env, 0);
    none.finish(0, true);
    expect(env.observation).toEqual(first);
    expect([...none.success].every((p) => p === 0.5)).toBe(true);
    const all = new StartCurriculum(states, starts({ share: 1, stages: 1, memory: 10 }), 1, 7);
    for (let i = 0; i < 60; i++) {
      all.begin(env, 0);
      all.finish(0, true);
    }
    expect(all.success[0]!).toBeGreaterThan(0.98);
  });
});
