import { VernierError } from '#core/errors';
import { CdrReader, compileReader } from '#transport/cdrReader';
import { CdrWriter, compileWriter } from '#transport/cdrWriter';
import { initialMessage } from '#transport/initialMessage';
import type { MessageDefinitions, StructDefinition } from '#transport/messageDefinition';
import { FieldMistake, type Message } from '#transport/messageValue';
import { typeHash } from '#transport/typeHash';

/** Messages of ROS 2 as every middleware sends them: plain CDR behind four bytes of header.
 * @source OMG DDS-XTypes 1.3, clause 7.4 (XCDR version 1, final types) and DDSI-RTPS 2.5, clause 10; differs: text is
 * UTF-8 without NUL, structs without fields take a byte, as in ROS 2; wstring is refused. */
export interface MessageCodec {
  /** `sensor_msgs/msg/JointState`. */
  readonly type: string;
  /** RIHS01, as in ROS 2 from Iron on. */
  readonly typeHash: string;
  readonly definition: StructDefinition;

  /** Little-endian, without bytes behind the last field.
   * @param message every field, no other; arrays of numbers may be typed or plain
   * @param out memory to write into; without it the bytes are new and the caller's
   * @returns the start of `out`, or of new memory of at least twice the size where `out` is too small
   * @throws DATA with the field's path for what the type does not allow */
  encode(message: unknown, out?: Uint8Array): Uint8Array;

  /** Either byte order; up to three bytes of padding may follow. All that is returned is a copy.
   * @throws DATA with the field's path and the byte for what is no message of the type; never reads behind `bytes`,
   * nor allocates more than a small multiple of them */
  decode(bytes: Uint8Array): Message;

  /** The same, but arrays of bytes lie in the memory of `bytes` and change with it. */
  decodeBorrow(bytes: Uint8Array): Message;

  /** A new message with the definition's defaults. */
  create(): Message;
}

/** @param type `package/msg/Type`, or `package/Type`
 * @throws DATA where its definition is missing or wrong */
export function messageCodec(type: string, definitions: MessageDefinitions): MessageCodec {
  const definition = definitions.struct(type);
  const write = compileWriter(definition);
  const read = compileReader(definition);
  const decode = (bytes: Uint8Array, borrows: boolean): Message => {
    let reader: CdrReader | undefined;
    try {
      reader = new CdrReader(bytes, borrows);
      const message = read(reader) as Message;
      if (reader.left > 3)
        throw new FieldMistake(`${reader.left} bytes are left over, as of a type with more fields`);
      return message;
    } catch (error) {
      throw located(error, definition.type, reader?.at ?? 0);
    }
  };
  let lastSize = 0;
  return {
    type: definition.type,
    typeHash: typeHash(definition),
    definition,
    encode(message, out) {
      const writer = new CdrWriter(out ?? new Uint8Array(lastSize));
      try {
        write(writer, message);
      } catch (error) {
        throw located(error, definition.type);
      }
      if (out) return writer.written;
      lastSize = writer.at;
      return writer.written.length === writer.bytes.length ? writer.written : writer.written.slice();
    },
    decode: (bytes) => decode(bytes, false),
    decodeBorrow: (bytes) => decode(bytes, true),
    create: () => initialMessage(definition),
  };
}

function located(error: unknown, type: string, byte?: number): unknown {
  if (!(error instanceof FieldMistake)) return error;
  const path = error.path.replace(/^\./, '');
  const where = byte === undefined ? '' : ` (byte ${byte})`;
  return new VernierError('DATA', `${type}: ${path ? `${path}: ` : ''}${error.message}${where}`, {
    context: { type, path, ...(byte === undefined ? {} : { byte }) },
  });
}
