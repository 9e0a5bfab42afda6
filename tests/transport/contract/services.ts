import { describe, expect, it } from 'vitest';
import { standardCodec } from '#transport/messages';
import { patience, until } from '../loopback.js';
import type { ContractNodes } from './nodes.js';

const setBool = 'std_srvs/srv/SetBool';
const request = standardCodec(`${setBool}_Request`);
const response = standardCodec(`${setBool}_Response`);
const on = request.encode({ data: true });

export function serviceContract({ node, pair }: ContractNodes): void {
  describe('services', () => {
    it('answers calls, each its own, also when several are under way', async () => {
      const [alpha, beta] = await pair();
      const waiting: (() => void)[] = [];
      alpha.service('/flip', setBool, (bytes) => {
        const { data } = request.decode(bytes);
        const answer = response.encode({ success: data === true, message: `${data} ✓` });
        return new Promise((resolve) => {
          waiting.push(() => resolve(answer));
          if (waiting.length === 4) for (const go of waiting.reverse()) go();
        });
      });
      const clients = [beta.client('/flip', setBool), beta.client('/flip', setBool)];
      const calls = clients.flatMap((client) =>
        [true, false].map((data) => client.call(request.encode({ data }), patience)),
      );
      const answers = (await Promise.all(calls)).map((bytes) => response.decode(bytes));
      expect(answers.map(({ message }) => message)).toEqual(['true ✓', 'false ✓', 'true ✓', 'false ✓']);
      expect(clients[0]!.available()).toBe(true);
    });

    it('answers the first call of a client at once, however new it is', async () => {
      const alpha = await node('/alpha');
      alpha.service('/flip', setBool, () => response.encode({ success: true, message: '' }));
      for (let i = 0; i < 5; i++) {
        const beta = await node(`/beta_${i}`);
        const bytes = await beta.client('/flip', setBool).call(on, patience);
        expect(response.decode(bytes)['success']).toBe(true);
        await beta.close();
      }
    });

    it('tells when no server is there, when one never answers, and when one throws', async () => {
      const [alpha, beta] = await pair();
      const errors: unknown[] = [];
      const mistake = new Error('no');
      const client = beta.client('/flip', setBool);
      expect(client.available()).toBe(false);
      await expect(client.call(on, 50)).rejects.toMatchObject({ code: 'TIMEOUT', message: /no server/ });

      const silent = alpha.service('/flip', setBool, () => new Promise(() => {}));
      await until('the server', () => client.available());
      await expect(client.call(on, 100)).rejects.toMatchObject({ code: 'TIMEOUT', message: /answer/ });
      silent.close();
      await until('the server to leave', () => !client.available());

      let isFine = false;
      const moody = (): Uint8Array => {
        if (isFine) return response.encode({ success: true, message: '' });
        throw mistake;
      };
      alpha.service('/flip', setBool, moody, (error) => errors.push(error));
      await until('the server', () => client.available());
      await expect(client.call(on, 200)).rejects.toMatchObject({ code: 'TIMEOUT' });
      await until('the mistake', () => errors.length > 0);
      expect(errors).toEqual([mistake]);
      isFine = true;
      expect(response.decode(await client.call(on, patience))['success']).toBe(true);
    });

    it('rejects what is under way when it is closed', async () => {
      const [alpha, beta] = await pair();
      alpha.service('/flip', setBool, () => new Promise(() => {}));
      const client = beta.client('/flip', setBool);
      const lost = beta.client('/nowhere', setBool);
      await until('the server', () => client.available());
      const calls = [client.call(on, patience), lost.call(on, patience)];
      const settled = Promise.allSettled(calls);
      await new Promise((resolve) => setTimeout(resolve, 20));
      client.close();
      client.close();
      await beta.close();
      for (const { reason } of (await settled) as PromiseRejectedResult[])
        expect(reason).toMatchObject({ code: 'STATE' });
      await expect(client.call(on, 100)).rejects.toMatchObject({ code: 'STATE' });
    });
  });
}
