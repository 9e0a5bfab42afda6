import { VernierError } from '#core/errors';
import { type CurveKeys, z85 } from '#transport/zeromq/curveKeys';

/** ZeroMQ's sockets, as far as policy servers and clients need them: the sole file that loads the package. */

/** The part of `zeromq` that is used; the package is optional, so its types are not imported. */
interface Zmq {
  readonly context: { blocky: boolean };
  readonly Context: new (options: { readonly blocky: boolean }) => object;
  readonly Router: new (options: SocketOptions) => ZmqSocket;
  readonly Request: new (options: SocketOptions) => ZmqSocket;
  readonly Reply: new (options: SocketOptions) => ZmqSocket;
  readonly curveKeyPair: () => CurveKeys;
}
type SocketOptions = Readonly<Record<string, unknown>>;
interface ZmqSocket {
  readonly closed: boolean;
  readonly lastEndpoint: string | null;
  sendTimeout: number;
  receiveTimeout: number;
  bind(endpoint: string): Promise<void>;
  connect(endpoint: string): void;
  send(message: Uint8Array | readonly Uint8Array[]): Promise<void>;
  receive(): Promise<Buffer[]>;
  close(): void;
}

const PACKAGE = 'zeromq';

async function load(): Promise<Zmq> {
  try {
    const module = (await import(PACKAGE)) as Zmq & { readonly default?: Zmq };
    const zmq = module.default ?? module;
    // A process that ends does not wait for peers.
    zmq.context.blocky = false;
    return zmq;
  } catch (cause) {
    throw new VernierError('BACKEND', `policy servers need the package ${PACKAGE}, which is not installed`, {
      hint: `npm install ${PACKAGE}`,
      cause,
    });
  }
}

/** The largest message that is taken on, in bytes; a peer that sends more is cut off. */
const MAX_MESSAGE = 64 * 1024 * 1024;

/** How long a server's last answers may take to leave. */
const LAST_WORDS_MS = 100;

/** Of every socket: what was not sent when it is closed is lost, so that nothing waits for a peer that is gone. */
const COMMON = { linger: 0, maxMessageSize: MAX_MESSAGE };

/** A fresh pair of keys for CurveZMQ. */
export async function newCurveKeys(): Promise<CurveKeys> {
  const { publicKey, secretKey } = (await load()).curveKeyPair();
  return { publicKey, secretKey };
}

/** A server's keys, and whom it lets in. */
export interface CurveServer {
  readonly keys: CurveKeys;
  /** Public keys of clients; everybody who knows the server's public key when left out. */
  readonly clients?: readonly string[];
}

/** One request as it came, with where the answer goes. */
export interface RoutedRequest {
  /** Identity of the peer's connection, in hexadecimal. */
  readonly peer: string;
  /** Frames that go before the answer. */
  readonly envelope: readonly Uint8Array[];
  readonly payload: Uint8Array;
}

/** The server's side: requests of any number of peers, answered in any order. */
export class RouterSocket {
  /** Where it listens, with the port that was found for port 0. */
  readonly endpoint: string;
  readonly #socket: ZmqSocket;
  readonly #gate: ZmqSocket | undefined;
  #sending: Promise<void> = Promise.resolve();

  private constructor(socket: ZmqSocket, gate: ZmqSocket | undefined) {
    this.#socket = socket;
    this.#gate = gate;
    this.endpoint = socket.lastEndpoint!;
  }

  /** @throws BACKEND without the package; IO where the endpoint cannot be had */
  static async bind(endpoint: string, curve?: CurveServer): Promise<RouterSocket> {
    const zmq = await load();
    const options = { ...COMMON, linger: LAST_WORDS_MS, ...ownContext(zmq, curve) };
    const gate = curve?.clients && (await openGate(zmq, options, curve.clients));
    const secure = curve && { curveServer: true, curveSecretKey: curve.keys.secretKey, zapDomain: 'clients' };
    const socket = new zmq.Router({ ...options, ...secure });
    try {
      await socket.bind(endpoint);
    } catch (cause) {
      socket.close();
      gate?.close();
      throw new VernierError('IO', `cannot listen at ${endpoint}: ${(cause as Error).message}`, {
        hint: 'another server may have the port: choose one with --port',
        cause,
      });
    }
    return new RouterSocket(socket, gate);
  }

