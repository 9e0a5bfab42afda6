import { type ErrorCode, VernierError } from '#core/errors';
import { type NativeParticipant, requireCyclone } from '#transport/cycloneAddon';
import { discoveryTopic, encodeDiscovery } from '#transport/discovery';
import type { Quality } from '#transport/robotTransport';
import type { NodeName } from '#transport/rosNames';

/** What came, still unread: bytes (the receiver's), nanoseconds since 1970 by the sender's clock, nanoseconds since it
 * arrived, and the handle of its writer. */
export type OnBytes = (bytes: Uint8Array, sent: bigint, age: number, writer: bigint) => void;

export interface EndpointOptions {
  /** As DDS names it. */
  readonly topic: string;
  /** As DDS names it. */
  readonly type: string;
  readonly quality: Quality;
  /** `key=value;` pairs that the other side sees beside the endpoint. */
  readonly userData: string;
}

const codes: readonly string[] = ['BACKEND', 'STATE', 'TIMEOUT', 'USAGE'] satisfies ErrorCode[];

/** A node of ROS 2 in DDS: a participant, its endpoints, and the message that tells the graph of them. */
export class CycloneNode {
  readonly name: NodeName;
  readonly #participant: NativeParticipant;
  readonly #readers = new Map<number, OnBytes>();
  readonly #writers = new Set<number>();
  readonly #discovery: number;
  readonly #onExit = (): void => this.close();
  readonly #onClose = new Set<() => void>();
  #isDiscoveryDue = false;
  #isOpen = true;

  /** @throws BACKEND where Cyclone DDS is missing or refuses */
  constructor(name: NodeName, domain: number) {
    this.name = name;
    const { Participant } = requireCyclone();
    this.#participant = translate(
      () =>
        new Participant(domain, 'enclave=/;', (reader, bytes, sent, age, writer) =>
          this.#readers.get(reader)?.(bytes, sent, age, writer),
        ),
    );
    this.#discovery = translate(() =>
      this.#participant.addWriter(discoveryTopic.topic, discoveryTopic.type, {
        reliable: true,
        transientLocal: true,
        depth: 1,
        deadline: 0,
        userData: '',
      }),
    );
    this.#tellGraph();
    // Others see at once that the node leaves; a process that is killed is noticed when its lease ends.
    process.once('exit', this.#onExit);
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  addWriter(options: EndpointOptions): number {
    const writer = this.#open((native) =>
      native.addWriter(options.topic, options.type, nativeQuality(options)),
    );
    this.#writers.add(writer);
    this.#tellGraph();
    return writer;
  }

  addReader(options: EndpointOptions, onBytes: OnBytes): number {
    const reader = this.#open((native) =>
      native.addReader(options.topic, options.type, nativeQuality(options)),
    );
    this.#readers.set(reader, onBytes);
    this.#tellGraph();
    return reader;
  }

  /** Idempotent; nothing comes from the endpoint afterwards. */
  remove(endpoint: number): void {
    if (!this.#readers.delete(endpoint) && !this.#writers.delete(endpoint)) return;
    this.#participant.remove(endpoint);
    this.#tellGraph();
  }

  write(writer: number, message: Uint8Array): void {
    this.#open((native) => native.write(writer, message));
  }

  matched(endpoint: number): number {
    return this.#open((native) => native.matched(endpoint));
  }

  deadlineMisses(reader: number): number {
    return this.#open((native) => native.deadlineMisses(reader));
  }

  misfit(endpoint: number): string | undefined {
    return this.#open((native) => native.misfit(endpoint)) || undefined;
  }

  /** Whether what `writer` sends reaches the one whose request came from `requester` at `reader`. */
  reaches(reader: number, requester: bigint, writer: number): boolean {
    return this.#open((native) => native.reaches(reader, requester, writer));
  }

  /** Calls `then` when the node closes; @returns how to take that back */
  whenClosed(then: () => void): () => void {
    this.#onClose.add(then);
    return () => this.#onClose.delete(then);
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    process.off('exit', this.#onExit);
    this.#readers.clear();
    this.#writers.clear();
    this.#participant.close();
    for (const then of this.#onClose) then();
    this.#onClose.clear();
  }

  #open<T>(call: (native: NativeParticipant) => T): T {
    if (!this.#isOpen) throw new VernierError('STATE', 'the transport is closed');
    return translate(() => call(this.#participant));
  }

  /** Once for all endpoints that are added or removed in a row. */
  #tellGraph(): void {
    if (this.#isDiscoveryDue) return;
    this.#isDiscoveryDue = true;
    queueMicrotask(() => {
      this.#isDiscoveryDue = false;
      if (!this.#isOpen) return;
      const guids = (ids: Iterable<number>): Uint8Array[] => [...ids].map((id) => this.#participant.guid(id));
      this.write(
        this.#discovery,
        encodeDiscovery({
          participant: this.#participant.guid(),
          node: this.name,
          readers: guids(this.#readers.keys()),
          writers: guids(this.#writers),
        }),
      );
    });
  }
}

function nativeQuality({ quality, userData }: EndpointOptions) {
  const { reliability, durability, depth, deadlineMs } = quality;
  return {
    reliable: reliability === 'reliable',
    transientLocal: durability === 'transient_local',
    depth,
    deadline: Math.round((deadlineMs ?? 0) * 1e6),
    userData,
  };
}

function translate<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    const { code, message } = error as { readonly code?: string; readonly message: string };
    if (error instanceof VernierError || !code || !codes.includes(code)) throw error;
    throw new VernierError(code as ErrorCode, message, { cause: error });
  }
}
