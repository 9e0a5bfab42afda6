import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { VernierError } from '#core/errors';
import type { CycloneNode } from '#transport/cycloneNode';
import type { Endpoint, Quality, ServiceClient } from '#transport/robotTransport';
import { type CallId, joinCall, splitCall } from '#transport/serviceHeader';

/** Services: a topic for the requests and one for the answers, which all clients share. */

/** As rmw_qos_profile_services_default. */
const quality: Quality = { reliability: 'reliable', durability: 'volatile', depth: 10 };
/** Discovery is not symmetric: a request may be here before its client's reader is known. */
const longestMatchMs = 1000;
const pollMs = 5;

export interface ServiceOptions {
  /** Of requests and answers, as DDS names them. */
  readonly topics: { readonly request: string; readonly reply: string };
  readonly types: { readonly request: string; readonly reply: string };
  /** `key=value;` pairs that the other side sees. */
  readonly userData: string;
}

/** @param answer from request to response, both CDR
 * @param onError takes what it throws, and requests that are none */
export function openService(
  node: CycloneNode,
  { topics, types, userData }: ServiceOptions,
  answer: (request: Uint8Array) => Uint8Array | Promise<Uint8Array>,
  onError: (error: unknown) => void,
): Endpoint {
  const shared = { quality, userData: `serviceid=${randomBytes(16).toString('hex')};${userData}` };
  const writer = node.addWriter({ topic: topics.reply, type: types.reply, ...shared });
  let isOpen = true;

  const reply = async (id: CallId, response: Uint8Array, requester: bigint): Promise<void> => {
    const message = joinCall(id, response);
    const deadline = performance.now() + longestMatchMs;
    while (isOpen && node.isOpen && !node.reaches(reader, requester, writer)) {
      if (performance.now() > deadline)
        throw new VernierError('TIMEOUT', `a client of ${topics.request} takes no answers`);
      await sleep(pollMs);
    }
    if (isOpen && node.isOpen) node.write(writer, message);
  };

  const reader = node.addReader(
    { topic: topics.request, type: types.request, ...shared },
    (bytes, _sent, _age, requester) => {
      try {
        const { id, body } = splitCall(bytes);
        const response = answer(body);
        const done =
          response instanceof Uint8Array
            ? reply(id, response, requester)
            : response.then((late) => reply(id, late, requester));
        done.catch(onError);
      } catch (error) {
        onError(error);
      }
    },
  );

  return {
    close() {
      isOpen = false;
      node.remove(reader);
      node.remove(writer);
    },
  };
}

interface PendingCall {
  resolve(response: Uint8Array): void;
  reject(error: VernierError): void;
}

/** Calls that wait for their answers, by number. */
export function openClient(node: CycloneNode, { topics, types, userData }: ServiceOptions): ServiceClient {
  const client = randomBytes(8).readBigUInt64LE();
  const shared = { quality, userData: `clientid=${client.toString(16)};${userData}` };
  const pending = new Map<bigint, PendingCall>();
  const reader = node.addReader({ topic: topics.reply, type: types.reply, ...shared }, (bytes) => {
    // The topic is shared: answers to others come too, and whatever else somebody sends there.
    if (bytes.length < 20) return;
    const { id, body } = splitCall(bytes);
    if (id.client === client) pending.get(id.sequence)?.resolve(body);
  });
  const writer = node.addWriter({ topic: topics.request, type: types.request, ...shared });
  let isOpen = true;
  let sequence = 0n;

  const available = (): boolean => node.matched(writer) > 0 && node.matched(reader) > 0;
  const rejectAll = (): void => {
    for (const call of pending.values())
      call.reject(new VernierError('STATE', `the client of ${topics.request} was closed during a call`));
  };
  const forget = node.whenClosed(rejectAll);

  const waitForServer = async (deadline: number, timeoutMs: number): Promise<void> => {
    while (isOpen && !available()) {
      if (performance.now() >= deadline)
        throw new VernierError('TIMEOUT', `no server of ${topics.request} within ${timeoutMs} ms`);
      await sleep(pollMs);
    }
    if (!isOpen) throw new VernierError('STATE', `the client of ${topics.request} is closed`);
  };

  const send = (request: Uint8Array, deadline: number, timeoutMs: number): Promise<Uint8Array> => {
    const number = ++sequence;
    return new Promise<Uint8Array>((resolve, reject) => {
      const timer = setTimeout(
        () =>
          reject(
            new VernierError(
              'TIMEOUT',
              `the server of ${topics.request} did not answer within ${timeoutMs} ms`,
            ),
          ),
        deadline - performance.now(),
      );
      const settle = <T>(then: (value: T) => void) => {
        return (value: T): void => {
          clearTimeout(timer);
          then(value);
        };
      };
      pending.set(number, { resolve: settle(resolve), reject: settle(reject) });
      node.write(writer, joinCall({ client, sequence: number }, request));
    }).finally(() => pending.delete(number));
  };

  return {
    available,
    async call(request, timeoutMs) {
      const deadline = performance.now() + timeoutMs;
      if (!isOpen || !available()) await waitForServer(deadline, timeoutMs);
      return send(request, deadline, timeoutMs);
    },
    close() {
      if (!isOpen) return;
      isOpen = false;
      forget();
      node.remove(reader);
      node.remove(writer);
      rejectAll();
    },
  };
}
