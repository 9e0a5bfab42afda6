import { TopicActionClient } from '#transport/actionClient';
import { ActionServer } from '#transport/actionServer';
import { CycloneNode } from '#transport/cycloneNode';
import { CycloneClient, CycloneService, type ServiceOptions } from '#transport/cycloneService';
import { standardDefinitions } from '#transport/messages';
import { checkQuality } from '#transport/quality';
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
import { ddsService, ddsTopic, ddsType, fullName, nodeName } from '#transport/rosNames';
import { typeHash } from '#transport/typeHash';

/** ROS 2 graphs by DDS alone: nothing of ROS need be installed. */
export class CycloneTransport implements RobotTransport {
  readonly kind = 'cyclone';
  readonly capabilities = { deadline: true, workerThreads: true, arrivalTimes: true, misfits: true };
  readonly #node: CycloneNode;

  /** @param node the full name, `/vernier`
   * @throws BACKEND where Cyclone DDS is missing or refuses; DATA for a name that is none */
  constructor(node: string, domain: number) {
    this.#node = new CycloneNode(nodeName(node), domain);
  }

  get node(): string {
    return this.#node.name.full;
  }

  publisher(topic: string, type: string, quality: Quality): Publisher {
    const node = this.#node;
    const writer = node.addWriter(this.#topicOptions(topic, type, quality));
    return {
      write: (message) => node.write(writer, message),
      matched: () => node.matched(writer),
      misfit: () => node.misfit(writer),
      close: () => node.remove(writer),
    };
  }

  subscriber(
    topic: string,
    type: string,
    quality: Quality,
    onMessage: (message: ReceivedMessage) => void,
  ): Subscriber {
    const node = this.#node;
    const reader = node.addReader(this.#topicOptions(topic, type, quality), (bytes, sentAt, age) =>
      onMessage({ bytes, sentAt, receivedAt: performance.now() - age / 1e6 }),
    );
    return {
      matched: () => node.matched(reader),
      misfit: () => node.misfit(reader),
      deadlineMisses: () => node.deadlineMisses(reader),
      close: () => node.remove(reader),
    };
  }

  service(
    name: string,
    type: string,
    answer: (request: Uint8Array) => Uint8Array | Promise<Uint8Array>,
    onError: (error: unknown) => void = raise,
  ): Endpoint {
    return new CycloneService(this.#node, this.#serviceOptions(name, type), { answer, onError });
  }

  client(name: string, type: string): ServiceClient {
    return new CycloneClient(this.#node, this.#serviceOptions(name, type));
  }

  actionServer(name: string, type: string, handlers: ActionHandlers): Endpoint {
    ddsType(type, ['action']);
    const server = new ActionServer(this, fullName(name, this.#node.name), type, handlers);
    const forget = this.#node.whenClosed(() => server.close());
    return {
      close() {
        forget();
        server.close();
      },
    };
  }

  actionClient(name: string, type: string): ActionClient {
    ddsType(type, ['action']);
    return new TopicActionClient(this, fullName(name, this.#node.name), type);
  }

  async close(): Promise<void> {
    this.#node.close();
  }

  #serviceOptions(name: string, type: string): ServiceOptions {
    ddsType(type, ['srv', 'action']);
    return {
      topics: ddsService(fullName(name, this.#node.name)),
      types: {
        request: ddsType(`${type}_Request`, ['srv', 'action']),
        reply: ddsType(`${type}_Response`, ['srv', 'action']),
      },
      userData: hashUserData(type),
    };
  }

  #topicOptions(topic: string, type: string, quality: Quality) {
    checkQuality(quality);
    return {
      topic: ddsTopic(fullName(topic, this.#node.name)),
      type: ddsType(type, ['msg', 'action']),
      quality,
      userData: hashUserData(type),
    };
  }
}

/** An error that nobody takes is an uncaught exception of the thread. */
function raise(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}

/** By which ROS 2 tells versions of a type apart; empty where the definition is not known here. */
function hashUserData(type: string): string {
  if (!standardDefinitions.types.includes(type)) return '';
  return `typehash=${typeHash(standardDefinitions.struct(type))};`;
}
