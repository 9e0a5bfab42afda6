import type { ArrayEncoding } from '#transport/zeromq/msgpackWriter';

/** A base policy that answers from another process. */
export interface RemoteModel {
  readonly kind: 'remote';
  /** tcp://host:port or ipc://path */
  readonly endpoint: string;
  readonly protocol: RemoteProtocol;
  readonly encoding: ArrayEncoding;
  /** Deadline of one call. */
  readonly timeoutMs: number;
  /** How long a call is repeated while there is no answer. */
  readonly reconnectMs: number;
  /** Actions of a chunk that are executed; what the server suggests, or all, when left out. */
  readonly execute?: number;
  /** What is sent under which name, as columns of the observation; the whole observation when left out. */
  readonly inputs?: readonly RemoteInput[];
  /** Instructions, by name. */
  readonly text: Readonly<Record<string, string>>;
  /** Keys of the answer, put one behind the other. */
  readonly actions: readonly string[];
  /** File with the server's public key, where it is to be encrypted. */
  readonly serverKey?: string;
  /** File with our own keys; new ones when left out. */
  readonly clientKeys?: string;
  /** What the task expects of a server that can tell. */
  readonly task: RemoteTask;
  /** What the server was when the run began; undefined until it has been asked. */
  readonly served: ServedBase | undefined;
}

/** `vernier serve`, or a server of NVIDIA's Isaac GR00T of that version. */
export type RemoteProtocol = 'vernier' | 'groot-n1.5' | 'groot-n1.6';

export interface RemoteInput {
  readonly name: string;
  /** Where its numbers stand in an observation. */
  readonly columns: readonly number[];
}

export interface RemoteTask {
  readonly controlPeriod: number;
  readonly observationFields: readonly {
    readonly name: string;
    readonly length: number;
    readonly unit: string;
  }[];
  readonly actionNames: readonly string[];
}

export interface ServedBase {
  /** H, actions in an answer. */
  readonly chunk: number;
  readonly execute: number;
  /** What tells the policy from others; undefined where the server does not say. */
  readonly fingerprint?: string;
}
