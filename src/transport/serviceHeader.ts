import { VernierError } from '#core/errors';
import { headerSize } from '#transport/cdrReader';

/** What stands before the request and its answer, so that they find each other.
 * @source ros2/rmw_cyclonedds, cdds_request_header_t; other middlewares put it beside the message instead */
export interface CallId {
  readonly client: bigint;
  readonly sequence: bigint;
}

const callIdSize = 16;
/** Bytes of a call at least. */
export const callHeaderSize = headerSize + callIdSize;

/** @param message CDR of a request or answer with its call's identifier; used up
 * @returns the message without it, in the same memory
 * @throws DATA where the bytes hold none */
export function splitCall(message: Uint8Array): { readonly id: CallId; readonly body: Uint8Array } {
  if (message.length < callHeaderSize)
    throw new VernierError('DATA', `${message.length} bytes hold no call of a service`);
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  const little = isLittle(message);
  const id = {
    client: view.getBigUint64(headerSize, little),
    sequence: view.getBigInt64(headerSize + 8, little),
  };
  message.copyWithin(callIdSize, 0, headerSize);
  return { id, body: message.subarray(callIdSize) };
}

/** @param body CDR of a request or answer
 * @throws DATA where it has no header */
export function joinCall({ client, sequence }: CallId, body: Uint8Array): Uint8Array {
  if (body.length < headerSize) throw new VernierError('DATA', `${body.length} bytes are no CDR`);
  const message = new Uint8Array(body.length + callIdSize);
  message.set(body.subarray(0, headerSize));
  message.set(body.subarray(headerSize), headerSize + callIdSize);
  const view = new DataView(message.buffer);
  const little = isLittle(body);
  view.setBigUint64(headerSize, client, little);
  view.setBigInt64(headerSize + 8, sequence, little);
  return message;
}

function isLittle(message: Uint8Array): boolean {
  return (message[1]! & 1) === 1;
}
