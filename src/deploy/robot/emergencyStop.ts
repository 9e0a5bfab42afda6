import type { DeploySpec } from '#spec/deploySchema';
import { standardCodec } from '#transport/messages';
import { commandQuality, type Endpoint, type RobotTransport } from '#transport/robotTransport';

export interface EmergencyStopHandlers {
  /** The stop was latched, now or again. */
  onStop(by: string): void;
  /** An operator asks to take the latch off; why not, or undefined when it is off. */
  onReset(): string | undefined;
  onError(error: unknown): void;
}

const TRIGGER = 'std_srvs/srv/Trigger';

/** The emergency stop as others see it: a topic and a service that latch it, a service that resets it. `true` on the topic
 * latches; `false` does not reset: that is for an operator. */
export function serveEmergencyStop(
  spec: DeploySpec['emergency_stop'],
  transport: RobotTransport,
  { onStop, onReset, onError }: EmergencyStopHandlers,
): Endpoint[] {
  const flag = standardCodec('std_msgs/msg/Bool');
  const answer = standardCodec(`${TRIGGER}_Response`);
  return [
    transport.subscriber(spec.topic, flag.type, { ...commandQuality, depth: 10 }, ({ bytes }) => {
      try {
        if (flag.decode(bytes)['data'] === true) onStop(spec.topic);
      } catch (error) {
        // What is no message on this topic is taken as the worst that it could mean.
        onStop(spec.topic);
        onError(error);
      }
    }),
    transport.service(
      spec.service,
      TRIGGER,
      () => {
        onStop(spec.service);
        return answer.encode({ success: true, message: 'latched' });
      },
      onError,
    ),
    transport.service(
      spec.reset_service,
      TRIGGER,
      () => {
        const refusal = onReset();
        return answer.encode({ success: refusal === undefined, message: refusal ?? 'reset' });
      },
      onError,
    ),
  ];
}
