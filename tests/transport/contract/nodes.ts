import { standardCodec } from '#transport/messages';
import { commandQuality, type Quality, type RobotTransport } from '#transport/robotTransport';

/** Nodes that are closed after each test. */
export interface ContractNodes {
  node(name: string): Promise<RobotTransport>;
  pair(): Promise<readonly [RobotTransport, RobotTransport]>;
}

const number = standardCodec('std_msgs/msg/Int64');
export const numbered = (value: number): Uint8Array => number.encode({ data: BigInt(value) });
export const readNumber = (bytes: Uint8Array): number => Number(number.decode(bytes)['data']);
export const queue = (depth: number): Quality => ({ ...commandQuality, depth });
