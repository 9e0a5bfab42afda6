import { afterEach, describe, expect, it } from 'vitest';
import type { RobotTransport } from '#transport/robotTransport';
import { until } from '../loopback.js';
import { actionContract } from './actions.js';
import { type ContractNodes, numbered, queue, readNumber } from './nodes.js';
import { serviceContract } from './services.js';
import { topicContract } from './topics.js';

/* What every implementation of RobotTransport does, between two nodes. */

export function transportContract(open: (node: string) => Promise<RobotTransport>): void {
  const opened: RobotTransport[] = [];
  const node = async (name: string): Promise<RobotTransport> => {
    const transport = await open(name);
    opened.push(transport);
    return transport;
  };
  const nodes: ContractNodes = { node, pair: async () => [await node('/alpha'), await node('/beta')] };
  afterEach(async () => {
    for (const transport of opened.splice(0)) await transport.close();
  });
  topicContract(nodes);
  serviceContract(nodes);
  actionContract(nodes);
  closingContract(nodes);
}

function closingContract({ pair }: ContractNodes): void {
  describe('closing', () => {
    it('is idempotent, in any order, from within a callback, and leaves the graph', async () => {
      const [alpha, beta] = await pair();
      const publisher = alpha.publisher('/count', 'std_msgs/msg/Int64', queue(10));
      const seen: number[] = [];
      const subscriber = beta.subscriber('/count', 'std_msgs/msg/Int64', queue(10), ({ bytes }) => {
        seen.push(readNumber(bytes));
        void beta.close();
      });
      await until('a match', () => publisher.matched() === 1);
      for (let i = 0; i < 3; i++) publisher.write(numbered(i));
      await until('the other to leave', () => publisher.matched() === 0);
      expect(seen).toEqual([0]);
      subscriber.close();
      await Promise.all([alpha.close(), alpha.close(), beta.close()]);
      publisher.close();
      expect(() => publisher.write(numbered(1))).toThrow(expect.objectContaining({ code: 'STATE' }));
      expect(() => alpha.publisher('/x', 'std_msgs/msg/Int64', queue(1))).toThrow(
        expect.objectContaining({ code: 'STATE' }),
      );
    });
  });
}
