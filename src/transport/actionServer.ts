import {
  actionCodecs,
  actionNames,
  cancelCode,
  cancelType,
  feedbackQuality,
  type GoalStatusCode,
  goalStatus,
  idText,
  splitGoalId,
  statusType,
  uuidOf,
  withGoalId,
} from '#transport/actionWire';
import type {
  ActionHandlers,
  Endpoint,
  GoalOutcome,
  Publisher,
  RobotTransport,
} from '#transport/robotTransport';
import { statusQuality } from '#transport/robotTransport';

/** How long the result of a goal that ended can be asked for. */
const resultLifeMs = 60_000;

const allGoals = '0'.repeat(32);

interface Time {
  readonly sec: number;
  readonly nanosec: number;
}

interface Goal {
  readonly id: string;
  readonly stamp: Time;
  readonly cancel: AbortController;
  readonly outcome: Promise<GoalOutcome>;
  status: GoalStatusCode;
}

/** An action's server on a transport's services and topics. */
export class ActionServer implements Endpoint {
  readonly #codecs: ReturnType<typeof actionCodecs>;
  readonly #handlers: ActionHandlers;
  readonly #goals = new Map<string, Goal>();
  readonly #endpoints: Endpoint[] = [];
  readonly #feedback: Publisher;
  readonly #status: Publisher;
  readonly #onError: (error: unknown) => void;
  #isOpen = true;

  /** @param action its full name
   * @param type `control_msgs/action/FollowJointTrajectory`
   * @throws DATA where the type's definition is not known */
  constructor(transport: RobotTransport, action: string, type: string, handlers: ActionHandlers) {
    this.#codecs = actionCodecs(type);
    this.#handlers = handlers;
    this.#onError =
      handlers.onError ??
      ((error) =>
        queueMicrotask(() => {
          throw error;
        }));
    const names = actionNames(action);
    this.#feedback = transport.publisher(names.feedback, `${type}_FeedbackMessage`, feedbackQuality);
    this.#status = transport.publisher(names.status, statusType, statusQuality);
    const serve = (
      name: string,
      serviceType: string,
      answer: (request: Uint8Array) => Uint8Array | Promise<Uint8Array>,
    ): Endpoint => transport.service(name, serviceType, answer, this.#onError);
    this.#endpoints.push(
      this.#feedback,
      this.#status,
      serve(names.cancelGoal, cancelType, (request) => this.#cancel(request)),
      serve(names.getResult, `${type}_GetResult`, (request) => this.#result(request)),
      serve(names.sendGoal, `${type}_SendGoal`, (request) => this.#send(request)),
    );
    this.#publishStatus();
  }

  /** Goals that run are cancelled, and nobody is told how they end. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    for (const endpoint of this.#endpoints) endpoint.close();
    for (const goal of this.#goals.values()) goal.cancel.abort();
  }

  #send(request: Uint8Array): Uint8Array {
    const { id, body } = splitGoalId(request);
    const stamp = now();
    const accepted = !this.#goals.has(id) && this.#handlers.accept(body);
    if (accepted) {
      const cancel = new AbortController();
      const outcome = this.#run(id, body, cancel.signal);
      this.#goals.set(id, { id, stamp, cancel, outcome, status: goalStatus.accepted });
      this.#publishStatus();
    }
    return this.#codecs.sendGoalResponse.encode({ accepted, stamp });
  }

  /** Runs the goal once its acceptance is on the way. */
  async #run(id: string, goal: Uint8Array, cancelled: AbortSignal): Promise<GoalOutcome> {
    await Promise.resolve();
    this.#setStatus(id, cancelled.aborted ? goalStatus.canceling : goalStatus.executing);
    let outcome: GoalOutcome;
    try {
      const feedback = (message: Uint8Array): void => {
        if (this.#isOpen) this.#feedback.write(withGoalId(id, message));
      };
      outcome = await this.#handlers.execute({ id, goal, cancelled, feedback });
      // A result that cannot be sent is the handler's mistake, to be told now and not when somebody asks.
      this.#codecs.encodeResult(goalStatus[outcome.status], outcome.result);
    } catch (error) {
      outcome = { status: 'aborted', result: this.#codecs.emptyResult() };
      this.#onError(error);
    }
    this.#setStatus(id, goalStatus[outcome.status]);
    setTimeout(() => this.#goals.delete(id), resultLifeMs).unref();
    return outcome;
  }

  async #result(request: Uint8Array): Promise<Uint8Array> {
    const goal = this.#goals.get(splitGoalId(request).id);
    if (!goal) return this.#codecs.encodeResult(goalStatus.unknown, this.#codecs.emptyResult());
    const { status, result } = await goal.outcome;
    return this.#codecs.encodeResult(goalStatus[status], result);
  }

  #cancel(request: Uint8Array): Uint8Array {
    const { goal_info } = this.#codecs.cancelRequest.decode(request) as unknown as CancelRequest;
    const id = idText(goal_info.goal_id.uuid);
    const asked = [...this.#goals.values()].filter((goal) => isMeant(goal, id, goal_info.stamp));
    const running = asked.filter(({ status }) => status < goalStatus.succeeded);
    for (const goal of running) {
      goal.status = goalStatus.canceling;
      goal.cancel.abort();
    }
    if (running.length > 0) this.#publishStatus();
    const isSingle = id !== allGoals;
    const code =
      running.length > 0 || !isSingle
        ? cancelCode.none
        : this.#goals.has(id)
          ? cancelCode.goalTerminated
          : cancelCode.unknownGoal;
    return this.#codecs.cancelResponse.encode({ return_code: code, goals_canceling: running.map(goalInfo) });
  }

  #setStatus(id: string, status: GoalStatusCode): void {
    const goal = this.#goals.get(id);
    if (!goal || !this.#isOpen) return;
    goal.status = status;
    this.#publishStatus();
  }

  #publishStatus(): void {
    const status_list = [...this.#goals.values()].map((goal) => ({
      goal_info: goalInfo(goal),
      status: goal.status,
    }));
    try {
      this.#status.write(this.#codecs.status.encode({ status_list }));
    } catch (error) {
      this.#onError(error);
    }
  }
}

interface CancelRequest {
  readonly goal_info: { readonly goal_id: { readonly uuid: Uint8Array }; readonly stamp: Time };
}

function goalInfo({ id, stamp }: Goal) {
  return { goal_id: uuidOf(id), stamp };
}

/** Without identifier and time all goals are meant, with a time those up to it, with an identifier that one too. */
function isMeant(goal: Goal, id: string, stamp: Time): boolean {
  const hasStamp = stamp.sec !== 0 || stamp.nanosec !== 0;
  if (goal.id === id || (id === allGoals && !hasStamp)) return true;
  return hasStamp && nanoseconds(goal.stamp) <= nanoseconds(stamp);
}

function nanoseconds({ sec, nanosec }: Time): bigint {
  return BigInt(sec) * 1_000_000_000n + BigInt(nanosec);
}

function now(): Time {
  const milliseconds = Date.now();
  return { sec: Math.floor(milliseconds / 1000), nanosec: (milliseconds % 1000) * 1_000_000 };
}
