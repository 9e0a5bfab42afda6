import type { Deployment } from '#deploy/robot/deployment';
import type { Inputs } from '#deploy/robot/inputs';
import { monotonicShift } from '#deploy/robot/sharedBoard';
import {
  type Endpoint,
  type ReceivedMessage,
  type RobotTransport,
  sensorQuality,
  statusQuality,
} from '#transport/robotTransport';

/** Takes every message that comes. */
export type MessageTap = (topic: string, type: string, message: ReceivedMessage) => void;

/** A topic that is listened to. @param received milliseconds, monotonic */
interface Source {
  readonly topic: string;
  readonly type: string;
  readonly isLatched?: boolean;
  readonly take?: (bytes: Uint8Array, received: number) => void;
}

const types = {
  jointState: 'sensor_msgs/msg/JointState',
  pose: 'geometry_msgs/msg/PoseStamped',
  transforms: 'tf2_msgs/msg/TFMessage',
  image: 'sensor_msgs/msg/Image',
  compressed: 'sensor_msgs/msg/CompressedImage',
  wrench: 'geometry_msgs/msg/WrenchStamped',
} as const;

/** What a deployment listens to; cameras and wrenches only where it is recorded. */
export function sourcesOf(deployment: Deployment, inputs: Inputs): Source[] {
  const { spec, jointStates, bodies } = deployment;
  const out: Source[] = [
    {
      topic: jointStates,
      type: types.jointState,
      take: (bytes, received) => inputs.jointState(bytes, received),
    },
  ];
  for (const [k, { source }] of bodies.entries()) {
    if (!('topic' in source)) continue;
    const take = (bytes: Uint8Array, received: number): void => inputs.pose(k, bytes, received);
    out.push({ topic: source.topic, type: types.pose, take });
  }
  if (bodies.some(({ source }) => 'frame' in source || 'topic' in source)) {
    const take = (isStatic: boolean) => (bytes: Uint8Array, received: number) =>
      inputs.transforms(bytes, isStatic, received);
    out.push({ topic: spec.tf.topic, type: types.transforms, take: take(false) });
    out.push({ topic: spec.tf.static_topic, type: types.transforms, isLatched: true, take: take(true) });
  }
  if (spec.record !== undefined) {
    for (const { topic, kind } of Object.values(spec.images)) out.push({ topic, type: types[kind] });
    if (spec.wrench) out.push({ topic: spec.wrench.topic, type: types.wrench });
  }
  return out;
}

/** Subscribes to all of it. @throws as RobotTransport.subscriber */
export function listen(
  deployment: Deployment,
  inputs: Inputs,
  transport: RobotTransport,
  tap: MessageTap,
): Endpoint[] {
  const shift = monotonicShift();
  return sourcesOf(deployment, inputs).map(({ topic, type, isLatched, take }) =>
    // TF comes from many nodes: the newest alone would not do.
    transport.subscriber(
      topic,
      type,
      isLatched
        ? { ...statusQuality, depth: 100 }
        : type === types.transforms
          ? { ...sensorQuality, depth: 100 }
          : sensorQuality,
      (message) => {
        tap(topic, type, message);
        take?.(message.bytes, message.receivedAt + shift);
      },
    ),
  );
}
