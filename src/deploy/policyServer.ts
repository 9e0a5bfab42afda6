import { nearestName, VernierError } from '#core/errors';
import { actionAnswer, modalityConfig, readObservation } from '#deploy/policyRequest';
import type { PolicyService } from '#deploy/policyService';
import { isMap, type MessageMap, type MessageValue } from '#transport/zeromq/message';
import { decodeMessage } from '#transport/zeromq/msgpackReader';
import { type ArrayEncoding, encodeMessage } from '#transport/zeromq/msgpackWriter';
import type { RoutedRequest, RouterSocket } from '#transport/zeromq/sockets';

/** Answers policy clients over ZeroMQ: one request at a time from a bounded queue, so that a client is told "busy"
 * rather than left to wait for more than it asked for. What a client does wrong is an error in its answer. */

export interface PolicyServerOptions {
  readonly router: RouterSocket;
  readonly service: PolicyService;
  /** Arrays of answers to requests without arrays; else as the request has them. */
  readonly arrays: ArrayEncoding;
  /** Requests that may wait, of all clients and of one. */
  readonly queue?: number;
  readonly queuePerPeer?: number;
  /** Told of what is a defect, and not a client's mistake. */
  readonly onDefect: (error: unknown) => void;
}

export interface ServerCounts {
  answered: number;
  /** Answered with an error. */
  refused: number;
  busy: number;
  /** Left unanswered, since their client had given up. */
  expired: number;
}

interface Waiting {
  readonly request: RoutedRequest;
  readonly since: number;
}

const ENDPOINTS = ['ping', 'get_action', 'reset', 'metadata', 'get_modality_config'];
const MAX_NAME = 100;

export class PolicyServer {
  readonly counts: ServerCounts = { answered: 0, refused: 0, busy: 0, expired: 0 };
  /** Milliseconds from arrival to answer of the last requests, oldest first. */
  readonly recent: number[] = [];
  readonly #options: PolicyServerOptions;
  readonly #queue: Waiting[] = [];
  readonly #waitingOf = new Map<string, number>();
  readonly #receiving: Promise<void>;
  #working: Promise<void> | undefined;
  #closed = false;

  constructor(options: PolicyServerOptions) {
    this.#options = options;
    this.#receiving = this.#receive();
  }

  get endpoint(): string {
    return this.#options.router.endpoint;
  }

  async #receive(): Promise<void> {
    try {
      for await (const request of this.#options.router.requests()) this.#admit(request);
    } catch (error) {
      if (!this.#closed) this.#options.onDefect(error);
    }
  }

  #admit(request: RoutedRequest): void {
    const { queue = 64, queuePerPeer = 8, arrays } = this.#options;
    const waiting = this.#waitingOf.get(request.peer) ?? 0;
    if (this.#queue.length >= queue || waiting >= queuePerPeer) {
      this.counts.busy++;
      this.#send(request, encodeMessage({ error: 'busy: try again', code: 'BUSY' }, arrays));
      return;
    }
    this.#waitingOf.set(request.peer, waiting + 1);
    this.#queue.push({ request, since: performance.now() });
    this.#working ??= this.#work();
  }

  async #work(): Promise<void> {
    while (!this.#closed) {
      const next = this.#queue.shift();
      if (!next) break;
      await this.#serve(next);
      const left = this.#waitingOf.get(next.request.peer)! - 1;
      if (left > 0) this.#waitingOf.set(next.request.peer, left);
      else this.#waitingOf.delete(next.request.peer);
      // Lets what has arrived meanwhile into the queue, or be told that it is full.
      if (this.#queue.length > 0) await new Promise((resume) => setImmediate(resume));
    }
    this.#working = undefined;
  }

  async #serve({ request, since }: Waiting): Promise<void> {
    let arrays = this.#options.arrays;
    let answer: MessageValue;
    try {
      const decoded = decodeMessage(request.payload);
      arrays = decoded.arrays ?? arrays;
      const { value } = decoded;
      if (!isMap(value)) throw new VernierError('DATA', 'a request is a map with `endpoint` and `data`');
      const { timeout_ms: patience } = value;
      if (typeof patience === 'number' && performance.now() - since > patience) {
        this.counts.expired++;
        return;
      }
      answer = await this.#answer(value, request.peer);
      this.counts.answered++;
    } catch (error) {
      this.counts.refused++;
      answer = this.#refusal(error);
    }
    this.#send(request, encodeMessage(answer, arrays));
    this.recent.push(performance.now() - since);
    if (this.recent.length > 1000) this.recent.shift();
  }

  async #answer(request: MessageMap, peer: string): Promise<MessageValue> {
    const { service } = this.#options;
    const { endpoint = 'get_action', data, session = peer } = request;
    const known = typeof session === 'string' && session.length <= MAX_NAME ? session : peer;
    switch (endpoint) {
      case 'ping':
        return { status: 'ok', message: 'Server is running' };
      case 'metadata':
        return service.info;
      case 'get_modality_config':
        return modalityConfig(service.info);
      case 'reset':
        service.reset(known);
        return { status: 'ok' };
      case 'get_action': {
        const asked = readObservation(isMap(data) ? data : {}, service.info);
        return actionAnswer(await service.act(known, asked.observation), service.info, asked);
      }
      default:
        throw unknownEndpoint(endpoint);
    }
  }

  #refusal(error: unknown): MessageMap {
    if (error instanceof VernierError) {
      const hint = error.hint === undefined ? '' : `; ${error.hint}`;
      return { error: `${error.message}${hint}`, code: error.context['busy'] === true ? 'BUSY' : error.code };
    }
    this.#options.onDefect(error);
    return { error: 'the server has a defect; its console says which', code: 'DEFECT' };
  }

  #send(request: RoutedRequest, payload: Uint8Array): void {
    this.#options.router.send(request, payload).catch((error) => {
      if (!this.#closed) this.#options.onDefect(error);
    });
  }

  /** Finishes the request that runs, leaves the waiting ones unanswered, and frees the port. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#working;
    await this.#options.router.sent();
    this.#options.router.close();
    await this.#receiving;
    this.#options.service.close();
  }
}

function unknownEndpoint(endpoint: MessageValue): VernierError {
  if (typeof endpoint !== 'string') return new VernierError('DATA', '`endpoint` is no text');
  const text = endpoint.slice(0, MAX_NAME);
  if (text === 'kill')
    return new VernierError('DATA', 'this server is not stopped from afar: press Ctrl-C where it runs');
  const near = nearestName(text, ENDPOINTS);
  return new VernierError('DATA', `there is no endpoint ${JSON.stringify(text)}`, {
    hint: near === undefined ? `choose one of ${ENDPOINTS.join(', ')}` : `was ${near} meant?`,
  });
}
