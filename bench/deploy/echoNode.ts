import { standardCodec } from '#transport/messages';
import { openTransport } from '#transport/openTransport';
import { commandQuality } from '#transport/robotTransport';

/* The other process of bench/deploy/transport.ts: decodes each joint state that comes, encodes it anew and sends it
 * back, until stdin ends. */

const type = 'sensor_msgs/msg/JointState';
const codec = standardCodec(type);
const transport = await openTransport({ node: '/echo' });
const pong = transport.publisher('/pong', type, commandQuality);
transport.subscriber('/ping', type, commandQuality, ({ bytes }) =>
  pong.write(codec.encode(codec.decode(bytes))),
);
process.stdin.on('end', () => void transport.close()).resume();
