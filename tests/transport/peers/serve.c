// Serves /flip until `count` requests are answered; each answer is preceded by one to nobody with the same number.
#include "peer.h"

static void send_response(dds_entity_t writer, uint64_t client, int64_t sequence, bool success, char* text) {
  std_srvs_srv_dds__SetBool_Response_ response = {
      .client_ = client, .sequence_ = sequence, .success_ = success, .message_ = text};
  peer_checked(dds_write(writer, &response), "response");
}

int main(int argc, char** argv) {
  const int count = argc > 1 ? atoi(argv[1]) : 4;
  const dds_entity_t participant = peer_participant();
  const dds_entity_t writer =
      peer_writer(participant, &std_srvs_srv_dds__SetBool_Response__desc, "rr/flipReply", 10);
  const dds_entity_t reader =
      peer_reader(participant, &std_srvs_srv_dds__SetBool_Request__desc, "rq/flipRequest", 10);
  for (int i = 0; i < count; i++) {
    std_srvs_srv_dds__SetBool_Request_* request = peer_take(reader);
    peer_wait_for_reader(writer);
    send_response(writer, request->client_ + 1, request->sequence_, true, "not yours");
    send_response(writer, request->client_, request->sequence_, !request->data_, request->data_ ? "was on" : "was off \xe2\x9c\x93");
    peer_return(reader, request);
  }
  dds_wait_for_acks(writer, DDS_SECS(10));
  dds_delete(participant);
  return 0;
}
