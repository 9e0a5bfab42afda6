import { VernierError } from '#core/errors';

/** The sole loader of rclnodejs, and what of it the transport uses.
 * @source RobotWebTools/rclnodejs 2.2.0, types/ and lib/ */
export interface Rclnodejs {
  readonly Context: new (domain: bigint) => RclContext;
  /** @param parameterServices whether the node serves its parameters itself */
  readonly NodeOptions: new (
    parameterServices: boolean,
  ) => RclNodeOptions;
  readonly Node: new (
    name: string,
    namespace: string,
    context: RclContext,
    options: RclNodeOptions,
  ) => RclNode;
  /** Numbers as in rmw: history, depth, reliability, durability. */
  readonly QoS: new (
    history: number,
    depth: number,
    reliability: number,
    durability: number,
  ) => RclQos;
  readonly ActionClient: new (node: RclNode, type: string, name: string) => RclActionClient;
  readonly ActionServer: new (
    node: RclNode,
    type: string,
    name: string,
    execute: (goal: RclServerGoal) => Promise<object>,
    accept: (goal: object) => number,
    onAccepted: undefined,
    cancel: (goal: RclServerGoal) => number,
  ) => RclEntity;
  init(context: RclContext, argv: readonly string[]): Promise<void>;
}

export interface RclContext {
  shutdown(): void;
}
export type RclNodeOptions = object;
export type RclQos = object;
export interface RclEntity {
  destroy(): void;
}

export interface RclNode {
  spin(timeoutMs: number): void;
  stop(): void;
  destroy(): void;
  createPublisher(type: string, topic: string, options: { readonly qos: RclQos }): RclPublisher;
  createSubscription(
    type: string,
    topic: string,
    options: { readonly qos: RclQos; readonly isRaw: true },
    onMessage: (message: Uint8Array) => void,
  ): RclSubscription;
  createClient(type: string, name: string): RclClient;
  createService(
    type: string,
    name: string,
    answer: (request: object, response: RclResponse) => void,
  ): RclService;
  destroyPublisher(publisher: RclPublisher): void;
  destroySubscription(subscription: RclSubscription): void;
  destroyClient(client: RclClient): void;
  destroyService(service: RclService): void;
}

export interface RclPublisher {
  readonly subscriptionCount: number;
  /** Raw where it is a Buffer. */
  publish(message: Buffer): void;
}
export interface RclSubscription {
  readonly publisherCount: number;
}
export type RclService = object;
export interface RclResponse {
  send(response: object): void;
}
export interface RclClient {
  isServiceServerAvailable(): boolean;
  /** Rejects with an error of code TIMEOUT or ABORTED. */
  sendRequestAsync(
    request: object,
    options: { readonly timeout: number; readonly signal: AbortSignal },
  ): Promise<object>;
}

export interface RclActionClient extends RclEntity {
  isActionServerAvailable(): boolean;
  sendGoal(goal: object, onFeedback?: (feedback: object) => void): Promise<RclClientGoal>;
}
export interface RclClientGoal {
  readonly goalId: { readonly uuid: Uint8Array };
  /** As in action_msgs/msg/GoalStatus; that of the end once getResult() has resolved. */
  readonly status: number;
  isAccepted(): boolean;
  getResult(): Promise<object>;
  cancelGoal(): Promise<{ readonly return_code: number }>;
}
export interface RclServerGoal {
  readonly goalId: { readonly uuid: Uint8Array };
  readonly request: { toPlainObject(typedArrays: boolean): object };
  publishFeedback(feedback: object): void;
  succeed(): void;
  abort(): void;
  canceled(): void;
}

/** Why rclnodejs cannot be loaded in this environment; undefined where a ROS 2 environment is sourced. Loading it
 * without one rebuilds it, for seconds, in vain. */
export function rosMissing(env: Readonly<Record<string, string | undefined>>): string | undefined {
  const missing = ['ROS_DISTRO', 'AMENT_PREFIX_PATH'].filter((name) => !env[name]);
  return missing.length === 0
    ? undefined
    : `no ROS 2 environment is sourced (${missing.join(' and ')} not set)`;
}

/** @throws BACKEND where no ROS 2 environment is sourced, or rclnodejs is not installed or does not load */
export async function loadRclnodejs(env: Readonly<Record<string, string | undefined>>): Promise<Rclnodejs> {
  const reason = rosMissing(env);
  if (reason) {
    throw new VernierError('BACKEND', `rclnodejs needs ROS 2: ${reason}`, {
      hint: 'source /opt/ros/<distro>/setup.bash, or use the transport over Cyclone DDS',
    });
  }
  try {
    // Of no declared type: it installs only where ROS 2 is.
    return ((await import('rclnodejs' as string)) as { readonly default: Rclnodejs }).default;
  } catch (cause) {
    throw new VernierError('BACKEND', `rclnodejs does not load: ${(cause as Error).message}`, {
      hint: 'npm install rclnodejs, in a shell where ROS 2 is sourced',
      cause,
    });
  }
}
