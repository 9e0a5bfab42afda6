import { type MessageCodec, messageCodec } from '#transport/cdr';
import { commonDefinitions } from '#transport/definitions/common';
import { nodeDefinitions } from '#transport/definitions/node';
import { robotDefinitions } from '#transport/definitions/robot';
import { readDefinitions } from '#transport/definitionText';
import type { MessageDefinitions } from '#transport/messageDefinition';

/** The interfaces of ROS 2 that the stack speaks, services and actions with what they send. */
export const standardDefinitions: MessageDefinitions = readDefinitions(
  [commonDefinitions, robotDefinitions, nodeDefinitions].join('===\n'),
);

/** @param type `sensor_msgs/msg/JointState`, `rcl_interfaces/srv/SetParameters_Request`,
 * `control_msgs/action/FollowJointTrajectory_SendGoal_Request`
 * @throws DATA where the type is none of those above */
export function standardCodec(type: string): MessageCodec {
  return messageCodec(type, standardDefinitions);
}
