import { PhiloxStream } from '#core/philox';
import { PolicyServer, type PolicyServerOptions } from '#deploy/policyServer';
import { type MakePolicy, policyService } from '#deploy/policyService';
import { ChunkPolicy, chunkNetwork } from '#policy/chunkPolicy';
import { identityNormaliser } from '#policy/normaliser';
import { PolicyClient, type PolicyClientOptions } from '#transport/zeromq/policyClient';
import { type CurveServer, newCurveKeys, RouterSocket } from '#transport/zeromq/sockets';

/** Policy servers in this process, for tests. */

export const hasZeromq = await newCurveKeys().then(
  () => true,
  () => false,
);

export const O = 5;
export const A = 3;
export const H = 4;

export const identity = {
  server: 'vernier',
  task: 'test',
  task_hash: 't',
  robot_hash: 'r',
  control_period: 0.05,
  observation: [
    { name: 'tip', length: 3, unit: 'm' },
    { name: 'grip.width', length: 2, unit: 'm' },
  ],
  actions: ['x', 'y', 'z'],
  fingerprint: '0123456789abcdef',
} as const;

const spec = { O, A, chunk: H, execute: 3, hidden: [16, 16] };
const network = chunkNetwork(spec, new PhiloxStream(7));

/** A cloned base, the same for every number of rows. */
export const makeChunkPolicy: MakePolicy = async (B) =>
  new ChunkPolicy(B, spec, network, identityNormaliser(O, A));

export interface Running {
  readonly server: PolicyServer;
  readonly defects: unknown[];
  client(options?: Partial<PolicyClientOptions>): PolicyClient;
  close(): Promise<void>;
}

export async function startServer(
  make: MakePolicy,
  options: Partial<PolicyServerOptions> & { readonly curve?: CurveServer; readonly endpoint?: string } = {},
): Promise<Running> {
  const { curve, endpoint = 'tcp://127.0.0.1:0', ...rest } = options;
  const router = await RouterSocket.bind(endpoint, curve);
  const defects: unknown[] = [];
  const service = await policyService(identity, make);
  const server = new PolicyServer({
    router,
    service,
    arrays: 'groot',
    onDefect: (e) => defects.push(e),
    ...rest,
  });
  const clients: PolicyClient[] = [];
  return {
    server,
    defects,
    client: (clientOptions) => {
      const client = new PolicyClient({ endpoint: server.endpoint, timeoutMs: 30_000, ...clientOptions });
      clients.push(client);
      return client;
    },
    close: async () => {
      for (const client of clients) client.close();
      await server.close();
    },
  };
}

/** What comes before a timer that this thread sets now, however late it wakes for either. */
export async function before<T>(ms: number, coming: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${ms} ms`)), ms);
  });
  return Promise.race([coming, late]).finally(() => clearTimeout(timer));
}
