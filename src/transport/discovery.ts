import { messageCodec } from '#transport/cdr';
import { readDefinitions } from '#transport/definitionText';
import type { NodeName } from '#transport/rosNames';

/** What a participant tells of its nodes, so that they stand in `ros2 node list`.
 * @source ros2/rmw_dds_common, msg/ParticipantEntitiesInfo.msg */

export const discoveryTopic = {
  topic: 'ros_discovery_info',
  type: 'rmw_dds_common::msg::dds_::ParticipantEntitiesInfo_',
} as const;

/** Bytes of an identifier: 24 up to Humble, 16 from Iron on. */
const gidSize = process.env['ROS_DISTRO'] === 'humble' ? 24 : 16;

const codec = messageCodec(
  'rmw_dds_common/msg/ParticipantEntitiesInfo',
  readDefinitions(`
MSG: rmw_dds_common/Gid
uint8[${gidSize}] data
===
MSG: rmw_dds_common/NodeEntitiesInfo
string<=256 node_namespace
string<=256 node_name
Gid[] reader_gid_seq
Gid[] writer_gid_seq
===
MSG: rmw_dds_common/ParticipantEntitiesInfo
Gid gid
NodeEntitiesInfo[] node_entities_info_seq
`),
);

export interface DiscoveredNode {
  /** Identifiers, @shape [16] each. */
  readonly participant: Uint8Array;
  readonly node: NodeName;
  readonly readers: readonly Uint8Array[];
  readonly writers: readonly Uint8Array[];
}

/** The message of a participant with one node. */
export function encodeDiscovery({ participant, node, readers, writers }: DiscoveredNode): Uint8Array {
  return codec.encode({
    gid: gid(participant),
    node_entities_info_seq: [
      {
        node_namespace: node.namespace,
        node_name: node.name,
        reader_gid_seq: readers.map(gid),
        writer_gid_seq: writers.map(gid),
      },
    ],
  });
}

function gid(guid: Uint8Array): { readonly data: Uint8Array } {
  const data = new Uint8Array(gidSize);
  data.set(guid);
  return { data };
}
