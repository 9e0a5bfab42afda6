import { availableParallelism, cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { Replay } from '#data/replay';
import { makeEnv } from '#env/makeEnv';
import { ScoredRewards } from '#learn/scoredRewards';
import { loadTask } from '#spec/task';

/** `npm run bench:scoring`: what scoring costs an actor that does nothing but step: environment steps a second with episodes
 * scored beside it and without, in turns within one run. */

const USAGE = `npm run bench:scoring -- [options]
  --task peg_insertion
  --environments 16
  --threads 2         of the physics
  --size 64           side of the picture
  --every 5           control steps between scored samples
  --turns 6           of each kind
  --seconds 3         of a turn`;

const { values } = parseArgs({
  options: {
    task: { type: 'string', default: 'peg_insertion' },
    environments: { type: 'string', default: '16' },
    threads: { type: 'string', default: '2' },
    size: { type: 'string', default: '64' },
    every: { type: 'string', default: '5' },
    turns: { type: 'string', default: '6' },
    seconds: { type: 'string', default: '3' },
    help: { type: 'boolean', default: false },
  },
});

async function main(): Promise<void> {
  const B = Number(values.environments);
  const task = await loadTask(values.task, [
    `cameras={view: {width: ${values.size}, height: ${values.size}, of: overview}}`,
    `scores={likeness: {goal-image: {}, every: ${values.every}}}`,
    'reward=[{potential: {score: likeness}}]',
  ]);
  const env = await makeEnv(task, { environments: B, seed: 1, threads: Number(values.threads) });
  env.reset({ seed: 1 });
  const start = env.readCopy(0);
  for (let t = 0; t < 20; t++) env.step();
  const scored = await ScoredRewards.start({
    ...{
      reward: task.reward!,
      gamma: 0.99,
      rows: B,
      poseOf: (row) => env.readCopy(row),
      note: console.error,
    },
    service: {
      task: { model: task.model, cameras: task.cameras },
      ...{ scores: task.scores, reference: { start, goal: env.readCopy(0) } },
      ...{ queue: 64, inFlight: 4, deadlineMs: 50 },
    },
  });
  const { O, A } = env;
  const replay = new Replay({
    ...{ O, A, environments: B, capacity: 100_000, nStep: 1, gamma: 0.99, horizon: task.horizon },
  });
  const step = {
    ...{ observation: env.observation, phase: new Float32Array(B), base: new Float32Array(B * A) },
    ...{ action: env.action, reward: env.reward, nextObservation: env.finalObservation },
    ...{ nextPhase: new Float32Array(B), nextBase: new Float32Array(B * A) },
    ...{ terminated: env.terminated, truncated: env.truncated },
  };
  const S = env.signals.length / B;
  const begin = (row: number): void =>
    scored.begin(row, env.signals.subarray(row * S, (row + 1) * S), env.observation);

  /** Steps a second over a turn. */
  const turn = async (isScored: boolean): Promise<number> => {
    env.reset({ seed: 1 });
    if (isScored) for (let row = 0; row < B; row++) begin(row);
    const from = performance.now();
    const until = from + 1000 * Number(values.seconds);
    let steps = 0;
    for (let round = 0; performance.now() < until; round++, steps += B) {
      for (let i = 0; i < env.action.length; i++) env.action[i] = Math.sin(0.1 * round + i);
      await env.stepAsync();
      for (let row = 0; row < B; row++) {
        const done = env.terminated[row] === 1 || env.truncated[row] === 1;
        replay.add(row, step, row);
        if (isScored)
          scored.step(row, env.finalSignals.subarray(row * S, (row + 1) * S), env.observation, 0, done);
        if (!done) continue;
        const taken = replay.takeEpisode(row);
        if (!isScored) continue;
        scored.finish(row, {
          replay,
          steps: taken,
          success: env.success[row] === 1,
          terminated: env.terminated[row] === 1,
        });
        begin(row);
      }
    }
    const rate = (1000 * steps) / (performance.now() - from);
    // The next turn has the machine to itself.
    for (let row = 0; row < B; row++) replay.takeEpisode(row);
    await scored.idle();
    return rate;
  };

  await turn(false);
  const ratios: number[] = [];
  let [alone, beside] = [0, 0];
  for (let k = 0; k < Number(values.turns); k++) {
    const without = await turn(false);
    const before = scored.event(0).scored;
    const within = await turn(true);
    ratios.push(within / without);
    alone += without / Number(values.turns);
    beside += within / Number(values.turns);
    console.error(
      `${without.toFixed(0)} and ${within.toFixed(0)} steps/s, ${scored.event(0).scored - before} episodes scored`,
    );
  }
  ratios.sort((a, b) => a - b);
  const { scored: episodes, dropped, waitedMs, momentMs } = scored.event(0);
  console.log(
    JSON.stringify({
      task: values.task,
      cpu: cpus()[0]?.model,
      cores: availableParallelism(),
      load: loadavg()[0],
      threads: Number(values.threads),
      environments: B,
      ...{ alone, beside, ratio: ratios[Math.floor(ratios.length / 2)], ratios },
      ...{ episodes, dropped, waitedMs, momentMs },
    }),
  );
  await scored.close();
  env.close();
}

if (values.help) console.log(USAGE);
else await main();
