import { Reply } from 'zeromq';
import { PolicyServer } from '#deploy/policyServer';
import { policyService } from '#deploy/policyService';
import { RouterSocket } from '#transport/zeromq/sockets';
import { A, benchPolicy, O } from './benchPolicy.js';

/* The other process of bench/deploy/policy.ts, until stdin ends:
 *   policyPeer.ts echo <bytes>   answers every request with so many bytes, with nothing but ZeroMQ
 *   policyPeer.ts policy         serves a chunk policy of the size that tasks have */

const [what, size] = process.argv.slice(2);
async function echo(bytes: number): Promise<{ endpoint: string; close(): void }> {
  const socket = new Reply({ linger: 0 });
  await socket.bind('tcp://127.0.0.1:0');
  const answer = Buffer.alloc(bytes, 1);
  void (async () => {
    for await (const _ of socket) await socket.send(answer);
  })();
  return { endpoint: socket.lastEndpoint!, close: () => socket.close() };
}

async function policy(): Promise<{ endpoint: string; close(): void }> {
  const identity = {
    server: 'vernier',
    task: 'bench',
    task_hash: '',
    robot_hash: '',
    control_period: 0.05,
    observation: [{ name: 'state', length: O, unit: '1' }],
    actions: Array.from({ length: A }, (_, i) => `joint${i}`),
    fingerprint: 'bench',
  } as const;
  const service = await policyService(identity, benchPolicy);
  const router = await RouterSocket.bind('tcp://127.0.0.1:0');
  const server = new PolicyServer({
    router,
    service,
    arrays: 'groot',
    onDefect: (error) => console.error(error),
  });
  return { endpoint: server.endpoint, close: () => void server.close() };
}

const peer = what === 'echo' ? await echo(Number(size)) : await policy();
console.log(peer.endpoint);
process.stdin.on('end', () => peer.close()).resume();
