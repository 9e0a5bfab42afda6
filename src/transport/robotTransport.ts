/** How a robot process speaks with a graph of ROS 2, bytes first: what goes over the wire is CDR made by
 * `standardCodec`, the transport never looks into it. Implementations: Cyclone DDS where no ROS is installed, rclnodejs
 * where one is sourced. All callbacks come on the thread that opened the transport, and none after close(). */
export interface RobotTransport {
  readonly kind: 'cyclone' | 'rclnodejs';
  readonly capabilities: TransportCapabilities;
  /** The node's full name, `/vernier`. */
  readonly node: string;

  /** @param topic as in ROS: `/joint_states`; a leading `~` stands for the node
   * @param type `sensor_msgs/msg/JointState`
   * @throws BACKEND when the middleware refuses; DATA for a name or type that is none */
  publisher(topic: string, type: string, quality: Quality): Publisher;

  /** Messages in the order they came; with depth 1 only the newest is kept while the thread is busy. What `onMessage`
   * throws is an uncaught exception of the thread. */
  subscriber(
    topic: string,
    type: string,
    quality: Quality,
    onMessage: (message: ReceivedMessage) => void,
  ): Subscriber;

  /** @param type `rcl_interfaces/srv/GetParameters`
   * @param answer from request to response, both CDR; what it throws leaves the caller without an answer
   * @param onError takes that error; without it the error is an uncaught exception of the thread */
  service(
    name: string,
    type: string,
    answer: (request: Uint8Array) => Uint8Array | Promise<Uint8Array>,
    onError?: (error: unknown) => void,
  ): Endpoint;

  client(name: string, type: string): ServiceClient;

  /** @param type `control_msgs/action/FollowJointTrajectory` */
  actionServer(name: string, type: string, handlers: ActionHandlers): Endpoint;
  actionClient(name: string, type: string): ActionClient;

  /** Takes the node out of the graph and closes all that is open; idempotent. Calls that wait reject with STATE, goals
   * that run are cancelled. */
  close(): Promise<void>;
}

export interface TransportCapabilities {
  /** Missed deadlines are noticed by the middleware. */
  readonly deadline: boolean;
  /** May be opened in a worker thread. */
  readonly workerThreads: boolean;
  /** `sentAt` and `receivedAt` are those of the wire; else both are the time at which the thread took the message. */
  readonly arrivalTimes: boolean;
  /** Whether `misfit()` tells anything. */
  readonly misfits: boolean;
}

export interface Quality {
  readonly reliability: 'reliable' | 'best_effort';
  readonly durability: 'volatile' | 'transient_local';
  /** Messages kept for a reader that is late. */
  readonly depth: number;
  /** Milliseconds within which each message is expected; no deadline when left out. A subscriber with one matches only
   * publishers that promise as much, and most of ROS promise none. */
  readonly deadlineMs?: number;
}

/** Sensors: the newest, or nothing. */
export const sensorQuality: Quality = { reliability: 'best_effort', durability: 'volatile', depth: 1 };
/** Commands: each, but never a queue of old ones. */
export const commandQuality: Quality = { reliability: 'reliable', durability: 'volatile', depth: 1 };
/** Status: late subscribers get the last one. */
export const statusQuality: Quality = { reliability: 'reliable', durability: 'transient_local', depth: 1 };

export interface ReceivedMessage {
  /** CDR with its four bytes of header; the receiver's to keep. */
  readonly bytes: Uint8Array;
  /** Nanoseconds since 1970 by the sender's clock when it was sent (see `arrivalTimes`). */
  readonly sentAt: bigint;
  /** Milliseconds on this process's `performance.now()` clock when it arrived (see `arrivalTimes`). */
  readonly receivedAt: number;
}

export interface Endpoint {
  close(): void;
}

export interface Publisher extends Endpoint {
  /** @throws BACKEND when the middleware refuses; TIMEOUT when a reliable subscriber does not keep up (nothing is
   * sent then); STATE when closed */
  write(message: Uint8Array): void;
  /** Subscribers that match now. */
  matched(): number;
  /** Why a subscriber of the topic does not match: the policy that differs, `reliability`; undefined where all fit. */
  misfit(): string | undefined;
}

export interface Subscriber extends Endpoint {
  /** Publishers that match now. */
  matched(): number;
  /** Why a publisher of the topic does not match: the policy that differs, `reliability`; undefined where all fit. */
  misfit(): string | undefined;
  /** Deadlines missed so far; 0 without one. */
  deadlineMisses(): number;
}

export interface ServiceClient extends Endpoint {
  /** Whether a server matches now. */
  available(): boolean;
  /** Waits for a server too, where none matches yet.
   * @throws TIMEOUT when no answer came in time; BACKEND when the middleware refuses; STATE when closed meanwhile */
  call(request: Uint8Array, timeoutMs: number): Promise<Uint8Array>;
}

/** What an action's server does; goals, feedback and results are CDR of the action's own `_Goal`, `_Feedback` and
 * `_Result`, without the identifiers the wire puts around them. */
export interface ActionHandlers {
  /** Whether a goal is taken on. */
  accept(goal: Uint8Array): boolean;
  /** Runs from acceptance to the end of the goal. */
  execute(goal: ServerGoal): Promise<GoalOutcome>;
  /** Takes what the other two throw: the goal is then refused without an answer, or ends aborted with an empty result.
   * Without it the error is an uncaught exception of the thread. */
  readonly onError?: (error: unknown) => void;
}

export interface ServerGoal {
  /** 32 hexadecimal digits. */
  readonly id: string;
  readonly goal: Uint8Array;
  /** Aborted when a client asks to cancel. */
  readonly cancelled: AbortSignal;
  feedback(message: Uint8Array): void;
}

export interface GoalOutcome {
  readonly status: 'succeeded' | 'aborted' | 'canceled';
  readonly result: Uint8Array;
}

export interface ActionClient extends Endpoint {
  available(): boolean;
  /** @returns undefined when the goal was refused
   * @throws TIMEOUT when the server did not answer in time */
  send(goal: Uint8Array, options: SendOptions): Promise<ClientGoal | undefined>;
}

export interface SendOptions {
  readonly timeoutMs: number;
  readonly onFeedback?: (feedback: Uint8Array) => void;
}

export interface ClientGoal {
  readonly id: string;
  /** @throws TIMEOUT */
  result(timeoutMs: number): Promise<GoalOutcome>;
  /** Asks to cancel. @returns whether the server agreed @throws TIMEOUT */
  cancel(timeoutMs: number): Promise<boolean>;
}
