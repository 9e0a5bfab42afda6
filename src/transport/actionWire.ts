import { VernierError } from '#core/errors';
import { headerSize } from '#transport/cdrReader';
import { standardCodec } from '#transport/messages';
import type { Message } from '#transport/messageValue';
import type { GoalOutcome, Quality } from '#transport/robotTransport';

/** An action as it travels: three services and two topics below its name.
 * @source design.ros2.org, "Actions"; ros2/rcl, rcl_action; differs: none */

/** As rcl_action: feedback like any topic, the last status for those who come late. */
export const feedbackQuality: Quality = { reliability: 'reliable', durability: 'volatile', depth: 10 };

export const cancelType = 'action_msgs/srv/CancelGoal';
export const statusType = 'action_msgs/msg/GoalStatusArray';

/** @param action its full name */
export function actionNames(action: string) {
  return {
    sendGoal: `${action}/_action/send_goal`,
    getResult: `${action}/_action/get_result`,
    cancelGoal: `${action}/_action/cancel_goal`,
    feedback: `${action}/_action/feedback`,
    status: `${action}/_action/status`,
  };
}

/** GoalStatus of action_msgs. */
export const goalStatus = {
  unknown: 0,
  accepted: 1,
  executing: 2,
  canceling: 3,
  succeeded: 4,
  canceled: 5,
  aborted: 6,
} as const;

export type GoalStatusCode = (typeof goalStatus)[keyof typeof goalStatus];

/** CancelGoal's return codes. */
export const cancelCode = { none: 0, rejected: 1, unknownGoal: 2, goalTerminated: 3 } as const;

/** @returns undefined for a code of a goal that has not ended */
export function outcomeStatus(code: number): GoalOutcome['status'] | undefined {
  return (['succeeded', 'canceled', 'aborted'] as const).find((status) => goalStatus[status] === code);
}

const idSize = 16;
/** Bytes of a message with a goal's identifier at least. */
export const goalHeaderSize = headerSize + idSize;

/** Puts a goal's identifier before CDR. Sixteen bytes keep every field aligned.
 * @param id 32 hexadecimal digits */
export function withGoalId(id: string, message: Uint8Array): Uint8Array {
  if (message.length < headerSize) throw new VernierError('DATA', `${message.length} bytes are no CDR`);
  const out = new Uint8Array(message.length + idSize);
  out.set(message.subarray(0, headerSize));
  out.set(Buffer.from(id, 'hex'), headerSize);
  out.set(message.subarray(headerSize), goalHeaderSize);
  return out;
}

/** @param message used up
 * @throws DATA where the bytes hold no identifier */
export function splitGoalId(message: Uint8Array): { readonly id: string; readonly body: Uint8Array } {
  if (message.length < goalHeaderSize)
    throw new VernierError('DATA', `${message.length} bytes hold no goal's identifier`);
  const id = idText(message.subarray(headerSize, goalHeaderSize));
  message.copyWithin(idSize, 0, headerSize);
  return { id, body: message.subarray(idSize) };
}

export function idText(uuid: Uint8Array): string {
  return Buffer.from(uuid.buffer, uuid.byteOffset, uuid.byteLength).toString('hex');
}

/** @param id 32 hexadecimal digits */
export function uuidOf(id: string): { readonly uuid: Uint8Array } {
  return { uuid: new Uint8Array(Buffer.from(id, 'hex')) };
}

/** What of an action's messages is decoded: all but goal and feedback, which pass as bytes.
 * @param type `control_msgs/action/FollowJointTrajectory`
 * @throws DATA where its definition is not known */
export function actionCodecs(type: string) {
  const result = standardCodec(`${type}_Result`);
  const response = standardCodec(`${type}_GetResult_Response`);
  return {
    sendGoalResponse: standardCodec(`${type}_SendGoal_Response`),
    getResultRequest: standardCodec(`${type}_GetResult_Request`),
    cancelRequest: standardCodec(`${cancelType}_Request`),
    cancelResponse: standardCodec(`${cancelType}_Response`),
    status: standardCodec(statusType),
    /** A result with nothing in it. */
    emptyResult: (): Uint8Array => result.encode(result.create()),
    encodeResult: (status: GoalStatusCode, body: Uint8Array): Uint8Array =>
      response.encode({ status, result: result.decode(body) }),
    decodeResult: (message: Uint8Array): { readonly status: number; readonly result: Uint8Array } => {
      const { status, result: value } = response.decode(message) as unknown as ResultMessage;
      return { status, result: result.encode(value) };
    },
  };
}

interface ResultMessage {
  readonly status: number;
  readonly result: Message;
}
