import { randomBytes } from 'node:crypto';
import { VernierError } from '#core/errors';
import {
  actionCodecs,
  actionNames,
  cancelCode,
  cancelType,
  feedbackQuality,
  goalHeaderSize,
  outcomeStatus,
  splitGoalId,
  uuidOf,
  withGoalId,
} from '#transport/actionWire';
import type {
  ActionClient,
  ClientGoal,
  GoalOutcome,
  RobotTransport,
  SendOptions,
  ServiceClient,
  Subscriber,
} from '#transport/robotTransport';

/** An action's client on a transport's services and topics. */
export class TopicActionClient implements ActionClient {
  readonly #action: string;
  readonly #codecs: ReturnType<typeof actionCodecs>;
  readonly #sendGoal: ServiceClient;
  readonly #getResult: ServiceClient;
  readonly #cancelGoal: ServiceClient;
  readonly #feedback: Subscriber;
  readonly #listeners = new Map<string, (feedback: Uint8Array) => void>();

  /** @param action its full name
   * @param type `control_msgs/action/FollowJointTrajectory`
   * @throws DATA where the type's definition is not known */
  constructor(transport: RobotTransport, action: string, type: string) {
    this.#action = action;
    this.#codecs = actionCodecs(type);
    const names = actionNames(action);
    this.#sendGoal = transport.client(names.sendGoal, `${type}_SendGoal`);
    this.#getResult = transport.client(names.getResult, `${type}_GetResult`);
    this.#cancelGoal = transport.client(names.cancelGoal, cancelType);
    const feedbackType = `${type}_FeedbackMessage`;
    this.#feedback = transport.subscriber(names.feedback, feedbackType, feedbackQuality, ({ bytes }) =>
      this.#takeFeedback(bytes),
    );
  }

  available(): boolean {
    return this.#services.every((service) => service.available()) && this.#feedback.matched() > 0;
  }

  async send(goal: Uint8Array, { timeoutMs, onFeedback }: SendOptions): Promise<ClientGoal | undefined> {
    const id = randomBytes(16).toString('hex');
    if (onFeedback) this.#listeners.set(id, onFeedback);
    let isAccepted = false;
    try {
      const answer = await this.#sendGoal.call(withGoalId(id, goal), timeoutMs);
      isAccepted = this.#codecs.sendGoalResponse.decode(answer)['accepted'] === true;
    } finally {
      if (!isAccepted) this.#listeners.delete(id);
    }
    if (!isAccepted) return undefined;
    return {
      id,
      result: (resultTimeoutMs) => this.#result(id, resultTimeoutMs),
      cancel: (cancelTimeoutMs) => this.#cancel(id, cancelTimeoutMs),
    };
  }

  close(): void {
    for (const endpoint of [this.#feedback, ...this.#services]) endpoint.close();
    this.#listeners.clear();
  }

  get #services(): readonly ServiceClient[] {
    return [this.#sendGoal, this.#getResult, this.#cancelGoal];
  }

  async #result(id: string, timeoutMs: number): Promise<GoalOutcome> {
    const request = this.#codecs.getResultRequest.encode({ goal_id: uuidOf(id) });
    const answer = await this.#getResult.call(request, timeoutMs);
    this.#listeners.delete(id);
    const { status: code, result } = this.#codecs.decodeResult(answer);
    const status = outcomeStatus(code);
    if (status) return { status, result };
    throw new VernierError('BACKEND', `the server of ${this.#action} knows no goal ${id} (status ${code})`, {
      hint: 'it was started anew, or the result was asked for too late',
    });
  }

  async #cancel(id: string, timeoutMs: number): Promise<boolean> {
    const goal_info = { goal_id: uuidOf(id), stamp: { sec: 0, nanosec: 0 } };
    const answer = await this.#cancelGoal.call(this.#codecs.cancelRequest.encode({ goal_info }), timeoutMs);
    return this.#codecs.cancelResponse.decode(answer)['return_code'] === cancelCode.none;
  }

  /** The topic is shared: feedback of others' goals comes too, and whatever else somebody sends there. */
  #takeFeedback(bytes: Uint8Array): void {
    if (bytes.length < goalHeaderSize) return;
    const { id, body } = splitGoalId(bytes);
    this.#listeners.get(id)?.(body);
  }
}
