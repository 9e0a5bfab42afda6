// Prints `count` joint states, one line each: seconds nanoseconds frame | names | positions | velocities | efforts.
#include "peer.h"

static void print_numbers(const dds_sequence_double* numbers) {
  printf("|");
  for (uint32_t i = 0; i < numbers->_length; i++) printf(" %.17g", numbers->_buffer[i]);
}

int main(int argc, char** argv) {
  const int count = argc > 1 ? atoi(argv[1]) : 10;
  const dds_entity_t participant = peer_participant();
  const dds_entity_t reader =
      peer_reader(participant, &sensor_msgs_msg_dds__JointState__desc, "rt/joint_states", count);
  for (int k = 0; k < count; k++) {
    sensor_msgs_msg_dds__JointState_* message = peer_take(reader);
    printf("%d %u %s |", message->header_.stamp_.sec_, message->header_.stamp_.nanosec_, message->header_.frame_id_);
    for (uint32_t i = 0; i < message->name_._length; i++) printf(" %s", message->name_._buffer[i]);
    printf(" ");
    print_numbers(&message->position_);
    printf(" ");
    print_numbers(&message->velocity_);
    printf(" ");
    print_numbers(&message->effort_);
    printf("\n");
    peer_return(reader, message);
  }
  dds_delete(participant);
  return 0;
}
