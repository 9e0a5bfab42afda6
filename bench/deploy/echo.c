// Round trips of a joint state of seven joints between two processes in plain C: the floor of bench/deploy/transport.ts.
//   echo serve          sends back what comes, until stdin ends
//   echo ping           for each line "N" on stdin makes N round trips and prints their times, nanoseconds
// Both wait in a waitset, as C programs do.
#include <time.h>
#include <unistd.h>

#include "peer.h"

typedef sensor_msgs_msg_dds__JointState_ JointState;

static dds_entity_t waiting_for(dds_entity_t participant, dds_entity_t reader) {
  const dds_entity_t waitset = dds_create_waitset(participant);
  dds_waitset_attach(waitset, dds_create_readcondition(reader, DDS_ANY_STATE), 0);
  return waitset;
}

// The next message, lent; NULL after a second without one.
static JointState* next(dds_entity_t waitset, dds_entity_t reader) {
  for (;;) {
    void* samples[1] = {NULL};
    dds_sample_info_t info;
    if (dds_take(reader, samples, &info, 1, 1) == 1) {
      if (info.valid_data) return samples[0];
      dds_return_loan(reader, samples, 1);
      continue;
    }
    if (dds_waitset_wait(waitset, NULL, 0, DDS_SECS(1)) == 0) return NULL;
  }
}

static int serve(dds_entity_t participant) {
  const dds_entity_t reader = peer_reader(participant, &sensor_msgs_msg_dds__JointState__desc, "rt/floor_ping", 1);
  const dds_entity_t writer = peer_writer(participant, &sensor_msgs_msg_dds__JointState__desc, "rt/floor_pong", 1);
  const dds_entity_t waitset = waiting_for(participant, reader);
  const pid_t parent = getppid();
  while (getppid() == parent) {
    JointState* message = next(waitset, reader);
    if (message == NULL) continue;
    peer_checked(dds_write(writer, message), "write");
    peer_return(reader, message);
  }
  return 0;
}

static int64_t nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int ping(dds_entity_t participant) {
  const dds_entity_t reader = peer_reader(participant, &sensor_msgs_msg_dds__JointState__desc, "rt/floor_pong", 1);
  const dds_entity_t writer = peer_writer(participant, &sensor_msgs_msg_dds__JointState__desc, "rt/floor_ping", 1);
  const dds_entity_t waitset = waiting_for(participant, reader);
  char* names[7] = {"panda_joint1", "panda_joint2", "panda_joint3", "panda_joint4",
                    "panda_joint5", "panda_joint6", "panda_joint7"};
  double values[7] = {0.1, -0.2, 0.3, -0.4, 0.5, -0.6, 0.7};
  const dds_sequence_double numbers = {._maximum = 7, ._length = 7, ._buffer = values, ._release = false};
  JointState message = {.header_ = {.stamp_ = {0, 0}, .frame_id_ = "base"},
                        .name_ = {._maximum = 7, ._length = 7, ._buffer = names, ._release = false},
                        .position_ = numbers,
                        .velocity_ = numbers,
                        .effort_ = numbers};
  char line[64];
  while (fgets(line, sizeof line, stdin)) {
    peer_wait_for_reader(writer);
    for (int i = 0, count = atoi(line); i < count; i++) {
      message.header_.stamp_.sec_ = i;
      const int64_t start = nanoseconds();
      peer_checked(dds_write(writer, &message), "write");
      JointState* answer = next(waitset, reader);
      if (answer == NULL || answer->header_.stamp_.sec_ != i) {
        fprintf(stderr, "round trip %d: no answer, or another's\n", i);
        return 1;
      }
      printf("%lld ", (long long)(nanoseconds() - start));
      peer_return(reader, answer);
    }
    printf("\n");
    fflush(stdout);
  }
  return 0;
}

int main(int argc, char** argv) {
  const dds_entity_t participant = peer_participant();
  const int status = argc > 1 && strcmp(argv[1], "ping") == 0 ? ping(participant) : serve(participant);
  dds_delete(participant);
  return status;
}
