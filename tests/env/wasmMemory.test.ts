import { expect, it } from 'vitest';
import { makeEnv } from '#env/makeEnv';
import { loadTask } from '#spec/task';

it('starts an episode the same after other batches made the memory of MuJoCo grow', async () => {
  const task = await loadTask('peg_insertion');
  const open = (environments: number) =>
    makeEnv(task, { environments, seed: 11, autoReset: false, backend: 'wasm' });
  const env = await open(1);
  env.reset({ episode: 1 });
  const before = env.readCopy(0);
  const others = [];
  for (let k = 0; k < 12; k++) others.push(await open(1));
  env.reset({ episode: 1 });
  expect(env.readCopy(0)).toEqual(before);
  for (const batch of [env, ...others]) batch.close();
});
