// Waits until a node `name` shows itself with `readers` readers and `writers` writers that DDS has discovered too, then
// prints "node NAMESPACE NAME", "participant USERDATA" and for each endpoint "reader|writer TOPIC TYPE USERDATA".
#include "peer.h"

static char* user_data(const dds_qos_t* qos) {
  void* data = NULL;
  size_t size = 0;
  if (!dds_qget_userdata(qos, &data, &size) || data == NULL) return calloc(1, 1);
  char* text = calloc(size + 1, 1);
  memcpy(text, data, size);
  dds_free(data);
  return text;
}

// Whether every identifier is that of a discovered endpoint; prints them where `kind` is given.
static bool endpoints_known(dds_entity_t reader, const dds_sequence_rmw_dds_common_msg_dds__Gid_* gids,
                            const char* kind) {
  enum { most = 64 };
  static void* samples[most];
  static dds_sample_info_t infos[most];
  memset(samples, 0, sizeof samples);
  const int count = dds_read(reader, samples, infos, most, most);
  uint32_t known = 0;
  for (int i = 0; i < count; i++) {
    const dds_builtintopic_endpoint_t* endpoint = samples[i];
    if (!infos[i].valid_data || infos[i].instance_state != DDS_IST_ALIVE) continue;
    for (uint32_t g = 0; g < gids->_length; g++) {
      if (memcmp(endpoint->key.v, gids->_buffer[g].data_, 16) != 0) continue;
      known++;
      if (kind) {
        char* data = user_data(endpoint->qos);
        printf("%s %s %s %s\n", kind, endpoint->topic_name, endpoint->type_name, data);
        free(data);
      }
    }
  }
  if (count > 0) dds_return_loan(reader, samples, count);
  return known == gids->_length;
}

static void print_participant(dds_entity_t reader, const uint8_t* guid) {
  void* samples[16] = {NULL};
  dds_sample_info_t infos[16];
  const int count = dds_read(reader, samples, infos, 16, 16);
  for (int i = 0; i < count; i++) {
    const dds_builtintopic_participant_t* found = samples[i];
    if (!infos[i].valid_data || memcmp(found->key.v, guid, 16) != 0) continue;
    char* data = user_data(found->qos);
    printf("participant %s\n", data);
    free(data);
  }
  if (count > 0) dds_return_loan(reader, samples, count);
}

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  const uint32_t readers = (uint32_t)atoi(argv[2]), writers = (uint32_t)atoi(argv[3]);
  const dds_entity_t participant = peer_participant();
  const dds_entity_t participants = dds_create_reader(participant, DDS_BUILTIN_TOPIC_DCPSPARTICIPANT, NULL, NULL);
  const dds_entity_t publications = dds_create_reader(participant, DDS_BUILTIN_TOPIC_DCPSPUBLICATION, NULL, NULL);
  const dds_entity_t subscriptions = dds_create_reader(participant, DDS_BUILTIN_TOPIC_DCPSSUBSCRIPTION, NULL, NULL);
  const dds_entity_t topic =
      peer_checked(dds_create_topic(participant, &rmw_dds_common_msg_dds__ParticipantEntitiesInfo__desc,
                                    "ros_discovery_info", NULL, NULL), "topic");
  dds_qos_t* qos = peer_quality(1);
  dds_qset_durability(qos, DDS_DURABILITY_TRANSIENT_LOCAL);
  const dds_entity_t reader = peer_checked(dds_create_reader(participant, topic, qos, NULL), "reader");
  dds_delete_qos(qos);
  for (;;) {
    rmw_dds_common_msg_dds__ParticipantEntitiesInfo_* info = peer_take(reader);
    for (uint32_t i = 0; i < info->node_entities_info_seq_._length; i++) {
      const rmw_dds_common_msg_dds__NodeEntitiesInfo_* node = &info->node_entities_info_seq_._buffer[i];
      if (strcmp(node->node_name_, argv[1]) != 0 || node->reader_gid_seq_._length != readers ||
          node->writer_gid_seq_._length != writers)
        continue;
      while (!endpoints_known(subscriptions, &node->reader_gid_seq_, NULL) ||
             !endpoints_known(publications, &node->writer_gid_seq_, NULL))
        dds_sleepfor(DDS_MSECS(10));
      printf("node %s %s\n", node->node_namespace_, node->node_name_);
      print_participant(participants, info->gid_.data_);
      endpoints_known(subscriptions, &node->reader_gid_seq_, "reader");
      endpoints_known(publications, &node->writer_gid_seq_, "writer");
      dds_delete(participant);
      return 0;
    }
    peer_return(reader, info);
  }
}
