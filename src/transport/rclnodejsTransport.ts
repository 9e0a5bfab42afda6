import { setTimeout as sleep } from 'node:timers/promises';
import { VernierError } from '#core/errors';
import type { MessageCodec } from '#transport/cdr';
import { standardCodec } from '#transport/messages';
import { checkQuality } from '#transport/quality';
import { openRclActionClient, openRclActionServer } from '#transport/rclnodejsAction';
import type { RclContext, RclNode, Rclnodejs, RclQos } from '#transport/rclnodejsModule';
import type {
  ActionClient,
  ActionHandlers,
  Endpoint,
  Publisher,
  Quality,
  ReceivedMessage,
  RobotTransport,
  ServiceClient,
  Subscriber,
} from '#transport/robotTransport';
import { ddsType, fullName, type NodeName, nodeName } from '#transport/rosNames';

const pollMs = 5;

/** ROS 2 through rclnodejs, where a ROS 2 environment is sourced. Topics pass as bytes; services and actions are
 * converted, as rclnodejs knows them as objects only. */
export class RclnodejsTransport implements RobotTransport {
  readonly kind = 'rclnodejs';
  readonly capabilities = { deadline: false, workerThreads: false, arrivalTimes: false, misfits: false };
  readonly #rcl: Rclnodejs;
  readonly #context: RclContext;
  readonly #node: RclNode;
  readonly #name: NodeName;
  readonly #endpoints = new Set<Endpoint>();
  #isOpen = true;

  /** @param node the full name, `/vernier`
   * @throws BACKEND where ROS 2 refuses; DATA for a name that is none */
  static async open(rcl: Rclnodejs, node: string, domain: number): Promise<RclnodejsTransport> {
    const name = nodeName(node);
    const context = new rcl.Context(BigInt(domain));
    try {
      await rcl.init(context, []);
      // Whoever runs the node serves its parameters, by services like any other.
      const options = new rcl.NodeOptions(false);
      return new RclnodejsTransport(
        rcl,
        context,
        new rcl.Node(name.name, name.namespace, context, options),
        name,
      );
    } catch (cause) {
      throw new VernierError('BACKEND', `ROS 2 did not open ${name.full}: ${(cause as Error).message}`, {
        cause,
      });
    }
  }

  private constructor(rcl: Rclnodejs, context: RclContext, node: RclNode, name: NodeName) {
    this.#rcl = rcl;
    this.#context = context;
    this.#node = node;
    this.#name = name;
    node.spin(10);
  }

  get node(): string {
    return this.#name.full;
  }

  publisher(topic: string, type: string, quality: Quality): Publisher {
    ddsType(type, ['msg', 'action']);
    const name = fullName(topic, this.#name);
    const publisher = this.#refused(() =>
      this.#node.createPublisher(type, name, { qos: this.#qos(quality) }),
    );
    const endpoint = this.#endpoint(() => this.#node.destroyPublisher(publisher));
    return {
      ...endpoint,
      write: (message) =>
        endpoint.use(() =>
          publisher.publish(Buffer.from(message.buffer, message.byteOffset, message.byteLength)),
        ),
      matched: () => endpoint.use(() => publisher.subscriptionCount),
      misfit: () => undefined,
    };
  }

