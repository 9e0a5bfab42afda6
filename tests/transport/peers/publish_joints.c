// Publishes `count` joint states: position i + joint / 10, velocity -i, no effort, a name that is not ASCII.
#include "peer.h"

int main(int argc, char** argv) {
  const int count = argc > 1 ? atoi(argv[1]) : 10;
  const dds_entity_t participant = peer_participant();
  const dds_entity_t writer =
      peer_writer(participant, &sensor_msgs_msg_dds__JointState__desc, "rt/joint_states", count);
  peer_wait_for_reader(writer);
  char* names[3] = {"panda_joint1", "joint_\xc3\xbc\xe2\x9c\x93", ""};
  for (int i = 0; i < count; i++) {
    double positions[3], velocities[3];
    for (int joint = 0; joint < 3; joint++) {
      positions[joint] = i + joint / 10.0;
      velocities[joint] = -i;
    }
    sensor_msgs_msg_dds__JointState_ message;
    memset(&message, 0, sizeof message);
    message.header_.stamp_.sec_ = i;
    message.header_.stamp_.nanosec_ = 999999999u;
    message.header_.frame_id_ = "base";
    message.name_._length = message.name_._maximum = 3;
    message.name_._buffer = names;
    message.position_._length = message.position_._maximum = 3;
    message.position_._buffer = positions;
    message.velocity_._length = message.velocity_._maximum = 3;
    message.velocity_._buffer = velocities;
    peer_checked(dds_write(writer, &message), "write");
  }
  dds_wait_for_acks(writer, DDS_SECS(10));
  dds_delete(participant);
  return 0;
}
