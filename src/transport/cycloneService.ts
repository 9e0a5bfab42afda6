import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { VernierError } from '#core/errors';
import type { CycloneNode } from '#transport/cycloneNode';
import type { Endpoint, Quality, ServiceClient } from '#transport/robotTransport';
import { type CallId, callHeaderSize, joinCall, splitCall } from '#transport/serviceHeader';

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

export interface ServiceHandlers {
  /** From request to response, both CDR. */
  answer(request: Uint8Array): Uint8Array | Promise<Uint8Array>;
  /** Takes what `answer` throws, and requests that are none. */
  onError(error: unknown): void;
}

export class CycloneService implements Endpoint {
  readonly #node: CycloneNode;
  readonly #topic: string;
  readonly #handlers: ServiceHandlers;
  readonly #writer: number;
  readonly #reader: number;
  #isOpen = true;

  constructor(node: CycloneNode, { topics, types, userData }: ServiceOptions, handlers: ServiceHandlers) {
    this.#node = node;
    this.#topic = topics.request;
    this.#handlers = handlers;
    const shared = { quality, userData: `serviceid=${randomBytes(16).toString('hex')};${userData}` };
    this.#writer = node.addWriter({ topic: topics.reply, type: types.reply, ...shared });
    this.#reader = node.addReader(
      { topic: topics.request, type: types.request, ...shared },
      (bytes, _sent, _age, requester) => this.#serve(bytes, requester),
    );
  }

  close(): void {
    this.#isOpen = false;
    this.#node.remove(this.#reader);
    this.#node.remove(this.#writer);
  }

  #serve(bytes: Uint8Array, requester: bigint): void {
    const { answer, onError } = this.#handlers;
    try {
      const { id, body } = splitCall(bytes);
      const response = answer(body);
      const done =
        response instanceof Uint8Array
          ? this.#reply(id, response, requester)
          : response.then((late) => this.#reply(id, late, requester));
      done.catch(onError);
    } catch (error) {
      onError(error);
    }
  }

  async #reply(id: CallId, response: Uint8Array, requester: bigint): Promise<void> {
    const message = joinCall(id, response);
    const deadline = performance.now() + longestMatchMs;
    while (this.#canReply && !this.#node.reaches(this.#reader, requester, this.#writer)) {
      if (performance.now() > deadline)
        throw new VernierError('TIMEOUT', `a client of ${this.#topic} takes no answers`);
      await sleep(pollMs);
    }
    if (this.#canReply) this.#node.write(this.#writer, message);
  }

  get #canReply(): boolean {
    return this.#isOpen && this.#node.isOpen;
  }
}

interface PendingCall {
  resolve(response: Uint8Array): void;
  reject(error: VernierError): void;
}

export class CycloneClient implements ServiceClient {
  readonly #node: CycloneNode;
  readonly #topic: string;
  readonly #writer: number;
  readonly #reader: number;
  readonly #id = randomBytes(8).readBigUInt64LE();
  readonly #pending = new Map<bigint, PendingCall>();
  readonly #forget: () => void;
  #sequence = 0n;
  #isOpen = true;

  constructor(node: CycloneNode, { topics, types, userData }: ServiceOptions) {
    this.#node = node;
    this.#topic = topics.request;
    const shared = { quality, userData: `clientid=${this.#id.toString(16)};${userData}` };
    this.#reader = node.addReader({ topic: topics.reply, type: types.reply, ...shared }, (bytes) =>
      this.#take(bytes),
    );
    this.#writer = node.addWriter({ topic: topics.request, type: types.request, ...shared });
    this.#forget = node.whenClosed(() => this.#rejectAll());
  }

  available(): boolean {
    return this.#node.matched(this.#writer) > 0 && this.#node.matched(this.#reader) > 0;
  }

  async call(request: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    const deadline = performance.now() + timeoutMs;
    while (this.#isOpen && !this.available()) {
      if (performance.now() >= deadline)
        throw new VernierError('TIMEOUT', `no server of ${this.#topic} within ${timeoutMs} ms`);
      await sleep(pollMs);
    }
    if (!this.#isOpen) throw new VernierError('STATE', `the client of ${this.#topic} is closed`);
    return this.#send(request, deadline, timeoutMs);
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#forget();
    this.#node.remove(this.#reader);
    this.#node.remove(this.#writer);
    this.#rejectAll();
  }

  async #send(request: Uint8Array, deadline: number, timeoutMs: number): Promise<Uint8Array> {
    const sequence = ++this.#sequence;
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<Uint8Array>((resolve, reject) => {
        const late = (): void =>
          reject(
            new VernierError('TIMEOUT', `the server of ${this.#topic} did not answer within ${timeoutMs} ms`),
          );
        timer = setTimeout(late, deadline - performance.now());
        this.#pending.set(sequence, { resolve, reject });
        this.#node.write(this.#writer, joinCall({ client: this.#id, sequence }, request));
      });
    } finally {
      clearTimeout(timer);
      this.#pending.delete(sequence);
    }
  }

  /** The topic is shared: answers to others come too, and whatever else somebody sends there. */
  #take(bytes: Uint8Array): void {
    if (bytes.length < callHeaderSize) return;
    const { id, body } = splitCall(bytes);
    if (id.client === this.#id) this.#pending.get(id.sequence)?.resolve(body);
  }

  #rejectAll(): void {
    for (const call of this.#pending.values())
      call.reject(new VernierError('STATE', `the client of ${this.#topic} was closed during a call`));
  }
}
