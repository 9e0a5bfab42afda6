import { defaultThreads, physicsBackend } from '#native/backend';

/** What simulates, in words; said at the start of every command that simulates. */
export function describeBackends(threads = defaultThreads()): string {
  const physics =
    physicsBackend() === 'native'
      ? `native MuJoCo, ${threads} threads`
      : 'MuJoCo in WASM (vernier doctor says why)';
  return `physics: ${physics}`;
}