  /** Requests until the socket is closed. */
  async *requests(): AsyncGenerator<RoutedRequest> {
    while (!this.#socket.closed) {
      let frames: Buffer[];
      try {
        frames = await this.#socket.receive();
      } catch (error) {
        if (this.#socket.closed) return;
        throw error;
      }
      yield {
        peer: frames[0]!.toString('hex'),
        envelope: frames.slice(0, -1),
        payload: frames[frames.length - 1]!,
      };
    }
  }

  /** Sends an answer; a peer that is gone gets none. */
  send({ envelope }: RoutedRequest, payload: Uint8Array): Promise<void> {
    this.#sending = this.#sending.then(() => {
      if (this.#socket.closed) return;
      return this.#socket.send([...envelope, payload]);
    });
    return this.#sending;
  }

  /** When the answers so far are on their way. */
  sent(): Promise<void> {
    return this.#sending;
  }

  close(): void {
    this.#socket.close();
    this.#gate?.close();
  }
}

/** Who is let in is asked of the context, so that a server that asks has one of its own. */
function ownContext(zmq: Zmq, curve: CurveServer | undefined): SocketOptions {
  return curve?.clients ? { context: new zmq.Context({ blocky: false }) } : {};
}

/** Lets in the clients of these public keys. @source ZeroMQ RFC 27, ZAP; differs: CURVE alone */
async function openGate(zmq: Zmq, options: SocketOptions, clients: readonly string[]): Promise<ZmqSocket> {
  // A copy, since the package takes the context out of what it is given; the gate is asked by sockets of its context.
  const socket = new zmq.Reply({ ...options });
  await socket.bind('inproc://zeromq.zap.01');
  const text = (words: string): Buffer => Buffer.from(words);
  const answer = async (): Promise<void> => {
    const [version, id, , , , mechanism, key] = await socket.receive();
    const known = mechanism?.toString() === 'CURVE' && key?.length === 32 && clients.includes(z85(key));
    const [status, reason] = known ? ['200', 'OK'] : ['400', 'unknown key'];
    await socket.send([version!, id!, text(status!), text(reason!), text(''), text('')]);
  };
  void (async () => {
    while (!socket.closed) await answer().catch(() => {});
  })();
  return socket;
}

/** Whom a client trusts and who it is. */
export interface CurveClient {
  readonly serverKey: string;
  readonly keys: CurveKeys;
}

/** The client's side of one connection: a request, its answer, the next request. */
export class RequestSocket {
  readonly #socket: ZmqSocket;

  private constructor(socket: ZmqSocket) {
    this.#socket = socket;
  }

  static async connect(endpoint: string, curve?: CurveClient): Promise<RequestSocket> {
    const zmq = await load();
    const options = curve && {
      curveServerKey: curve.serverKey,
      curvePublicKey: curve.keys.publicKey,
      curveSecretKey: curve.keys.secretKey,
    };
    const socket = new zmq.Request({ ...COMMON, ...options });
    try {
      socket.connect(endpoint);
    } catch (cause) {
      socket.close();
      throw new VernierError('SPEC', `${endpoint} is not an endpoint: ${(cause as Error).message}`, {
        hint: 'expected tcp://host:port or ipc://path',
        cause,
      });
    }
    return new RequestSocket(socket);
  }

  /** The answer, or undefined where none came in time: then the socket is of no more use. */
  async request(payload: Uint8Array, timeoutMs: number): Promise<Uint8Array | undefined> {
    const socket = this.#socket;
    const deadline = performance.now() + timeoutMs;
    try {
      socket.sendTimeout = timeoutMs;
      await socket.send(payload);
      socket.receiveTimeout = Math.max(0, Math.ceil(deadline - performance.now()));
      const frames = await socket.receive();
      return frames[frames.length - 1];
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN' && !socket.closed) return undefined;
      throw error;
    }
  }

  close(): void {
    this.#socket.close();
  }
}