  subscriber(
    topic: string,
    type: string,
    quality: Quality,
    onMessage: (message: ReceivedMessage) => void,
  ): Subscriber {
    ddsType(type, ['msg', 'action']);
    const name = fullName(topic, this.#name);
    const options = { qos: this.#qos(quality), isRaw: true } as const;
    const subscription = this.#refused(() =>
      this.#node.createSubscription(type, name, options, (bytes) => {
        if (!endpoint.isOpen()) return;
        onMessage({ bytes, sentAt: BigInt(Date.now()) * 1_000_000n, receivedAt: performance.now() });
      }),
    );
    const endpoint = this.#endpoint(() => this.#node.destroySubscription(subscription));
    return {
      ...endpoint,
      matched: () => endpoint.use(() => subscription.publisherCount),
      misfit: () => undefined,
      deadlineMisses: () => 0,
    };
  }

  service(
    name: string,
    type: string,
    answer: (request: Uint8Array) => Uint8Array | Promise<Uint8Array>,
    onError: (error: unknown) => void = raise,
  ): Endpoint {
    ddsType(type, ['srv']);
    const [requests, responses] = [standardCodec(`${type}_Request`), standardCodec(`${type}_Response`)];
    const service = this.#refused(() =>
      this.#node.createService(type, fullName(name, this.#name), async (request, response) => {
        try {
          const bytes = await answer(encodePlain(requests, request));
          if (endpoint.isOpen()) response.send(responses.decode(bytes));
        } catch (error) {
          onError(error);
        }
      }),
    );
    const endpoint = this.#endpoint(() => this.#node.destroyService(service));
    return endpoint;
  }

  client(name: string, type: string): ServiceClient {
    ddsType(type, ['srv']);
    const [requests, responses] = [standardCodec(`${type}_Request`), standardCodec(`${type}_Response`)];
    const full = fullName(name, this.#name);
    const client = this.#refused(() => this.#node.createClient(type, full));
    const closing = new AbortController();
    const endpoint = this.#endpoint(() => {
      closing.abort();
      this.#node.destroyClient(client);
    });
    const available = (): boolean => endpoint.use(() => client.isServiceServerAvailable());
    return {
      ...endpoint,
      available,
      call: async (request, timeoutMs) => {
        const deadline = performance.now() + timeoutMs;
        while (!available()) {
          if (performance.now() >= deadline)
            throw new VernierError('TIMEOUT', `no server of ${full} within ${timeoutMs} ms`);
          await sleep(pollMs);
        }
        const timeout = Math.max(0, deadline - performance.now());
        try {
          const options = { timeout, signal: closing.signal };
          return encodePlain(responses, await client.sendRequestAsync(requests.decode(request), options));
        } catch (error) {
          const { code } = error as { readonly code?: string };
          if (code === 'TIMEOUT')
            throw new VernierError('TIMEOUT', `the server of ${full} did not answer within ${timeoutMs} ms`);
          if (code === 'ABORTED')
            throw new VernierError('STATE', `the client of ${full} was closed during a call`);
          throw error;
        }
      },
    };
  }

  actionServer(name: string, type: string, handlers: ActionHandlers): Endpoint {
    ddsType(type, ['action']);
    const full = fullName(name, this.#name);
    const server = this.#refused(() =>
      openRclActionServer(this.#rcl, this.#node, full, type, handlers, handlers.onError ?? raise),
    );
    return this.#endpoint(() => server.close());
  }

  actionClient(name: string, type: string): ActionClient {
    ddsType(type, ['action']);
    const full = fullName(name, this.#name);
    const client = this.#refused(() => openRclActionClient(this.#rcl, this.#node, full, type));
    const endpoint = this.#endpoint(() => client.close());
    return {
      ...endpoint,
      available: () => endpoint.use(() => client.available()),
      send: (goal, options) => endpoint.use(() => client.send(goal, options)),
    };
  }

  async close(): Promise<void> {
    if (!this.#isOpen) return;
    for (const endpoint of [...this.#endpoints]) endpoint.close();
    this.#isOpen = false;
    this.#node.destroy();
    this.#context.shutdown();
  }

  #qos(quality: Quality): RclQos {
    checkQuality(quality);
    const [keepLast, first, second] = [1, 1, 2];
    return new this.#rcl.QoS(
      keepLast,
      quality.depth,
      quality.reliability === 'reliable' ? first : second,
      quality.durability === 'transient_local' ? first : second,
    );
  }

  #refused<T>(create: () => T): T {
    if (!this.#isOpen) throw new VernierError('STATE', 'the transport is closed');
    try {
      return create();
    } catch (cause) {
      if (cause instanceof VernierError) throw cause;
      throw new VernierError('BACKEND', `ROS 2 refused: ${(cause as Error).message}`, { cause });
    }
  }

  #endpoint(destroy: () => void) {
    let isOpen = true;
    const endpoint = {
      isOpen: () => isOpen,
      use: <T>(call: () => T): T => {
        if (!isOpen) throw new VernierError('STATE', 'the endpoint is closed');
        return call();
      },
      close: () => {
        if (!isOpen) return;
        isOpen = false;
        this.#endpoints.delete(endpoint);
        destroy();
      },
    };
    this.#endpoints.add(endpoint);
    return endpoint;
  }
}

/** An error that nobody takes is an uncaught exception of the thread. */
function raise(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}

/** CDR of an object of rclnodejs, which may show a byte where a definition is empty. */
export function encodePlain(codec: MessageCodec, plain: object): Uint8Array {
  return codec.encode(codec.definition.fields.length === 0 ? {} : plain);
}
