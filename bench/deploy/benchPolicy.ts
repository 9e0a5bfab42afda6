import { PhiloxStream } from '#core/philox';
import { ChunkPolicy, chunkNetwork } from '#policy/chunkPolicy';
import { identityNormaliser } from '#policy/normaliser';

/** The policy that is served: as large as those of tasks. */
export const O = 64;
export const A = 7;
const spec = { O, A, chunk: 16, execute: 8, hidden: [256, 256] };

export async function benchPolicy(B: number): Promise<ChunkPolicy> {
  const network = chunkNetwork(spec, new PhiloxStream(1));
  return new ChunkPolicy(B, spec, network, identityNormaliser(O, A), { threads: 1 });
}
