import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { openTransport } from '#transport/openTransport';
import { commandQuality } from '#transport/robotTransport';
import { cycloneMissing, isolate, until } from './loopback.js';
import { startPeer } from './peers/compile.js';

/* How a process or a worker that has open endpoints goes: quietly, and others see it at once. */

const { domain, env } = isolate();
const here = dirname(fileURLToPath(import.meta.url));
const loader = join(here, '..', 'tools', 'typescript.mjs');
const node = ['--conditions=vernier-src', '--import', loader, join(here, 'peers', 'leave.ts')];

/** The lease by which a node that says nothing is noticed; who leaves is seen long before. */
const lease = (seconds: number) => ({
  ...env,
  CYCLONEDDS_URI: env.CYCLONEDDS_URI.replace(
    '<Discovery>',
    `<Discovery><LeaseDuration>${seconds}s</LeaseDuration>`,
  ),
});

describe.skipIf(cycloneMissing)(`leaving${cycloneMissing ? ` (${cycloneMissing})` : ''}`, () => {
  it.each([
    { way: 'close', status: 0, errors: /^$/ },
    { way: 'exit', status: 0, errors: /^$/ },
    { way: 'throw', status: 1, errors: /Error: on purpose/ },
    { way: 'worker-close', status: 0, errors: /^$/ },
    { way: 'worker-exit', status: 0, errors: /^$/ },
    { way: 'worker-throw', status: 0, errors: /^$/, said: ['worker: on purpose'] },
    { way: 'worker-terminate', status: 0, errors: /^$/ },
    { way: 'worker-close', workers: 3, status: 0, errors: /^$/ },
  ])('by $way', async ({ way, workers = 1, status, errors, said = [] }) => {
    const transport = await openTransport({ node: '/watcher', domain });
    try {
      const subscriber = transport.subscriber('/left', 'std_msgs/msg/Int64', commandQuality, () => {});
      const peer = startPeer(process.execPath, [...node, way, String(workers)], lease(200));
      await until('the other', () => subscriber.matched() > 0);
      const result = await peer.ended;
      expect(result.errors).toMatch(errors);
      expect(result).toMatchObject({ status, lines: said });
      await until('the other to be gone', () => subscriber.matched() === 0);
    } finally {
      await transport.close();
    }
  });

  it('by SIGKILL, which costs the others nothing but the wait for the lease', async () => {
    const transport = await openTransport({ node: '/watcher', domain });
    try {
      const subscriber = transport.subscriber('/left', 'std_msgs/msg/Int64', commandQuality, () => {});
      const peer = startPeer(process.execPath, [...node, 'kill'], lease(2));
      await until('the other', () => subscriber.matched() === 1);
      await peer.ended;
      expect(peer.process.signalCode).toBe('SIGKILL');
      await until('the other to be gone', () => subscriber.matched() === 0);
    } finally {
      await transport.close();
    }
  });
});
