import { VernierError } from '#core/errors';
import { standardCodec } from '#transport/messages';
import type { Message } from '#transport/messageValue';
import type { Endpoint, Publisher, Quality, RobotTransport } from '#transport/robotTransport';

/** A managed node of ROS 2: its states, the transitions between them, and the services that tell and change them.
 * @source https://design.ros2.org/articles/node_lifecycle.html and lifecycle_msgs; differs: none */

export type PrimaryState = 'unconfigured' | 'inactive' | 'active' | 'finalized';
export type Transition = 'configure' | 'cleanup' | 'activate' | 'deactivate' | 'shutdown';

/** What the node does in each transition; one that throws has failed, and what it threw is told to `onError`. */
export interface LifecycleHandlers {
  configure(): Promise<void>;
  activate(): Promise<void>;
  deactivate(): Promise<void>;
  cleanup(): Promise<void>;
  shutdown(): Promise<void>;
  /** Clears up after an error in a transition or raised; the node is unconfigured then, finalized where this throws. */
  errorProcessing(): Promise<void>;
  onError(error: unknown): void;
  onState(state: PrimaryState): void;
}

const primaryIds: Readonly<Record<PrimaryState, number>> = {
  unconfigured: 1,
  inactive: 2,
  active: 3,
  finalized: 4,
};

interface Step {
  readonly id: number;
  readonly transition: Transition;
  readonly from: PrimaryState;
  readonly to: PrimaryState;
  /** The state in between. */
  readonly during: { readonly id: number; readonly label: string };
}

const during = (id: number, label: string) => ({ id, label });
const steps: readonly Step[] = [
  { id: 1, transition: 'configure', from: 'unconfigured', to: 'inactive', during: during(10, 'configuring') },
  { id: 2, transition: 'cleanup', from: 'inactive', to: 'unconfigured', during: during(11, 'cleaningup') },
  { id: 3, transition: 'activate', from: 'inactive', to: 'active', during: during(13, 'activating') },
  { id: 4, transition: 'deactivate', from: 'active', to: 'inactive', during: during(14, 'deactivating') },
  {
    id: 5,
    transition: 'shutdown',
    from: 'unconfigured',
    to: 'finalized',
    during: during(12, 'shuttingdown'),
  },
  { id: 6, transition: 'shutdown', from: 'inactive', to: 'finalized', during: during(12, 'shuttingdown') },
  { id: 7, transition: 'shutdown', from: 'active', to: 'finalized', during: during(12, 'shuttingdown') },
];
const errorState = during(15, 'errorprocessing');

/** As rclcpp has it: late subscribers get none of the past transitions. */
const eventQuality: Quality = { reliability: 'reliable', durability: 'volatile', depth: 10 };

