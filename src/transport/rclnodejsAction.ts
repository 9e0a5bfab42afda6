import { VernierError } from '#core/errors';
import { cancelCode, idText, outcomeStatus } from '#transport/actionWire';
import { standardCodec } from '#transport/messages';
import type { RclNode, Rclnodejs, RclServerGoal } from '#transport/rclnodejsModule';
import type {
  ActionClient,
  ActionHandlers,
  ClientGoal,
  Endpoint,
  GoalOutcome,
} from '#transport/robotTransport';

/** Actions by rclnodejs's own servers and clients: it offers the services below them to nobody else. */

/** Of goals and of requests to cancel. */
const [reject, accept] = [1, 2];

function codecsOf(type: string) {
  return {
    goal: standardCodec(`${type}_Goal`),
    feedback: standardCodec(`${type}_Feedback`),
    result: standardCodec(`${type}_Result`),
  };
}

/** @param action its full name
 * @throws DATA where the type's definition is not known */
export function openRclActionServer(
  rcl: Rclnodejs,
  node: RclNode,
  action: string,
  type: string,
  handlers: ActionHandlers,
  onError: (error: unknown) => void,
): Endpoint {
  const codecs = codecsOf(type);
  const running = new Map<string, AbortController>();

  const execute = async (handle: RclServerGoal): Promise<object> => {
    const id = idText(Uint8Array.from(handle.goalId.uuid));
    const cancel = new AbortController();
    running.set(id, cancel);
    let outcome: GoalOutcome;
    try {
      outcome = await handlers.execute({
        id,
        goal: codecs.goal.encode(handle.request.toPlainObject(true)),
        cancelled: cancel.signal,
        feedback: (message) => handle.publishFeedback(codecs.feedback.decode(message)),
      });
    } catch (error) {
      outcome = { status: 'aborted', result: codecs.result.encode(codecs.result.create()) };
      onError(error);
    }
    running.delete(id);
    const result = codecs.result.decode(outcome.result);
    if (outcome.status === 'succeeded') handle.succeed();
    else if (outcome.status === 'canceled') handle.canceled();
    else handle.abort();
    return result;
  };

  const judge = (goal: object): number => {
    try {
      return handlers.accept(codecs.goal.encode(goal)) ? accept : reject;
    } catch (error) {
      onError(error);
      return reject;
    }
  };

  const cancel = (handle: RclServerGoal): number => {
    const goal = running.get(idText(Uint8Array.from(handle.goalId.uuid)));
    if (!goal) return reject;
    // rclnodejs marks the goal after this answer, and only a marked one may end as canceled.
    setImmediate(() => goal.abort());
    return accept;
  };

  const server = new rcl.ActionServer(node, type, action, execute, judge, undefined, cancel);
  return {
    close() {
      for (const goal of running.values()) goal.abort();
      server.destroy();
    },
  };
}

/** @param action its full name
 * @throws DATA where the type's definition is not known */
export function openRclActionClient(
  rcl: Rclnodejs,
  node: RclNode,
  action: string,
  type: string,
): ActionClient {
  const codecs = codecsOf(type);
  const client = new rcl.ActionClient(node, type, action);
  const within = <T>(promise: Promise<T>, timeoutMs: number): Promise<T> => {
    let timer: NodeJS.Timeout;
    const late = new Promise<never>((_resolve, rejectLate) => {
      timer = setTimeout(
        () =>
          rejectLate(
            new VernierError('TIMEOUT', `the server of ${action} did not answer within ${timeoutMs} ms`),
          ),
        timeoutMs,
      );
    });
    return Promise.race([promise, late]).finally(() => clearTimeout(timer));
  };
  return {
    available: () => client.isActionServerAvailable(),
    async send(goal, { timeoutMs, onFeedback }): Promise<ClientGoal | undefined> {
      const onPlain = onFeedback && ((feedback: object) => onFeedback(codecs.feedback.encode(feedback)));
      const handle = await within(client.sendGoal(codecs.goal.decode(goal), onPlain), timeoutMs);
      if (!handle.isAccepted()) return undefined;
      const id = idText(Uint8Array.from(handle.goalId.uuid));
      return {
        id,
        async result(resultTimeoutMs): Promise<GoalOutcome> {
          const result = codecs.result.encode(await within(handle.getResult(), resultTimeoutMs));
          const status = outcomeStatus(handle.status);
          if (status) return { status, result };
          throw new VernierError(
            'BACKEND',
            `the server of ${action} knows no goal ${id} (status ${handle.status})`,
          );
        },
        cancel: async (cancelTimeoutMs) =>
          (await within(handle.cancelGoal(), cancelTimeoutMs)).return_code === cancelCode.none,
      };
    },
    close: () => client.destroy(),
  };
}
