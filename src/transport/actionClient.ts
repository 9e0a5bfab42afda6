import { randomBytes } from 'node:crypto';
import { VernierError } from '#core/errors';
import {
  actionCodecs,
  actionNames,
  cancelCode,
  cancelType,
  feedbackQuality,
  outcomeStatus,
  splitGoalId,
  uuidOf,
  withGoalId,
} from '#transport/actionWire';
import type {
  ActionClient,
  ClientGoal,
  Endpoint,
  GoalOutcome,
  RobotTransport,
  ServiceClient,
} from '#transport/robotTransport';

/** An action's client on a transport's services and topics.
 * @param action its full name
 * @param type `control_msgs/action/FollowJointTrajectory`
 * @throws DATA where the type's definition is not known */
export function openActionClient(transport: RobotTransport, action: string, type: string): ActionClient {
  const codecs = actionCodecs(type);
  const names = actionNames(action);
  const listeners = new Map<string, (feedback: Uint8Array) => void>();
  const feedback = transport.subscriber(
    names.feedback,
    `${type}_FeedbackMessage`,
    feedbackQuality,
    ({ bytes }) => {
      // The topic is shared: feedback of others' goals comes too, and whatever else somebody sends there.
      if (bytes.length < 20) return;
      const { id, body } = splitGoalId(bytes);
      listeners.get(id)?.(body);
    },
  );
  const sendGoal = transport.client(names.sendGoal, `${type}_SendGoal`);
  const getResult = transport.client(names.getResult, `${type}_GetResult`);
  const cancelGoal = transport.client(names.cancelGoal, cancelType);
  const services: readonly ServiceClient[] = [sendGoal, getResult, cancelGoal];
  const endpoints: readonly Endpoint[] = [feedback, ...services];

  const result = async (id: string, timeoutMs: number): Promise<GoalOutcome> => {
    const answer = await getResult.call(codecs.getResultRequest.encode({ goal_id: uuidOf(id) }), timeoutMs);
    listeners.delete(id);
    const { status: code, result: body } = codecs.decodeResult(answer);
    const status = outcomeStatus(code);
    if (status) return { status, result: body };
    throw new VernierError('BACKEND', `the server of ${action} knows no goal ${id} (status ${code})`, {
      hint: 'it was started anew, or the result was asked for too late',
    });
  };

  const cancel = async (id: string, timeoutMs: number): Promise<boolean> => {
    const goal_info = { goal_id: uuidOf(id), stamp: { sec: 0, nanosec: 0 } };
    const answer = await cancelGoal.call(codecs.cancelRequest.encode({ goal_info }), timeoutMs);
    return codecs.cancelResponse.decode(answer)['return_code'] === cancelCode.none;
  };

  return {
    available: () => services.every((service) => service.available()) && feedback.matched() > 0,
    async send(goal, { timeoutMs, onFeedback }): Promise<ClientGoal | undefined> {
      const id = randomBytes(16).toString('hex');
      if (onFeedback) listeners.set(id, onFeedback);
      let isAccepted = false;
      try {
        const answer = await sendGoal.call(withGoalId(id, goal), timeoutMs);
        isAccepted = codecs.sendGoalResponse.decode(answer)['accepted'] === true;
      } finally {
        if (!isAccepted) listeners.delete(id);
      }
      if (!isAccepted) return undefined;
      return {
        id,
        result: (resultTimeoutMs) => result(id, resultTimeoutMs),
        cancel: (cancelTimeoutMs) => cancel(id, cancelTimeoutMs),
      };
    },
    close() {
      for (const endpoint of endpoints) endpoint.close();
      listeners.clear();
    },
  };
}