export class LifecycleNode {
  readonly #handlers: LifecycleHandlers;
  readonly #services: Endpoint[] = [];
  #publisher: Publisher | undefined;
  #state: PrimaryState = 'unconfigured';
  #between: { readonly id: number; readonly label: string } | undefined;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(handlers: LifecycleHandlers) {
    this.#handlers = handlers;
  }

  get state(): PrimaryState {
    return this.#state;
  }

  /** Offers the services and the topic under the node's name. */
  serve(transport: RobotTransport): void {
    const offer = (name: string, answer: (request: Message) => Message | Promise<Message>): void => {
      const type = `lifecycle_msgs/srv/${serviceTypes[name as keyof typeof serviceTypes]}`;
      const read = standardCodec(`${type}_Request`);
      const write = standardCodec(`${type}_Response`);
      this.#services.push(
        transport.service(
          `~/${name}`,
          type,
          async (bytes) => write.encode(await answer(read.decode(bytes))),
          this.#handlers.onError,
        ),
      );
    };
    this.#publisher = transport.publisher(
      '~/transition_event',
      'lifecycle_msgs/msg/TransitionEvent',
      eventQuality,
    );
    offer('change_state', async (request) => ({
      success: await this.#change(request['transition'] as Message),
    }));
    offer('get_state', () => ({ current_state: this.#current() }));
    offer('get_available_states', () => ({ available_states: allStates() }));
    offer('get_available_transitions', () => ({
      available_transitions: steps.filter(({ from }) => from === this.#state && !this.#between).map(describe),
    }));
    offer('get_transition_graph', () => ({ available_transitions: steps.map(describe) }));
  }

  /** Makes a transition after those that are under way. @returns whether it went well; false too where the state has no
   * such transition */
  change(transition: Transition): Promise<boolean> {
    return this.#enqueue(async () => {
      const step = steps.find((one) => one.transition === transition && one.from === this.#state);
      return step !== undefined && (await this.#make(step));
    });
  }

  /** Something went wrong outside of a transition. */
  fail(error: unknown): Promise<boolean> {
    return this.#enqueue(async () => {
      this.#handlers.onError(error);
      if (this.#state === 'finalized') return false;
      await this.#clearUp();
      return true;
    });
  }

  close(): void {
    for (const service of this.#services) service.close();
    this.#publisher?.close();
  }

  #enqueue<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(work, work);
    this.#queue = done.catch(() => {});
    return done;
  }

  /** @param transition by id, or by label where the id is 0 */
  #change(transition: Message): Promise<boolean> {
    const { id, label } = transition as { readonly id: number; readonly label: string };
    return this.#enqueue(async () => {
      const step = steps.find(
        (one) => one.from === this.#state && (id === 0 ? one.transition === label : one.id === id),
      );
      return step !== undefined && (await this.#make(step));
    });
  }

  async #make(step: Step): Promise<boolean> {
    this.#between = step.during;
    this.#tell(step.id, step.transition, state(step.from), step.during);
    try {
      await this.#handlers[step.transition]();
    } catch (error) {
      this.#handlers.onError(error);
      // A refusal leaves the node where it was; anything else is an error of the node.
      if (error instanceof VernierError && step.transition !== 'shutdown') {
        this.#between = undefined;
        this.#tell(step.id, `${step.transition}_failure`, step.during, state(step.from));
        return false;
      }
      await this.#clearUp();
      return false;
    }
    this.#enter(step.to);
    this.#tell(step.id, `${step.transition}_success`, step.during, state(step.to));
    return true;
  }

  async #clearUp(): Promise<void> {
    this.#between = errorState;
    try {
      await this.#handlers.errorProcessing();
      this.#enter('unconfigured');
    } catch (error) {
      this.#handlers.onError(error);
      this.#enter('finalized');
    }
    this.#tell(60, 'error', errorState, state(this.#state));
  }

  #enter(next: PrimaryState): void {
    this.#between = undefined;
    this.#state = next;
    this.#handlers.onState(next);
  }

  #current(): Message {
    return this.#between ?? state(this.#state);
  }

  #tell(id: number, label: string, from: Message, to: Message): void {
    const message = {
      timestamp: BigInt(Date.now()) * 1_000_000n,
      transition: { id, label },
      start_state: from,
      goal_state: to,
    };
    this.#publisher?.write(standardCodec('lifecycle_msgs/msg/TransitionEvent').encode(message));
  }
}

const serviceTypes = {
  change_state: 'ChangeState',
  get_state: 'GetState',
  get_available_states: 'GetAvailableStates',
  get_available_transitions: 'GetAvailableTransitions',
  get_transition_graph: 'GetAvailableTransitions',
} as const;

function state(of: PrimaryState): { readonly id: number; readonly label: string } {
  return { id: primaryIds[of], label: of };
}

function describe({ id, transition, from, to }: Step): Message {
  return { transition: { id, label: transition }, start_state: state(from), goal_state: state(to) };
}

function allStates(): Message[] {
  const between = new Map([...steps.map((step) => step.during), errorState].map((one) => [one.id, one]));
  return [
    { id: 0, label: 'unknown' },
    ...Object.keys(primaryIds).map((one) => state(one as PrimaryState)),
    ...[...between.values()].sort((a, b) => a.id - b.id),
  ];
}
