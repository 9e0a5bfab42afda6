import { createServer } from 'node:http';

/** What the proxy does with one request in the place of passing it on. */
export type Fault =
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: string }
  | 'never answer'
  | 'drop';

export interface FaultyProxy {
  readonly endpoint: string;
  /** Requests so far, faults included, and most of them at a time. */
  readonly seen: () => number;
  readonly most: () => number;
  close(): Promise<void>;
}

/** Stands before a chat server and fails now and then: first in the way of each of the faults, or for as long as
 * `refuses` says so of a request's body; all else is passed on. */
export async function startFaultyProxy(
  to: string,
  faults: readonly Fault[] = [],
  refuses: (body: Readonly<Record<string, unknown>>) => Fault | undefined = () => undefined,
): Promise<FaultyProxy> {
  let [seen, running, most] = [0, 0, 0];
  const server = createServer(async (request, response) => {
    const fromList = faults[seen++];
    running++;
    most = Math.max(most, running);
    response.on('close', () => running--);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const fault = fromList ?? refuses(JSON.parse(body.toString()) as Record<string, unknown>);
    if (fault === 'never answer') return;
    if (fault === 'drop') {
      request.socket.destroy();
    } else if (fault) {
      response.writeHead(fault.status, fault.headers).end(fault.body ?? `{"error":{"message":"fault"}}`);
    } else {
      const answer = await fetch(`${to.replace(/\/v1$/, '')}${request.url}`, {
        method: 'POST',
        headers: { authorization: request.headers.authorization ?? '' },
        body,
      });
      response.writeHead(answer.status).end(await answer.text());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { readonly port: number };
  return {
    endpoint: `http://127.0.0.1:${port}/v1`,
    seen: () => seen,
    most: () => most,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
