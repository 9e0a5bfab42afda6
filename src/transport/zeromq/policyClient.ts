import { VernierError } from '#core/errors';
import { isMap, type MessageMap, type MessageValue } from '#transport/zeromq/message';
import { decodeMessage } from '#transport/zeromq/msgpackReader';
import { type ArrayEncoding, encodeMessage } from '#transport/zeromq/msgpackWriter';
import { type CurveClient, RequestSocket } from '#transport/zeromq/sockets';

export interface PolicyClientOptions {
  /** tcp://host:port or ipc://path */
  readonly endpoint: string;
  /** Deadline of a call that names none. */
  readonly timeoutMs: number;
  readonly arrays?: ArrayEncoding;
  readonly curve?: CurveClient;
}

/** Calls that may wait for their turn. */
const MAX_WAITING = 16;

/** Speaks with a policy server: one call at a time, each with a deadline. A call that fails closes its socket and the
 * next one begins with a fresh one, so that a late answer is never taken for another's and a server that was killed is
 * found again as soon as it is back. */
export class PolicyClient {
  readonly endpoint: string;
  readonly #options: PolicyClientOptions;
  #socket: RequestSocket | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #closed = false;

  constructor(options: PolicyClientOptions) {
    this.endpoint = options.endpoint;
    this.#options = options;
  }

  /** What the server's endpoint answers.
   * @param name `ping`, `get_action`, ...
   * @throws TIMEOUT when no answer came in time, the wait for earlier calls included, or the server was busy; DATA when
   * the server refused or its answer makes no sense; STATE when closed or too many calls wait */
  async call(name: string, data?: MessageMap, timeoutMs = this.#options.timeoutMs): Promise<MessageValue> {
    if (this.#closed) throw new VernierError('STATE', 'the policy client is closed');
    if (this.#waiting >= MAX_WAITING)
      throw new VernierError('STATE', `${this.#waiting} calls wait for ${this.endpoint} already`);
    const deadline = performance.now() + timeoutMs;
    // Written at once: the caller may use its buffers again.
    const request = encodeMessage(
      { endpoint: name, data, timeout_ms: timeoutMs },
      this.#options.arrays ?? 'groot',
    );
    this.#waiting++;
    const answer = this.#turn.then(() => this.#exchange(name, request, deadline, timeoutMs));
    this.#turn = answer.catch(() => {});
    try {
      return this.#open(name, decodeMessage(await answer).value);
    } finally {
      this.#waiting--;
    }
  }

  async #exchange(
    name: string,
    request: Uint8Array,
    deadline: number,
    timeoutMs: number,
  ): Promise<Uint8Array> {
    const left = deadline - performance.now();
    if (left > 0 && !this.#closed) {
      this.#socket ??= await RequestSocket.connect(this.endpoint, this.#options.curve);
      const socket = this.#socket;
      const answer = await socket.request(request, Math.ceil(left)).catch((cause: Error) => {
        this.#drop(socket);
        if (this.#closed)
          throw new VernierError('STATE', 'the policy client was closed during a call', { cause });
        throw new VernierError('DATA', `${this.endpoint}: ${cause.message}`, { cause });
      });
      if (answer) return answer;
      this.#drop(socket);
    }
    throw new VernierError('TIMEOUT', `${this.endpoint} did not answer ${name} within ${timeoutMs} ms`, {
      hint: 'is the policy server running, and is this its address?',
      context: { endpoint: this.endpoint },
    });
  }

  /** The answer, if it is none of an error. */
  #open(name: string, answer: MessageValue): MessageValue {
    if (!isMap(answer) || answer['error'] === undefined) return answer;
    const { error } = answer;
    const why = typeof error === 'string' ? error.slice(0, 1000) : 'it does not say why';
    const busy = answer['code'] === 'BUSY';
    throw new VernierError(busy ? 'TIMEOUT' : 'DATA', `${this.endpoint} refused ${name}: ${why}`, {
      context: { endpoint: this.endpoint, busy },
    });
  }

  #drop(socket: RequestSocket): void {
    socket.close();
    if (this.#socket === socket) this.#socket = undefined;
  }

  /** Gives up the call that runs, if any. */
  close(): void {
    this.#closed = true;
    this.#socket?.close();
    this.#socket = undefined;
  }
}
