import { defaultThreads, physicsBackend } from '#native/backend';
import { engineAddon, hasNativeEngine } from '#nn/native';

/** What simulates and what trains, in words; said at the start of every command that does. */
export function describeBackends(threads = defaultThreads()): string {
  const physics =
    physicsBackend() === 'native'
      ? `native MuJoCo, ${threads} thread${threads === 1 ? '' : 's'}`
      : 'MuJoCo in WASM';
  const engine = hasNativeEngine() ? `native, ${engineAddon().engineInstructionSet}` : 'TypeScript';
  const why = physicsBackend() === 'native' && hasNativeEngine() ? '' : ' (vernier doctor says why)';
  return `physics: ${physics}; networks: ${engine}${why}`;
}
