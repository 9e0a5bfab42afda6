// Calls /flip `count` times and prints each answer: sequence success message. Between the calls it sends a request
// under another client's number, whose answer it must not take for its own.
#include "peer.h"

static void send_request(dds_entity_t writer, uint64_t client, int64_t sequence, bool data) {
  std_srvs_srv_dds__SetBool_Request_ request = {.client_ = client, .sequence_ = sequence, .data_ = data};
  peer_checked(dds_write(writer, &request), "request");
}

int main(int argc, char** argv) {
  const int count = argc > 1 ? atoi(argv[1]) : 4;
  const uint64_t self = 0x1122334455667788u;
  const dds_entity_t participant = peer_participant();
  const dds_entity_t reader =
      peer_reader(participant, &std_srvs_srv_dds__SetBool_Response__desc, "rr/flipReply", 10);
  const dds_entity_t writer =
      peer_writer(participant, &std_srvs_srv_dds__SetBool_Request__desc, "rq/flipRequest", 10);
  peer_wait_for_reader(writer);
  for (int64_t sequence = 1; sequence <= count; sequence++) {
    send_request(writer, 99, sequence, true);
    send_request(writer, self, sequence, sequence % 2 == 1);
    for (;;) {
      std_srvs_srv_dds__SetBool_Response_* response = peer_take(reader);
      const bool mine = response->client_ == self;
      if (mine) printf("%lld %d %s\n", (long long)response->sequence_, response->success_, response->message_);
      peer_return(reader, response);
      if (mine) break;
    }
  }
  dds_delete(participant);
  return 0;
}
